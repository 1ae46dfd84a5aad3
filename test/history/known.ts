import { type Change, type History, isChange } from './history.ts'
import { type Due, dueFrom } from './renewals.ts'
import { askedByAnswers, type Times, timesOf } from './times.ts'
import type { Witness } from './witness.ts'

/** What is known of all revisions: from the clients, and from the witness if there is one. */
export interface Known {
  readonly times: Times
  readonly dueMs: Due
  /** By revision: who was answered that it is his. Where that changes nothing, several are. */
  readonly claims: ReadonlyMap<number, readonly Change[]>
  /** Requests whose outcome nobody knows, and a revision that was there before they were sent. */
  readonly unknown: readonly { readonly change: Change; readonly floor: number }[]
  /** A stream that is resumed registers once more, where its lease was HELD meanwhile and lives again. */
  readonly registrations: readonly Change[]
  /** By revision: what was told of it. */
  readonly logged: ReadonlyMap<number, readonly string[]>
  readonly witness: Witness | undefined
}

export function knownOf(history: History): Known {
  const changes = history.operations.filter(isChange)
  const times = timesOf(history, askedByAnswers(changes, history.revision))
  const unknown = changes.filter(({ outcome }) => outcome.kind === 'unknown')
  const logged = new Map<number, readonly string[]>()
  for (const { item } of history.log.items) {
    if (item.kind === 'revision' && !logged.has(item.revision)) logged.set(item.revision, item.events)
  }
  return {
    times,
    dueMs: dueFrom(changes),
    claims: byRevision(changes),
    unknown: unknown.map((change) => ({ change, floor: times.toldBefore(change.invokedMs) })),
    registrations: changes.filter(({ ask: { command } }) => command.kind === 'register'),
    logged,
    witness: history.witness,
  }
}

function byRevision(changes: readonly Change[]): Map<number, Change[]> {
  const found = new Map<number, Change[]>()
  const seen = new Set<string>()
  for (const change of changes) {
    const { outcome, ask: asked } = change
    if (outcome.kind !== 'answer' || outcome.revision === undefined) continue
    // The same request told again: checked elsewhere to be told the same.
    if (asked.requestId !== undefined && seen.has(asked.requestId)) continue
    if (asked.requestId !== undefined) seen.add(asked.requestId)
    found.set(outcome.revision, [...(found.get(outcome.revision) ?? []), change])
  }
  return found
}
