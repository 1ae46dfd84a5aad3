import type { LeaseTerms, Names, Priority } from './event.ts'
import { countReferences, type Holder, holdersOf, impliedHold, impliedHolders, isBound } from './holds.ts'
import type { Hold, Reference } from './id-pages.ts'
import {
  asIoasid,
  asSpid,
  type Ioasid,
  type LeaseId,
  NO_LEASE,
  NO_SPID,
  type Revision,
  type SetId,
  type Spid,
} from './ids.ts'
import { type IdRecord, type LeaseRecord, referencesOf, type SetRecord, type State } from './state.ts'

/** What is shown of a set: contract section 4, `Set`, without the handle, which only the edge can compute. */
export interface SetView {
  readonly setId: SetId
  readonly token: string
  readonly quota: number
  readonly allocated: number
  readonly freePending: number
  readonly bound: number
  readonly state: 'ACTIVE' | 'DRAINING' | 'GONE'
  readonly leaseId: LeaseId | undefined
  readonly createRevision: Revision
  /** The identity that created it; empty: not known. Answers that were kept by earlier releases have none. */
  readonly owner: string
}

export function viewSet(set: SetRecord): SetView {
  const { setId, token, quota, ids, bound, freePending, isDraining, leaseId, createRevision, owner } = set
  const state = isDraining ? 'DRAINING' : 'ACTIVE'
  const ownLease = leaseId === NO_LEASE ? undefined : leaseId
  const counts = { allocated: ids.count, freePending, bound }
  return { setId, token, quota, ...counts, state, leaseId: ownLease, createRevision, owner }
}

/** What is shown of an allocated id: contract section 4, `IoasidInfo`. */
export interface IoasidView {
  readonly ioasid: Ioasid
  readonly setId: SetId
  readonly token: string
  readonly spid: Spid | undefined
  readonly state: 'IDLE' | 'ACTIVE' | 'FREE_PENDING'
  readonly references: number
  readonly generation: Revision
  readonly bindRevision: Revision | undefined
  readonly devices: readonly string[]
  /** This and the holders are for who presented the set's handle; the edge leaves them out for everybody else. */
  readonly privateData: Uint8Array | undefined
  readonly holders: readonly HolderView[]
}

export interface HolderView extends Reference {
  readonly name: string
  /** The latest teardown that its hold has yet to acknowledge. */
  readonly awaiting: Revision | undefined
}

export function viewIoasid(state: State, id: number, record: IdRecord): IoasidView {
  const hasSpid = record.spid !== NO_SPID
  const set = state.sets.get(record.setId)
  const holders = set === undefined ? [] : holdersOf(state, set)
  const references = countReferences(record, holders)
  return {
    ioasid: asIoasid(id),
    setId: record.setId,
    token: set?.token ?? '',
    spid: hasSpid ? asSpid(record.spid) : undefined,
    state: record.isPending ? 'FREE_PENDING' : hasSpid || references > 0 ? 'ACTIVE' : 'IDLE',
    references,
    generation: record.generation,
    bindRevision: hasSpid ? record.bindRevision : undefined,
    devices: record.devices,
    privateData: record.data,
    holders: viewHolders(state, record, holders),
  }
}

/** By lease ascending: what it acquired and what its hold has, together. */
function viewHolders(state: State, record: IdRecord, holders: readonly Holder[]): readonly HolderView[] {
  const implied = impliedHolders(record, holders).map((holder) => impliedHold(holder, record))
  const views = new Map<LeaseId, HolderView>()
  for (const hold of [...record.holds, ...implied]) {
    const awaiting = isBound(record) ? undefined : hold.awaiting
    views.set(hold.leaseId, { ...reference(hold), name: nameOf(state, hold.leaseId), awaiting })
  }
  for (const acquired of record.references) {
    const hold = views.get(acquired.leaseId)
    const first = hold !== undefined && hold.sinceRevision < acquired.sinceRevision ? hold : acquired
    const { sinceRevision, sinceWallMs } = first
    const count = acquired.count + (hold?.count ?? 0)
    const own = { name: nameOf(state, acquired.leaseId), awaiting: hold?.awaiting }
    views.set(acquired.leaseId, { leaseId: acquired.leaseId, count, sinceRevision, sinceWallMs, ...own })
  }
  return [...views.values()].sort((a, b) => a.leaseId - b.leaseId)
}

function reference({ leaseId, sinceRevision, sinceWallMs }: Hold): Reference {
  return { leaseId, count: 1, sinceRevision, sinceWallMs }
}

function nameOf(state: State, leaseId: LeaseId): string {
  return state.leases.get(leaseId)?.name ?? ''
}

/** What is shown of a lease: contract section 4, `Lease`, without the handle and what remains of its time. */
export interface LeaseView extends LeaseTerms {
  readonly leaseId: LeaseId
  /** The identity that it was granted to; empty: not known, as of a set. */
  readonly owner: string
  readonly references: number
  readonly sets: number
  readonly state: 'ALIVE' | 'HELD'
  readonly hold: HoldView | undefined
}

/** What is shown of a registration: contract section 4, `Hold`. */
export interface HoldView {
  readonly names: Names
  readonly priority: Priority
  readonly registerRevision: Revision
  readonly acknowledged: Revision
}

export function viewLease(state: State, lease: LeaseRecord): LeaseView {
  const { leaseId, owner, name, ttlMs, onExpiry, isHeld } = lease
  const references = referencesOf(lease)
  const sets = state.setsOfLease.get(leaseId)?.size ?? 0
  const hold = viewHold(lease)
  return { leaseId, owner, name, ttlMs, onExpiry, references, sets, state: isHeld ? 'HELD' : 'ALIVE', hold }
}

function viewHold({ holding }: LeaseRecord): HoldView | undefined {
  if (holding === null || holding.names === null) return undefined
  const { names, priority, sinceRevision, acknowledged } = holding
  return { names, priority, registerRevision: sinceRevision, acknowledged }
}
