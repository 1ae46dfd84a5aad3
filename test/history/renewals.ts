import type { ModelLease } from '../core/model.ts'
import type { Operation } from './history.ts'

/** The earliest moment at which the end of a lease may come with this revision. */
export type Due = (lease: ModelLease, revision: number) => number

/** Counts from when each renewal was sent that was answered before the revision: what others know of is the least. */
export function dueFrom(operations: readonly Operation[]): Due {
  const renewed = new Map<number, { readonly revision: number; readonly sentMs: number }[]>()
  const seen = new Set<string>()
  for (const operation of operations) {
    const renewal = renewalOf(operation)
    if (renewal === undefined || isRepeat(operation, seen)) continue
    const { leaseId, ...rest } = renewal
    renewed.set(leaseId, [...(renewed.get(leaseId) ?? []), rest])
  }
  return ({ leaseId, terms }, revision) => {
    const before = (renewed.get(leaseId) ?? []).filter((each) => each.revision < revision)
    return Math.max(...before.map(({ sentMs }) => sentMs)) + terms.ttlMs
  }
}

/** The same request told again renews nothing. */
function isRepeat({ ask }: Operation, seen: Set<string>): boolean {
  const requestId = ask.kind === 'change' ? ask.requestId : undefined
  if (requestId === undefined) return false
  const isKnown = seen.has(requestId)
  seen.add(requestId)
  return isKnown
}

function renewalOf({ ask, outcome, invokedMs }: Operation) {
  if (ask.kind !== 'change' || outcome.kind !== 'answer' || outcome.revision === undefined) return undefined
  const { command } = ask
  const { revision } = outcome
  // Of several attempts the first may be the one that was answered.
  if (command.kind === 'grant_lease' && 'leaseId' in outcome.answer) {
    return { leaseId: Number(outcome.answer.leaseId), revision, sentMs: invokedMs }
  }
  const renews = command.kind === 'revive_lease' || command.kind === 'acquire' || command.kind === 'acknowledge'
  return renews ? { leaseId: Number(command.leaseId), revision, sentMs: invokedMs } : undefined
}
