import type { LeaseTerms } from './event.ts'
import type { Reference } from './id-pages.ts'
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
import { countReferences, type IdRecord, type LeaseRecord, type SetRecord, type State } from './state.ts'

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
}

export function viewSet(set: SetRecord): SetView {
  const { setId, token, quota, bound, freePending, isDraining, leaseId, createRevision } = set
  const state = isDraining ? 'DRAINING' : 'ACTIVE'
  const ownLease = leaseId === NO_LEASE ? undefined : leaseId
  return { setId, token, quota, allocated: set.ids.count, freePending, bound, state, leaseId: ownLease, createRevision }
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
}

export function viewIoasid(state: State, id: number, record: IdRecord): IoasidView {
  const isBound = record.spid !== NO_SPID
  const references = countReferences(record)
  return {
    ioasid: asIoasid(id),
    setId: record.setId,
    token: state.sets.get(record.setId)?.token ?? '',
    spid: isBound ? asSpid(record.spid) : undefined,
    state: record.isPending ? 'FREE_PENDING' : isBound || references > 0 ? 'ACTIVE' : 'IDLE',
    references,
    generation: record.generation,
    bindRevision: isBound ? record.bindRevision : undefined,
    devices: record.devices,
    privateData: record.data,
    holders: record.references.map((reference) => ({
      ...reference,
      name: state.leases.get(reference.leaseId)?.name ?? '',
    })),
  }
}

/** What is shown of a lease: contract section 4, `Lease`, without the handle and what remains of its time. */
export interface LeaseView extends LeaseTerms {
  readonly leaseId: LeaseId
  readonly references: number
  readonly sets: number
  readonly state: 'ALIVE' | 'HELD'
}

export function viewLease(state: State, lease: LeaseRecord): LeaseView {
  const { leaseId, name, ttlMs, onExpiry, references, isHeld } = lease
  const sets = state.setsOfLease.get(leaseId)?.size ?? 0
  return { leaseId, name, ttlMs, onExpiry, references, sets, state: isHeld ? 'HELD' : 'ALIVE' }
}
