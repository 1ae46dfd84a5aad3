import type { Event, SetName } from './event.ts'
import { type FrozenIds, pageOf, slotOf } from './id-pages.ts'
import { NO_SPID } from './ids.ts'
import { appendAged, appendUnbound } from './runs.ts'

/**
 * The end of some ids of one set, as events: a SPID is detached first, whoever asked for the end (the kernel's code lost
 * UNBIND when an id was reclaimed). No holder exists yet that could keep an id from being reclaimed, so FREE and RECLAIM
 * are of one revision.
 */
export function endingOf(table: FrozenIds, set: SetName, ids: Iterable<number>): readonly Event[] {
  const unbound: number[] = []
  const freed: number[] = []
  for (const id of ids) {
    const page = pageOf(table, id)
    if (page === undefined) throw new Error(`IOASID ${id} is to end but was never allocated`)
    const slot = slotOf(id)
    const spid = page.spid[slot] ?? NO_SPID
    const generation = page.since[slot] ?? 0
    if (spid !== NO_SPID) appendUnbound(unbound, id, spid, generation, page.bound[slot] ?? 0)
    appendAged(freed, id, generation)
  }
  const events: Event[] = []
  if (unbound.length > 0) events.push({ kind: 'UNBIND', set, runs: unbound })
  if (freed.length > 0) events.push({ kind: 'FREE', set, runs: freed }, { kind: 'RECLAIM', set, runs: freed })
  return events
}
