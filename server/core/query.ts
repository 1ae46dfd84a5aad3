import type { SetRef } from './command.ts'
import type { Priority } from './event.ts'
import { type Failure, isFailure } from './failure.ts'
import { nextOf } from './id-list.ts'
import type { LeaseId, Revision, SetId, Spid } from './ids.ts'
import { findOwnId, ioasidNotFound, leaseNotFound, resolveSet, setNotFound } from './lookup.ts'
import { findSpid } from './reference-rules.ts'
import { countResting } from './rest.ts'
import { findId, type HoldIds, type LeaseRecord, type SetRecord, type State, unreserved } from './state.ts'
import { type IoasidView, type LeaseView, type SetView, viewIoasid, viewLease, viewSet } from './view.ts'

/** The reads: contract section 4. Each costs the same at any size, a page of ids as much as it holds; a page
 * of sets looks at every set. */

export function getSet(state: State, ref: SetRef): SetView | Failure {
  const set = resolveSet(state, ref)
  return set === undefined ? setNotFound() : viewSet(set)
}

export interface Page<Item> {
  readonly items: readonly Item[]
  /** Whether more may follow. */
  readonly more: boolean
}

/**
 * Live sets by number, those after `after` whose token begins with the prefix and that are seen; anonymous ones only with
 * an empty prefix.
 */
export function listSets(
  state: State,
  prefix: string,
  after: SetId,
  limit: number,
  isSeen: (set: SetRecord) => boolean = () => true,
): Page<SetView> {
  const items: SetView[] = []
  // The map is in the order of creation, so of numbers: a deletion never reorders it.
  for (const set of state.sets.values()) {
    if (set.setId <= after || !set.token.startsWith(prefix) || !isSeen(set)) continue
    if (items.length === limit) return { items, more: true }
    items.push(viewSet(set))
  }
  return { items, more: false }
}

/** With a set (presented by its handle), the id must be that set's. */
export function getIoasid(state: State, ioasid: number, presented: SetId | undefined): IoasidView | Failure {
  if (presented !== undefined && !state.sets.has(presented)) return setNotFound()
  const record = presented === undefined ? findId(state.table, ioasid) : findOwnId(state, presented, ioasid)
  if (record === undefined) return ioasidNotFound(ioasid)
  if (isFailure(record)) return record
  return viewIoasid(state, ioasid, record)
}

export function findBySpid(state: State, ref: SetRef, spid: Spid): IoasidView | Failure {
  const set = resolveSet(state, ref)
  if (set === undefined) return setNotFound()
  const ioasid = findSpid(state, set, spid)
  if (typeof ioasid !== 'number') return ioasid
  return getIoasid(state, ioasid, undefined)
}

export function getLease(state: State, leaseId: LeaseId): LeaseView | Failure {
  const lease = state.leases.get(leaseId)
  return lease === undefined ? leaseNotFound() : viewLease(state, lease)
}

/** By number, ascending, those that are seen; a page looks at every lease. */
export function listLeases(
  state: State,
  after: LeaseId,
  limit: number,
  isSeen: (lease: LeaseRecord) => boolean = () => true,
): Page<LeaseView> {
  const items: LeaseView[] = []
  for (const lease of state.leases.values()) {
    if (lease.leaseId <= after || !isSeen(lease)) continue
    if (items.length === limit) return { items, more: true }
    items.push(viewLease(state, lease))
  }
  return { items, more: false }
}

/** Where a page of ids ends: the order is that of (generation, ioasid), which no later change disturbs. */
export interface IdCursor {
  readonly generation: number
  readonly ioasid: number
}

export const BEFORE_ALL: IdCursor = { generation: 0, ioasid: 0 }

export function listIoasids(state: State, ref: SetRef, after: IdCursor, limit: number): Page<IoasidView> | Failure {
  const set = resolveSet(state, ref)
  if (set === undefined) return setNotFound()
  const items: IoasidView[] = []
  for (let id = firstAfter(state, set, after); id !== 0; id = nextOf(state.table, id)) {
    const record = findId(state.table, id)
    if (record === undefined) throw new Error(`IOASID ${id} is on the list of set ${set.setId} but not allocated`)
    if (items.length === limit) return { items, more: true }
    items.push(viewIoasid(state, id, record))
  }
  return { items, more: false }
}

