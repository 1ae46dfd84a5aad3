import type { Command } from '../../server/core/command.ts'
import { asLeaseId } from '../../server/core/ids.ts'
import { createModel, type Model, type ModelOutcome } from '../core/model.ts'
import { ask } from '../core/model-sets.ts'
import { CONFIG } from '../support/space.ts'
import { copyOf } from './copy.ts'
import type { Change, History } from './history.ts'
import { answerShape, textOf } from './shapes.ts'

/** What made a revision: a request, or the end of a lease that nobody asked for. */
export type Cause =
  | { readonly kind: 'asked'; readonly change: Change }
  | { readonly kind: 'expired'; readonly leaseId: number }

/** By revision; 0 is empty. */
export type Order = readonly (Cause | undefined)[]

export const freshModel = ({ capacity }: Pick<History, 'capacity'>): Model =>
  createModel({ ...CONFIG, capacity, maxPrivateData: 64 << 20, maxReferences: 4_194_304 })

export const commandOf = (cause: Cause): Command =>
  cause.kind === 'asked' ? cause.change.ask.command : { kind: 'expire_lease', leaseId: asLeaseId(cause.leaseId) }

/** Whether the model answers as the daemon did. */
export function answersSame(outcome: ModelOutcome, { outcome: seen }: Change): boolean {
  if ('refused' in outcome || seen.kind !== 'answer') return false
  return textOf(answerShape(outcome.answer)) === textOf(seen.answer)
}

/** Whether the model answers as the daemon did, and has nothing to change. */
export function changesNothing(model: Model, change: Change): boolean {
  const outcome = ask(copyOf(model), change.ask.command)
  return 'happened' in outcome && outcome.happened.length === 0 && answersSame(outcome, change)
}
