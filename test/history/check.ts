import type { Model } from '../core/model.ts'
import type { Order } from './cause.ts'
import { explain } from './explain.ts'
import { type Change, type History, isChange } from './history.ts'
import { nameMissed } from './observations.ts'
import { dueFrom } from './renewals.ts'
import { textOf } from './shapes.ts'
import { streamViolations, type Truth } from './stream-rules.ts'
import { leaseRule, reuseRule } from './time-rules.ts'
import { timesOf } from './times.ts'
import { snapshotOf } from './told.ts'
import type { Violation } from './violation.ts'
import { walk } from './walk.ts'
import { waveRule } from './wave-rule.ts'

/** So many of those that no state explains are named: each costs a walk through all states. */
const MAX_NAMED = 5

/** Checks a whole history; nothing is wrong where nothing is found. */
export function checkHistory(history: History): readonly Violation[] {
  const changes = history.operations.filter(isChange)
  const twice = requestsThatHappenedTwice(changes)
  const orderViolations = realTimeViolations(changes)
  const explained = explain(history)
  if ('violation' in explained) return [explained.violation, ...twice, ...orderViolations, ...logAlone(history)]

  const { order, missed } = explained
  const models = (visit: (model: Model) => void) => walk(history, order, visit)
  const named = missed.slice(0, MAX_NAMED).map((each) => nameMissed(each, models))
  return [...named, ...checkOrder(history, order), ...twice, ...orderViolations]
}

function checkOrder(history: History, order: Order): readonly Violation[] {
  const asked = order.map((cause) => (cause?.kind === 'asked' ? cause.change.invokedMs : -Infinity))
  const times = timesOf(history, asked)
  const rules = [leaseRule(dueFrom(history.operations), times), reuseRule(history, times), waveRule(history, times)]
  const wanted = new Set(history.streams.flatMap(({ items }) => items.flatMap(({ item }) => snapshotEndOf(item))))
  const snapshots = new Map<number, readonly string[]>()
  const told: (readonly string[])[] = []
  walk(history, order, (model, step) => {
    for (const rule of rules) rule.look(model, step)
    if (wanted.has(step.revision)) snapshots.set(step.revision, snapshotOf(model))
    told.push(step.told)
  })
  return [
    ...history.streams.flatMap((stream) => streamViolations(stream, { told, snapshots } satisfies Truth, times)),
    ...incompleteLog(history),
    ...rules.flatMap((rule) => rule.end()),
  ]
}

const snapshotEndOf = ({ kind, revision }: { kind: string; revision: number }): number[] =>
  kind === 'snapshotEnd' ? [revision] : []

/** The same request_id was answered more than once: with the same answer each time, or it happened twice. */
function requestsThatHappenedTwice(changes: readonly Change[]): Violation[] {
  const first = new Map<string, Change>()
  return changes.flatMap((change) => {
    const { requestId } = change.ask
    if (requestId === undefined || change.outcome.kind !== 'answer') return []
    const before = first.get(requestId)
    if (before === undefined) first.set(requestId, change)
    if (before === undefined || textOf(before.outcome) === textOf(change.outcome)) return []
    const what = `request ${requestId} was answered ${textOf(before.outcome)} and then ${textOf(change.outcome)}`
    return [{ rule: 'happened twice', what }]
  })
}

/** A change that was sent after another one was answered has a later revision, or the same one where it changed nothing. */
function realTimeViolations(changes: readonly Change[]): Violation[] {
  const answered = changes.flatMap((change) => {
    const { outcome } = change
    return outcome.kind === 'answer' && outcome.revision !== undefined ? [{ change, revision: outcome.revision }] : []
  })
  const byAnswer = [...answered].sort((a, b) => a.change.returnedMs - b.change.returnedMs)
  const bySending = [...answered].sort((a, b) => a.change.invokedMs - b.change.invokedMs)
  const firsts = new Set<string>()
  let next = 0
  let newest: (typeof answered)[number] | undefined
  return bySending.flatMap((each) => {
    const { change, revision } = each
    for (let told = byAnswer[next]; told !== undefined; told = byAnswer[++next]) {
      if (told.change.returnedMs >= change.invokedMs) break
      if (newest === undefined || told.revision > newest.revision) newest = told
    }
    const { requestId } = change.ask
    const isRepeat = requestId !== undefined && firsts.has(requestId)
    if (requestId !== undefined) firsts.add(requestId)
    if (isRepeat || newest === undefined || revision >= newest.revision) return []
    const what = `${change.id} was answered revision ${revision}, though ${newest.change.id} had ${newest.revision} before it was sent`
    return [{ rule: 'reordered answer', what }]
  })
}

/** The stream of everything was read up to the last revision. */
function incompleteLog({ log, revision }: History): Violation[] {
  const last = log.items.at(-1)?.item.revision ?? 0
  return last >= revision
    ? []
    : [{ rule: 'lost event', what: `the stream of everything ends at ${last} of ${revision}` }]
}

/** What the stream of everything shows of itself, where no order explains it. */
function logAlone({ log }: History): Violation[] {
  const revisions = log.items.filter(({ item }) => item.kind === 'revision').map(({ item }) => item.revision)
  return revisions.flatMap((revision, index) => {
    const before = revisions[index - 1] ?? 0
    if (revision > before) return []
    const rule = revision === before ? 'repeated event' : 'reordered event'
    return [{ rule, what: `the stream of everything tells revision ${revision} after ${before}` }]
  })
}