/** Straight on from where the last page ended; only if that id was freed meanwhile, the list is searched for its place. */
function firstAfter(state: State, set: SetRecord, { generation, ioasid }: IdCursor): number {
  const last = findId(state.table, ioasid)
  if (last?.setId === set.setId && last.generation === generation) return nextOf(state.table, ioasid)
  let id = set.ids.first
  for (; id !== 0; id = nextOf(state.table, id)) {
    const since = findId(state.table, id)?.generation ?? 0
    if (since > generation || (since === generation && id > ioasid)) break
  }
  return id
}

export interface Status {
  readonly capacity: number
  readonly reserved: number
  readonly available: number
  readonly sets: number
  readonly allocated: number
  readonly freePending: number
  readonly resting: number
  readonly leases: number
  readonly revision: Revision
}

export function status(state: State): Status {
  return {
    capacity: state.config.capacity,
    reserved: state.reservedByQuotas,
    available: unreserved(state),
    sets: state.sets.size,
    allocated: state.allocated,
    freePending: state.freePending,
    resting: countResting(state),
    leases: state.leases.size,
    revision: state.revision,
  }
}

/** Counts for an operator that no RPC tells. */
export interface Counts {
  /** Ids that configuration leaves to hand out at all. */
  readonly usable: number
  /** Ids with a SPID attached, pending ones not counted. */
  readonly bound: number
  /** Pairs of an id and a lease that holds it. */
  readonly references: number
  readonly privateDataBytes: number
  /** Leases that have a teardown to acknowledge. */
  readonly waitingHolders: number
  /** The revision of the teardown that is awaited longest; undefined: none is. */
  readonly oldestTeardown: Revision | undefined
}

/** Looks at every lease that has something to acknowledge, and at one id of each. */
export function counts(state: State): Counts {
  const { usable, bound, references, privateDataBytes } = state
  const awaited = [...state.holdIds].map(([leaseId, ids]) => oldestAwaited(state, leaseId, ids))
  const revisions = awaited.filter((revision) => revision !== undefined)
  const oldestTeardown = revisions.reduce<Revision | undefined>((a, b) => (a !== undefined && a < b ? a : b), undefined)
  return { usable, bound, references, privateDataBytes, waitingHolders: revisions.length, oldestTeardown }
}

/** The first of those that it awaits is the one that was torn down least recently. */
function oldestAwaited({ table }: State, leaseId: LeaseId, { awaited }: HoldIds): Revision | undefined {
  for (const id of awaited) {
    const hold = findId(table, id)?.holds.find((known) => known.leaseId === leaseId)
    if (hold === undefined) throw new Error(`lease ${leaseId} awaits IOASID ${id} without a hold`)
    return hold.awaiting
  }
  return undefined
}

/** A lease that has teardowns to acknowledge. */
export interface WaitingHolder {
  readonly leaseId: LeaseId
  readonly priority: Priority
  /** Ids that wait for it. */
  readonly ids: number
  /** Of the teardown that it has to acknowledge first. */
  readonly revision: Revision
}

/** Those whose first teardown is the oldest, at most so many, in this order. Looks at every lease that waits. */
export function waitingHolders(state: State, limit: number): readonly WaitingHolder[] {
  const found: WaitingHolder[] = []
  for (const [leaseId, ids] of state.holdIds) {
    const revision = oldestAwaited(state, leaseId, ids)
    const holding = state.leases.get(leaseId)?.holding
    if (revision === undefined || !holding) continue
    found.push({ leaseId, priority: holding.priority, ids: ids.awaited.size, revision })
  }
  return found.sort((a, b) => a.revision - b.revision || a.leaseId - b.leaseId).slice(0, limit)
}

/** A set by its number alone: names are for those who may see them. */
export interface SetUse {
  readonly setId: SetId
  readonly quota: number
  readonly allocated: number
  readonly freePending: number
}

/** The sets that have the most ids, at most so many, the fullest first. Looks at every set. */
export function fullestSets(state: State, limit: number): readonly SetUse[] {
  const found: SetRecord[] = []
  for (const set of state.sets.values()) {
    if (found.length === limit && set.ids.count <= (found.at(-1)?.ids.count ?? 0)) continue
    const place = found.findIndex(({ ids }) => ids.count < set.ids.count)
    found.splice(place < 0 ? found.length : place, 0, set)
    if (found.length > limit) found.pop()
  }
  return found.map(({ setId, quota, ids, freePending }) => ({ setId, quota, allocated: ids.count, freePending }))
}

/** Whether a handle's set lives, or ended at a revision that the log still holds. */
export function isKnownSet(state: State, setId: SetId): boolean {
  return state.sets.has(setId) || state.endedSets.revisions.has(setId)
}
