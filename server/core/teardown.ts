import type { Event, IdEvent, SetName } from './event.ts'
import { type Holder, holdersOf, isBound } from './holds.ts'
import { nextOf } from './id-list.ts'
import { countTwins, PAGE_IDS, pageOf, slotOf } from './id-pages.ts'
import type { LeaseId, SetId } from './ids.ts'
import { nameOf } from './lookup.ts'
import { appendAged, appendUnbound, fitted } from './runs.ts'
import { findId, type IdRecord, type SetRecord, type State } from './state.ts'

/**
 * The end of ids, of references and of sets, in one revision, as events. A SPID is detached first, whoever asked for the
 * end (the kernel's code lost UNBIND when an id was reclaimed). An id that somebody still has references to is pending;
 * the others return to the space at once. A set that ends is gone with its last id.
 */
export interface Teardown {
  /** Frees ids of a set; one that is pending already is freed no second time. */
  free(set: SetRecord, ids: Iterable<number>): void
  /** Frees all ids of a set, in the order of their allocation. */
  freeAll(set: SetRecord): void
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
  /** Who has a reference to each of its bound ids, and keeps it. */
  readonly holders: readonly Holder[]
  readonly unbound: number[]
  readonly unboundPending: number[]
  readonly freed: number[]
  readonly freedPending: number[]
  readonly reclaimed: number[]
  reclaimedCount: number
  ends: boolean
}

/** References that go with it. */
export type Dropped =
  | { readonly kind: 'none' }
  /** One that a lease acquired, of each id that is released. */
  | { readonly kind: 'acquired'; readonly leaseId: LeaseId }
  /** That of a lease's hold, to each id that is released. */
  | { readonly kind: 'settled'; readonly leaseId: LeaseId }
  /** All of a lease's. */
  | { readonly kind: 'lease'; readonly leaseId: LeaseId }

export function planTeardown(state: State, dropped: Dropped = { kind: 'none' }): Teardown {
  const sets = new Map<SetId, PerSet>()
  const of = (set: SetRecord): PerSet => {
    const known = sets.get(set.setId)
    if (known !== undefined) return known
    const begun: PerSet = {
      set,
      holders: holdersOf(state, set).filter(({ leaseId }) => dropped.kind !== 'lease' || leaseId !== dropped.leaseId),
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

  const reclaim = (plan: PerSet, first: number, generation: number, count: number) => {
    appendAged(plan.reclaimed, first, generation, count)
    plan.reclaimedCount += count
  }

  /** `count` twins: what is true of the first is true of all. */
  const freeTwins = (plan: PerSet, first: number, count: number) => {
    const record = mustFind(state, first)
    const { generation, spid, bindRevision, isPending } = record
    const isHeldBound = isBound(record) && plan.holders.length > 0
    const stays = isHeldBound || isHeld(record, dropped)
    if (isBound(record)) {
      appendUnbound(stays ? plan.unboundPending : plan.unbound, first, spid, generation, bindRevision, count)
    }
    if (!isPending) appendAged(stays ? plan.freedPending : plan.freed, first, generation, count)
    if (!stays) reclaim(plan, first, generation, count)
  }

  return {
    free: (set, ids) => {
      const plan = of(set)
      for (const id of ids) freeTwins(plan, id, 1)
    },
    freeAll: (set) => {
      const plan = of(set)
      for (let id = set.ids.first; id !== 0; ) {
        const page = pageOf(state.table, id)
        // Allocated together, twins are neighbours on the list, too.
        const count = page === undefined ? 1 : countTwins(page, id, PAGE_IDS - slotOf(id))
        freeTwins(plan, id, count)
        id = nextOf(state.table, id + count - 1)
      }
    },
    release: (set, id) => {
      const record = mustFind(state, id)
      if (!record.isPending || isHeld(record, dropped)) return
      reclaim(of(set), id, record.generation, 1)
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
  const events: IdEvent[] = [
    { kind: 'UNBIND', set, runs: fitted(plan.unbound), pending: false },
    { kind: 'UNBIND', set, runs: fitted(plan.unboundPending), pending: true },
    { kind: 'FREE', set, runs: fitted(plan.freed), pending: false },
    { kind: 'FREE', set, runs: fitted(plan.freedPending), pending: true },
    { kind: 'RECLAIM', set, runs: fitted(plan.reclaimed) },
  ]
  return events.filter(({ runs }) => runs.length > 0)
}

function endEvents({ set, ends, reclaimedCount }: PerSet): readonly Event[] {
  if (!ends) return []
  if (reclaimedCount === set.ids.count)
    return [{ kind: 'SET_FREE', set: nameOf(set), ...(set.owner === '' ? {} : { owner: set.owner }) }]
  return set.isDraining ? [] : [{ kind: 'SET_DRAIN', set: nameOf(set) }]
}

/** Whether references that are written down are left when those that are dropped have gone. */
function isHeld({ references, holds }: IdRecord, dropped: Dropped): boolean {
  if (dropped.kind === 'none') return references.length + holds.length > 0
  const isOwn = (leaseId: LeaseId) => leaseId === dropped.leaseId
  const isAcquired = references.some(({ leaseId, count }) => {
    const isLast = dropped.kind === 'lease' || (dropped.kind === 'acquired' && count === 1)
    return !(isOwn(leaseId) && isLast)
  })
  if (isAcquired) return true
  return holds.some(({ leaseId }) => dropped.kind === 'acquired' || !isOwn(leaseId))
}

function mustFind(state: State, id: number): IdRecord {
  const record = findId(state.table, id)
  if (record === undefined) throw new Error(`IOASID ${id} is to end but was never allocated`)
  return record
}
