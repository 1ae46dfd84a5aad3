import type { Event, SetName } from './event.ts'
import { type FrozenIds, pageOf, type Reference, slotOf } from './id-pages.ts'
import { type LeaseId, NO_LEASE, NO_SPID, type SetId } from './ids.ts'
import { nameOf } from './lookup.ts'
import { appendAged, appendUnbound } from './runs.ts'
import type { SetRecord, State } from './state.ts'

/**
 * The end of ids, of references and of sets, in one revision, as events. A SPID is detached first, whoever asked for the
 * end (the kernel's code lost UNBIND when an id was reclaimed). An id that somebody still has references to is pending;
 * the others return to the space at once. A set that ends is gone with its last id.
 */
export interface Teardown {
  /** Frees ids of a set; one that is pending already is freed no second time. */
  free(set: SetRecord, ids: Iterable<number>): void
  /** The references that this teardown drops were the last ones of a pending id, or some of several. */
  release(set: SetRecord, id: number): void
  /** Deletes a set, all of whose ids were freed. */
  end(set: SetRecord): void
  /** How many ids of a set it returns to the space. */
  reclaimedOf(setId: SetId): number
  /** What it comes to: per id UNBIND, FREE, RECLAIM; SET_FREE last of all. */
  events(): readonly Event[]
}

interface PerSet {
  readonly set: SetRecord
  readonly unbound: number[]
  readonly unboundPending: number[]
  readonly freed: number[]
  readonly freedPending: number[]
  readonly reclaimed: number[]
  reclaimedCount: number
  ends: boolean
}

/** References that go with it: all of one lease's, or one of one lease's to one id. */
export type Dropped =
  | { readonly leaseId: LeaseId; readonly ioasid?: undefined }
  | { readonly leaseId: LeaseId; readonly ioasid: number }

const NOTHING: Dropped = { leaseId: NO_LEASE }

export function planTeardown(state: State, dropped: Dropped = NOTHING): Teardown {
  const sets = new Map<SetId, PerSet>()
  const of = (set: SetRecord): PerSet => {
    const known = sets.get(set.setId)
    if (known !== undefined) return known
    const begun: PerSet = {
      set,
      unbound: [],
      unboundPending: [],
      freed: [],
      freedPending: [],
      reclaimed: [],
      reclaimedCount: 0,
      ends: set.isDraining,
    }
    sets.set(set.setId, begun)
    return begun
  }

  const reclaim = (plan: PerSet, id: number, generation: number) => {
    appendAged(plan.reclaimed, id, generation)
    plan.reclaimedCount += 1
  }

  return {
    free: (set, ids) => {
      const plan = of(set)
      for (const id of ids) {
        const { page, slot } = placeOf(state.table, id)
        const generation = page.since[slot] ?? 0
        const stays = isHeld(page.references.get(id), id, dropped)
        if (!page.pending.has(id)) {
          const spid = page.spid[slot] ?? NO_SPID
          const bindRevision = page.bound[slot] ?? 0
          if (spid !== NO_SPID) {
            appendUnbound(stays ? plan.unboundPending : plan.unbound, id, spid, generation, bindRevision)
          }
          appendAged(stays ? plan.freedPending : plan.freed, id, generation)
        }
        if (!stays) reclaim(plan, id, generation)
      }
    },
    release: (set, id) => {
      const { page, slot } = placeOf(state.table, id)
      if (!page.pending.has(id) || isHeld(page.references.get(id), id, dropped)) return
      reclaim(of(set), id, page.since[slot] ?? 0)
    },
    end: (set) => {
      of(set).ends = true
    },
    reclaimedOf: (setId) => sets.get(setId)?.reclaimedCount ?? 0,
    events: () => {
      const plans = [...sets.values()]
      return [...plans.flatMap(idEvents), ...plans.flatMap(endEvents)]
    },
  }
}

function idEvents(plan: PerSet): readonly Event[] {
  const set: SetName = nameOf(plan.set)
  const events: Event[] = [
    { kind: 'UNBIND', set, runs: plan.unbound, pending: false },
    { kind: 'UNBIND', set, runs: plan.unboundPending, pending: true },
    { kind: 'FREE', set, runs: plan.freed, pending: false },
    { kind: 'FREE', set, runs: plan.freedPending, pending: true },
    { kind: 'RECLAIM', set, runs: plan.reclaimed },
  ]
  return events.filter((event) => 'runs' in event && event.runs.length > 0)
}

function endEvents({ set, ends, reclaimedCount }: PerSet): readonly Event[] {
  if (!ends) return []
  if (reclaimedCount === set.ids.count) return [{ kind: 'SET_FREE', set: nameOf(set) }]
  return set.isDraining ? [] : [{ kind: 'SET_DRAIN', set: nameOf(set) }]
}

/** Whether references are left when those that are dropped have gone. */
function isHeld(references: readonly Reference[] | undefined, id: number, dropped: Dropped): boolean {
  if (references === undefined) return false
  return references.some(({ leaseId, count }) => {
    if (leaseId !== dropped.leaseId) return true
    return dropped.ioasid !== undefined && (dropped.ioasid !== id || count > 1)
  })
}

function placeOf(table: FrozenIds, id: number) {
  const page = pageOf(table, id)
  if (page === undefined) throw new Error(`IOASID ${id} is to end but was never allocated`)
  return { page, slot: slotOf(id) }
}
