import type { LeaseRecord, SetRecord } from './state.ts'

/**
 * Records as they are but for what changes. Written out, since each replaces one that replaced another: V8 takes a spread of
 * what was a spread itself for something new every time, and one of a set was a fifth of what a small change costs.
 */

type SetChanges = Partial<Pick<SetRecord, 'quota' | 'ids' | 'bound' | 'freePending' | 'isDraining'>>

export function changeSet(set: SetRecord, changes: SetChanges): SetRecord {
  return {
    setId: set.setId,
    token: set.token,
    quota: changes.quota ?? set.quota,
    ids: changes.ids ?? set.ids,
    bound: changes.bound ?? set.bound,
    freePending: changes.freePending ?? set.freePending,
    isDraining: changes.isDraining ?? set.isDraining,
    leaseId: set.leaseId,
    createRevision: set.createRevision,
    owner: set.owner,
  }
}

type LeaseChanges = Partial<Pick<LeaseRecord, 'isHeld' | 'references' | 'holding'>>

export function changeLease(lease: LeaseRecord, changes: LeaseChanges): LeaseRecord {
  return {
    name: lease.name,
    ttlMs: lease.ttlMs,
    onExpiry: lease.onExpiry,
    leaseId: lease.leaseId,
    owner: lease.owner,
    isHeld: changes.isHeld ?? lease.isHeld,
    references: changes.references ?? lease.references,
    // null is a value, too.
    holding: changes.holding === undefined ? lease.holding : changes.holding,
  }
}
