import type { Command } from '../../server/core/command.ts'
import type { History, Operation } from './history.ts'

/** A moment at which somebody outside knew that a revision was there. */
interface Known {
  readonly atMs: number
  readonly revision: number
}

/** What the clients' clocks say of when each revision came to be. */
export interface Times {
  /** The newest revision that somebody had been told of before this moment. */
  readonly toldBefore: (atMs: number) => number
  /** The newest revision that can have been there at this moment: no later one had been asked for, or was told before. */
  readonly possibleAt: (atMs: number) => number
  /** Not earlier than this did the revision come to be. */
  readonly notBefore: (revision: number) => number
  /** Not later than this. */
  readonly notAfter: (revision: number) => number
}

/** An index into sorted numbers: how many are below the limit. */
function countBelow(sorted: readonly number[], limit: number): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] ?? 0) < limit) low = middle + 1
    else high = middle
  }
  return low
}

/** asked: by revision, when the request that made it was sent; -Infinity: nobody asked, or it is not known who. */
export function timesOf(history: History, asked: readonly number[]): Times {
  const known = knownOf(history).sort((a, b) => a.atMs - b.atMs)
  const momentsMs = known.map(({ atMs }) => atMs)
  const newest = runningMax(known.map(({ revision }) => revision))
  const begun = runningMax(asked)
  const latest = Array.from({ length: history.revision + 1 }, () => Infinity)
  for (const { atMs, revision } of known) latest[revision] = Math.min(latest[revision] ?? Infinity, atMs)
  for (let revision = history.revision - 1; revision >= 0; revision--) {
    latest[revision] = Math.min(latest[revision] ?? Infinity, latest[revision + 1] ?? Infinity)
  }
  return {
    toldBefore: (atMs) => newest[countBelow(momentsMs, atMs) - 1] ?? 0,
    possibleAt: (atMs) => Math.min(history.revision, countBelow(begun, atMs) - 1),
    notBefore: (revision) => begun[revision] ?? -Infinity,
    notAfter: (revision) => latest[revision] ?? Infinity,
  }
}

function knownOf({ operations, streams, revision }: History): Known[] {
  const ofAnswers = operations.flatMap(({ outcome, returnedMs }) =>
    outcome.kind === 'answer' && outcome.revision !== undefined
      ? [{ atMs: returnedMs, revision: outcome.revision }]
      : [],
  )
  const ofStreams = streams.flatMap(({ items }) => items.map(({ atMs, item }) => ({ atMs, revision: item.revision })))
  return [...ofAnswers, ...ofStreams].filter((each) => each.revision <= revision)
}

function runningMax(values: readonly number[]): number[] {
  let highest = -Infinity
  return values.map((value) => {
    highest = Math.max(highest, value)
    return highest
  })
}

/** What always changes something where it succeeds: its revision is its own. */
export const alwaysChanges = ({ kind }: Command): boolean =>
  /^(create_set|allocate|(at|de)tach_.*|acquire.*|release|grant_lease|revoke_lease)$/.test(kind)

/** When each revision was asked for, where its answers leave no doubt who made it. */
export function askedByAnswers(operations: readonly Operation[], last: number): number[] {
  const asked = Array.from({ length: last + 1 }, () => -Infinity)
  for (const { ask, outcome, invokedMs } of operations) {
    if (ask.kind !== 'change' || !alwaysChanges(ask.command)) continue
    if (outcome.kind !== 'answer' || outcome.revision === undefined) continue
    const before = asked[outcome.revision]
    // The same request that is told its answer again is later.
    if (before === undefined) continue
    asked[outcome.revision] = before === -Infinity ? invokedMs : Math.min(before, invokedMs)
  }
  return asked
}
