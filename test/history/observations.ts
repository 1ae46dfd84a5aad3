import { allIds, type Model, type ModelOutcome, usableIds } from '../core/model.ts'
import { ask } from '../core/model-sets.ts'
import { copyOf } from './copy.ts'
import { type History, isChange, type Operation } from './history.ts'
import { readModel, textOf } from './shapes.ts'
import type { Times } from './times.ts'
import type { Violation } from './violation.ts'

/**
 * Reads and refusals: each must be explained by a state that was there between its invocation and its answer, and by none
 * that is older than what an earlier one has shown.
 */
export interface Observed {
  readonly operation: Operation
  /** When the attempt was sent that was answered: the last one. */
  readonly sentMs: number
  /** The states that may explain it. */
  readonly from: number
  readonly to: number
}

/** In the order of their first states. */
export function observedIn({ operations }: History, times: Times): Observed[] {
  const found = operations.filter(
    (each) => each.outcome.kind === 'refused' || (!isChange(each) && each.outcome.kind === 'answer'),
  )
  const observed = found.map((operation) => {
    const { lastInvokedMs: sentMs, returnedMs, outcome } = operation
    const at = outcome.kind === 'answer' ? outcome.revision : undefined
    const [from, to] = [times.toldBefore(sentMs), times.possibleAt(returnedMs)]
    return { operation, sentMs, from: Math.max(from, at ?? 0), to: Math.min(to, at ?? to) }
  })
  return observed.sort((a, b) => a.from - b.from)
}

export interface Looked {
  /** In the order of their sending. */
  readonly open: readonly Observed[]
  readonly missed: readonly Observed[]
}

/** Which of the open ones this state explains, and which no state explains any more. */
export function look(model: Model, open: readonly Observed[]): Looked {
  const { revision } = model
  const state = scratchOf(model)
  const [still, missed]: [Observed[], Observed[]] = [[], []]
  // Of those that were answered before others were sent: while one of them has seen only later states, so have those.
  let waitsMs = Infinity
  for (const each of open) {
    const { operation, sentMs, to } = each
    if (revision <= to && sentMs <= waitsMs && isSeen(state, operation)) continue
    if (revision >= to) {
      missed.push(each)
    } else {
      waitsMs = Math.min(waitsMs, operation.returnedMs)
      still.push(each)
    }
  }
  return { open: still, missed }
}

/** A model to try requests on: a new copy whenever one has changed it. */
function scratchOf(model: Model) {
  let copy: Model | undefined
  return {
    model,
    tryOn: (run: (scratch: Model) => ModelOutcome): ModelOutcome => {
      copy ??= copyOf(model)
      const outcome = run(copy)
      if ('happened' in outcome && outcome.happened.length > 0) copy = undefined
      return outcome
    },
  }
}

function isSeen({ model, tryOn }: ReturnType<typeof scratchOf>, operation: Operation): boolean {
  const { outcome, ask: asked } = operation
  if (asked.kind === 'read') {
    const expected = readModel(model, asked.read)
    if ('refused' in expected) return isRefusedSo(expected, operation)
    return outcome.kind === 'answer' && textOf(expected.answer) === textOf(outcome.answer)
  }
  const expected = tryOn((scratch) => ask(scratch, asked.command))
  return 'refused' in expected ? isRefusedSo(expected, operation) : isTired(model, operation)
}

function isRefusedSo(expected: Extract<ModelOutcome, { refused: string }>, { outcome }: Operation): boolean {
  if (outcome.kind !== 'refused' || outcome.reason !== expected.refused) return false
  return Object.entries(expected.facts).every(([fact, value]) => isTimed(fact) || outcome.facts[fact] === value)
}

/** How many ids rest, and for how long, only a clock knows. */
const isTimed = (fact: string): boolean => fact === 'available' || fact === 'resting' || fact === 'retry_after_ms'

/** Refused only since ids rest, of which the model knows nothing: it had enough, some of which rested. */
function isTired(model: Model, { outcome }: Operation): boolean {
  if (outcome.kind !== 'refused' || outcome.reason !== 'RANGE_EXHAUSTED') return false
  const [min = 0, max = 0, requested = 0, available = 0, resting = 0] = FACTS.map((fact) => Number(outcome.facts[fact]))
  const taken = new Set(allIds(model).map(({ id }) => id.ioasid))
  const free = usableIds(model.config).filter((id) => id >= min && id <= max && !taken.has(id)).length
  return available + resting === free && available < requested && requested <= free
}

const FACTS = ['min', 'max', 'requested', 'available', 'resting']

/** Names what is wrong with one that no state of its time explains, by looking at all the others. */
export function nameMissed(each: Observed, models: (visit: (model: Model) => void) => void): Violation {
  const { operation, from, to } = each
  const { id, ask: asked, outcome } = operation
  const at: number[] = []
  models((model) => {
    if (isSeen(scratchOf(model), operation)) at.push(model.revision)
  })
  const said = `${id} ${JSON.stringify(asked)} got ${JSON.stringify(outcome)} between the states ${from} and ${to}`
  const nearest = at.filter((revision) => revision < from).at(-1)
  if (nearest !== undefined) return { rule: 'stale answer', what: `${said}, which was right last at ${nearest}` }
  const later = at.find((revision) => revision > to)
  if (later !== undefined) return { rule: 'answer of the future', what: `${said}, which is right first at ${later}` }
  const within = at[0]
  if (within !== undefined) {
    return { rule: 'stale answer', what: `${said}; it is right at ${within}, and an earlier one saw a later state` }
  }
  const rule = outcome.kind === 'refused' ? 'wrong refusal' : asked.kind === 'read' ? 'wrong read' : 'wrong answer'
  return { rule, what: `${said}, which no state explains` }
}
