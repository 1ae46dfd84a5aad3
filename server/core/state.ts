import { type EndedSets, type FrozenEndedSets, freezeEndedSets } from './ended-sets.ts'
import type { LeaseTerms, Names, Priority } from './event.ts'
import type { IdList } from './id-list.ts'
import {
  type FrozenIds,
  freezeIds,
  type Hold,
  type IdPage,
  type IdTable,
  pageOf,
  type Reference,
  slotOf,
} from './id-pages.ts'
import type { IdSpace, Policy } from './id-space.ts'
import { asRevision, asSetId, type LeaseId, NO_SPID, type Revision, type SetId } from './ids.ts'
import type { OwnedCounts } from './owned.ts'
import type { Returning } from './returning.ts'
import { idOfSpid, type SpidIndex } from './spid-index.ts'

/** What an operator chose of the space. Not part of the history: it may differ at every start (reindex.ts). */
export interface SpaceConfig {
  /** Ids 0 … capacity-1. 2 … 16,777,216. */
  readonly capacity: number
  /** Inclusive ranges that are never handed out; id 0 is among them always. */
  readonly reserved: readonly (readonly [first: number, last: number])[]
  readonly policy: Policy
  /** How long an id rests after RECLAIM, in serving time. */
  readonly reuseDelayMs: number
  readonly maxSets: number
  /** Private data of all ids together, bytes. */
  readonly maxPrivateData: number
  readonly maxDevicesPerId: number
  readonly maxLeases: number
  /** (id, lease) pairs with references. */
  readonly maxReferences: number
}

/** A set. Replaced, never changed: a frozen view keeps the record that it saw. */
export interface SetRecord {
  readonly setId: SetId
  readonly token: string
  /** 0: none of its own. */
  readonly quota: number
  readonly ids: IdList
  /** Of its ids: those with a SPID attached, pending ones not counted. */
  readonly bound: number
  /** Of its ids: those that are FREE_PENDING. */
  readonly freePending: number
  /** Deleted; gone with its last RECLAIM. */
  readonly isDraining: boolean
  /** The lease that it ends with, or NO_LEASE. */
  readonly leaseId: LeaseId
  readonly createRevision: Revision
  /** The identity that created it; empty: not known. */
  readonly owner: string
}

/** A lease. Replaced, never changed. When it ends by time is not here: a renewal is no change of the space. */
export interface LeaseRecord extends LeaseTerms {
  readonly leaseId: LeaseId
  /** The identity that it was granted to; empty: not known. */
  readonly owner: string
  /** Its time was over, and its references stay until they are released or acknowledged. */
  readonly isHeld: boolean
  /** The sum of its counts of acquired references. */
  readonly references: number
  /** null: it never held. */
  readonly holding: Holding | null
}

/** What a lease holds by a `hold` subscription. */
export interface Holding {
  /** null: the registration has ended with the lease's time, and what it took stays. */
  readonly names: Names | null
  readonly priority: Priority
  /** Of the registration: revision and wall time. */
  readonly sinceRevision: Revision
  readonly sinceWallMs: number
  /** The highest teardown acknowledged. */
  readonly acknowledged: Revision
  /** How many ids it has a reference to. */
  readonly references: number
}

/**
 * The whole space. Read by decide.ts and query.ts, changed by evolve.ts alone. What can be computed from the table and
 * the sets (the maps, the id space, the list of resting ids) is an index: a snapshot does not hold it (reindex.ts).
 */
export interface State {
  readonly config: SpaceConfig
  revision: Revision
  lastSetId: SetId
  lastLeaseId: LeaseId
  /** The serving time of the newest entry or ripening, ms. */
  servingMs: number
  readonly sets: Map<SetId, SetRecord>
  readonly endedSets: EndedSets
  readonly leases: Map<LeaseId, LeaseRecord>
  readonly table: IdTable

  readonly setsByToken: Map<string, SetId>
  /** By set: its SPIDs. A set without one has no index. */
  readonly spids: Map<SetId, SpidIndex>
  /** By identity: how much it has. */
  readonly owned: OwnedCounts
  /** By lease: the sets that end with it. A lease without one has no entry. */
  readonly setsOfLease: Map<LeaseId, Set<SetId>>
  /** By lease: the ids that it has acquired. A lease without one has no entry. */
  readonly heldIds: Map<LeaseId, Set<number>>
  /** Whose registrations match a set (holds.ts). */
  readonly holders: HolderIndex
  /** By lease: the ids whose references of a hold are remembered. A lease without one has no entry. */
  readonly holdIds: Map<LeaseId, HoldIds>
  space: IdSpace
  resting: IdList
  /** Ids that rest since a restore. */
  returning: Returning
  /** Ids that configuration leaves to hand out at all. */
  usable: number
  /** Sum of all quotas. */
  reservedByQuotas: number
  /** Ids of sets without a quota. */
  unreservedUse: number
  allocated: number
  /** Ids with a SPID attached, pending ones not counted. */
  bound: number
  freePending: number
  privateDataBytes: number
  /** (id, lease) pairs: those of Acquire and those of holds. */
  references: number
}

