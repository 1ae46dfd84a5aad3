import type { Command } from './command.ts'
import type { EndedBy, Event, Past } from './event.ts'
import { forEachTwins, type IdPage, pageOf, slotOf } from './id-pages.ts'
import { NO_SPID } from './ids.ts'
import { AGED, appendAged, BOUND, fitted, forEachRun, PLAIN, type Runs, type Stride, UNBOUND } from './runs.ts'
import type { State } from './state.ts'

/**
 * The log as an index of itself: who had an id when. Beside each event stands where the past of its ids goes on, so that
 * their lives can be read backwards, an entry for each step, however long the log is. Nothing is decided by it.
 *
 *   event     its past, for runs of ids           which leads to
 *   ALLOC     [first, count, reclaim]             the RECLAIM of the life before; left out where there is none
 *   BIND      [first, count, unbind]              the UNBIND before it in the same life; left out where there is none
 *   UNBIND    [first, count, boundWallMs]         (the BIND is named by the event itself)
 *   RECLAIM   [first, count, unbind, allocatedWallMs, freed]   the last UNBIND of the life, 0: none; who freed it, and when
 */

/** How endedBy is written. */
const ENDED_BY: readonly EndedBy[] = ['OWNER', 'LEASE', 'OPERATOR']
const KINDS = 4

/** Who freed an id, and the revision of its FREE where that is not the one of its RECLAIM (else 0), as one number. */
function writeFreed({ by, revision }: PastFree): number {
  return revision * KINDS + ENDED_BY.indexOf(by)
}

export function readFreed(freed: number): PastFree {
  return { by: ENDED_BY[freed % KINDS] ?? 'OWNER', revision: Math.floor(freed / KINDS) }
}

export interface PastFree {
  readonly by: EndedBy
  readonly revision: number
}

/** Who frees what a command frees. */
export function endedBy({ kind }: Command): EndedBy {
  if (kind === 'force_delete_set' || kind === 'force_revoke_lease') return 'OPERATOR'
  return kind === 'expire_lease' || kind === 'revoke_lease' ? 'LEASE' : 'OWNER'
}

const NOTHING = {}
const NO_RUNS: Runs = []

/** What to write beside events that are about to change this state: only what says something. */
export function pastOf(
  state: State,
  events: readonly Event[],
  by: EndedBy,
): { readonly by?: EndedBy; readonly past?: Past } {
  const past = events.map((event) => pastOfEvent(state, event, by))
  const hasPast = past.some((runs) => runs.length > 0)
  if (by === 'OWNER') return hasPast ? { past } : NOTHING
  return hasPast ? { by, past } : { by }
}

function pastOfEvent(state: State, event: Event, by: EndedBy): Runs {
  const past: number[] = []
  switch (event.kind) {
    case 'ALLOC':
      forEachPast(state, event.runs, PLAIN, (page, first, count) => {
        const reclaim = page.since[slotOf(first)] ?? 0
        if (reclaim > 0) appendAged(past, first, reclaim, count)
      })
      break
    case 'BIND':
      forEachPast(state, event.runs, BOUND, (_page, first, count) => {
        const unbind = lastUnbind(state, first) ?? 0
        if (unbind > 0) appendAged(past, first, unbind, count)
      })
      break
    case 'UNBIND':
      forEachPast(state, event.runs, UNBOUND, (page, first, count) => {
        appendAged(past, first, page.boundAt[slotOf(first)] ?? 0, count)
      })
      break
    case 'RECLAIM':
      forEachPast(state, event.runs, AGED, (page, first, count) => {
        const freed = writeFreed(page.pending.get(first) ?? { by, revision: 0 })
        const allocatedWallMs = page.allocatedAt[slotOf(first)] ?? 0
        // One that is bound until now is unbound by this very entry.
        const unbind = lastUnbind(state, first) ?? state.revision + 1
        appendEnded(past, first, count, [unbind, allocatedWallMs, freed])
      })
      break
  }
  return past.length === 0 ? NO_RUNS : fitted(past)
}

/** The last UNBIND of the life that an id is in; 0: there was none; undefined: it is bound. */
export function lastUnbind(state: State, id: number): number | undefined {
  const page = pageOf(state.table, id)
  const slot = slotOf(id)
  if (page === undefined || page.setId[slot] === 0) return 0
  // Freed while it had a SPID, which it keeps, it was unbound then.
  return page.spid[slot] === NO_SPID ? page.bound[slot] : page.pending.get(id)?.revision
}

/** Ids that have the same past are visited together, and those without a page have none. */
function forEachPast(
  { table }: State,
  runs: Runs,
  stride: Stride,
  visit: (page: IdPage, first: number, count: number) => void,
): void {
  forEachRun(runs, stride, (start, length) => {
    forEachTwins(table, start, length, (page, first, count) => {
      if (page !== undefined) visit(page, first, count)
    })
  })
}

function appendEnded(runs: number[], first: number, count: number, attributes: readonly number[]): void {
  const last = runs.length - attributes.length - 2
  const length = runs[last + 1] ?? 0
  const follows =
    last >= 0 &&
    (runs[last] ?? 0) + length === first &&
    attributes.every((value, index) => runs[last + 2 + index] === value)
  if (follows) runs[last + 1] = length + count
  else runs.push(first, count, ...attributes)
}
