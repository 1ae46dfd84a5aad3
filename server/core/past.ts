import type { Command } from './command.ts'
import type { EndedBy, Event, Past } from './event.ts'
import { pageOf, slotOf } from './id-pages.ts'
import { NO_SPID } from './ids.ts'
import { AGED, BOUND, forEachId, PLAIN, type Runs, UNBOUND } from './runs.ts'
import type { State } from './state.ts'

/**
 * The log as an index of itself: who had an id when. Beside each event stands where the past of its ids goes on, so that
 * their lives can be read backwards, an entry for each step, however long the log is. Nothing is decided by it.
 *
 *   event     its past, for runs of ids           which leads to
 *   ALLOC     [first, count, reclaim]             the RECLAIM of the life before; left out where there is none
 *   BIND      [first, count, unbind]              the UNBIND before it in the same life; left out where there is none
 *   UNBIND    [first, count, boundWallMs]         (the BIND is named by the event itself)
 *   RECLAIM   [first, count, unbind, allocatedWallMs, endedBy]   the last UNBIND of the life, 0: none
 */

/** How endedBy is written. */
export const ENDED_BY: readonly EndedBy[] = ['OWNER', 'LEASE', 'OPERATOR']

/** Who frees what a command frees. */
export function endedBy({ kind }: Command): EndedBy {
  if (kind === 'force_delete_set' || kind === 'force_revoke_lease') return 'OPERATOR'
  return kind === 'expire_lease' || kind === 'revoke_lease' ? 'LEASE' : 'OWNER'
}

/** What to write beside events that are about to change this state: only what says something. */
export function pastOf(
  state: State,
  events: readonly Event[],
  by: EndedBy,
): { readonly by?: EndedBy; readonly past?: Past } {
  const past = events.map((event) => pastOfEvent(state, event, by))
  const hasPast = past.some((runs) => runs.length > 0)
  return { ...(by === 'OWNER' ? {} : { by }), ...(hasPast ? { past } : {}) }
}

function pastOfEvent(state: State, event: Event, by: EndedBy): Runs {
  const past: number[] = []
  switch (event.kind) {
    case 'ALLOC':
      forEachId(event.runs, PLAIN, (id) => {
        const reclaim = pageOf(state.table, id)?.since[slotOf(id)] ?? 0
        if (reclaim > 0) extend(past, id, [reclaim])
      })
      break
    case 'BIND':
      forEachId(event.runs, BOUND, (id) => {
        const unbind = lastUnbind(state, id) ?? 0
        if (unbind > 0) extend(past, id, [unbind])
      })
      break
    case 'UNBIND':
      forEachId(event.runs, UNBOUND, (id) => {
        extend(past, id, [pageOf(state.table, id)?.boundAt[slotOf(id)] ?? 0])
      })
      break
    case 'RECLAIM':
      forEachId(event.runs, AGED, (id) => {
        const page = pageOf(state.table, id)
        const freedBy = page?.pending.get(id)?.by ?? by
        const allocatedWallMs = page?.allocatedAt[slotOf(id)] ?? 0
        // One that is bound until now is unbound by this very entry.
        const unbind = lastUnbind(state, id) ?? state.revision + 1
        extend(past, id, [unbind, allocatedWallMs, ENDED_BY.indexOf(freedBy)])
      })
      break
  }
  return past
}

/** The last UNBIND of the life that an id is in; 0: there was none; undefined: it is bound. */
export function lastUnbind(state: State, id: number): number | undefined {
  const page = pageOf(state.table, id)
  const slot = slotOf(id)
  if (page === undefined || page.setId[slot] === 0) return 0
  // Freed while it had a SPID, which it keeps, it was unbound then.
  return page.spid[slot] === NO_SPID ? page.bound[slot] : page.pending.get(id)?.revision
}

function extend(runs: number[], id: number, attributes: readonly number[]): void {
  const last = runs.length - attributes.length - 2
  const follows =
    last >= 0 &&
    (runs[last] ?? 0) + (runs[last + 1] ?? 0) === id &&
    attributes.every((value, index) => runs[last + 2 + index] === value)
  if (follows) runs[last + 1] = (runs[last + 1] ?? 0) + 1
  else runs.push(id, 1, ...attributes)
}