export interface HolderIndex {
  readonly ofAll: Set<LeaseId>
  readonly byToken: Map<string, Set<LeaseId>>
  readonly bySet: Map<SetId, Set<LeaseId>>
}

export interface HoldIds {
  /** Ids with a teardown to acknowledge, the one that was torn down least recently first. */
  readonly awaited: Set<number>
  /** Ids that are bound and await nothing. */
  readonly live: Set<number>
}

export function isReserved(config: SpaceConfig, id: number): boolean {
  return id === 0 || id >= config.capacity || config.reserved.some(([first, last]) => first <= id && id <= last)
}

/** The largest quota that CreateSet would grant: what neither a quota has reserved nor a set without one has taken. */
export function unreserved(state: State): number {
  return state.usable - state.reservedByQuotas - state.unreservedUse
}

/** The space at one revision, for a reader that takes its time while the writer goes on. */
export interface FrozenState {
  readonly revision: Revision
  readonly lastSetId: SetId
  readonly lastLeaseId: LeaseId
  readonly servingMs: number
  readonly leases: readonly LeaseRecord[]
  readonly sets: readonly SetRecord[]
  readonly endedSets: FrozenEndedSets
  readonly table: FrozenIds
}

export function freeze(state: State): FrozenState {
  return {
    revision: state.revision,
    lastSetId: state.lastSetId,
    lastLeaseId: state.lastLeaseId,
    servingMs: state.servingMs,
    leases: [...state.leases.values()],
    sets: [...state.sets.values()],
    endedSets: freezeEndedSets(state.endedSets),
    table: freezeIds(state.table),
  }
}

/** One id as the rules see it: the columns of an allocated id. */
export interface IdRecord {
  readonly setId: SetId
  readonly generation: Revision
  readonly spid: number
  readonly bindRevision: Revision
  readonly devices: readonly string[]
  readonly data: Uint8Array | undefined
  readonly boundWallMs: number
  readonly references: readonly Reference[]
  readonly holds: readonly Hold[]
  readonly isPending: boolean
}

/** The devices of an id that only the unnamed one binds: by far the most common, and not stored. */
const UNNAMED: readonly string[] = ['']
const NO_DEVICES: readonly string[] = []
const NO_REFERENCES: readonly Reference[] = []
const NO_HOLDS: readonly Hold[] = []

export function readId(page: IdPage, id: number): IdRecord {
  const slot = slotOf(id)
  const spid = page.spid[slot] ?? NO_SPID
  const bindRevision = spid === NO_SPID ? 0 : (page.bound[slot] ?? 0)
  const isPending = page.pending.has(id)
  return {
    setId: asSetId(page.setId[slot] ?? 0),
    generation: asRevision(page.since[slot] ?? 0),
    spid,
    bindRevision: asRevision(bindRevision),
    devices: page.devices.get(id) ?? (bindRevision === 0 || isPending ? NO_DEVICES : UNNAMED),
    data: page.data.get(id),
    boundWallMs: page.boundAt[slot] ?? 0,
    references: page.references.get(id) ?? NO_REFERENCES,
    holds: page.holds.get(id) ?? NO_HOLDS,
    isPending,
  }
}

/** The id if it is allocated; undefined if it is free, reserved or beyond the space. */
export function findId(table: FrozenIds, id: number): IdRecord | undefined {
  const page = pageOf(table, id)
  if (page === undefined || page.setId[slotOf(id)] === 0) return undefined
  return readId(page, id)
}

/** The id that a SPID of a set stands for; undefined if there is none. */
export function ioasidOf({ spids, table }: State, setId: SetId, spid: number): number | undefined {
  const index = spids.get(setId)
  return index === undefined ? undefined : idOfSpid(index, table, spid)
}

/** All of a lease's references, those of its hold too. */
export function referencesOf({ references, holding }: LeaseRecord): number {
  return references + (holding?.references ?? 0)
}
