import type { Caller } from './caller.ts'
import type { Command, Decision } from './command.ts'
import type { Event } from './event.ts'
import { fail, isFailure } from './failure.ts'
import { asLeaseId, type LeaseId, type SetId } from './ids.ts'
import { findAlive, leaseNotFound } from './lookup.ts'
import { overOwn } from './owned.ts'
import { findId, type LeaseRecord, referencesOf, type SetRecord, type State } from './state.ts'
import { planTeardown } from './teardown.ts'
import { viewLease } from './view.ts'

/** The rules of leases: contract section 4, LeaseService. When a lease's time is over is the engine's to say. */

type Of<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>

export function grantLease(state: State, { terms }: Of<'grant_lease'>, caller: Caller): Decision {
  const limit = state.config.maxLeases
  if (state.leases.size >= limit)
    return fail('TOO_MANY', `There are ${limit} leases already.`, { what: 'leases', limit })
  const tooMany = overOwn(state, caller, caller.identity, 'leases', 1)
  if (tooMany !== undefined) return tooMany
  const leaseId = asLeaseId(state.lastLeaseId + 1)
  const lease: LeaseRecord = { ...terms, leaseId, owner: caller.identity, isHeld: false, references: 0, holding: null }
  return {
    events: [{ kind: 'LEASE_GRANT', leaseId, terms }],
    answer: { kind: 'lease', lease: viewLease(state, lease) },
  }
}

/** Only of a HELD lease is it a change; its sets stay gone. */
export function reviveLease(state: State, { leaseId }: Of<'revive_lease'>): Decision {
  const lease = state.leases.get(leaseId)
  if (lease === undefined) return leaseNotFound()
  const view = viewLease(state, { ...lease, isHeld: false })
  return { events: lease.isHeld ? [{ kind: 'LEASE_REVIVE', leaseId }] : [], answer: { kind: 'lease', lease: view } }
}

/** Drops references in any case. */
export function revokeLease(state: State, { leaseId }: Of<'revoke_lease' | 'force_revoke_lease'>): Decision {
  const lease = state.leases.get(leaseId)
  if (lease === undefined) return leaseNotFound()
  return { events: endLease(state, lease, true), answer: { kind: 'done' } }
}

/** A held lease has no time left that could be over. */
export function expireLease(state: State, { leaseId }: Of<'expire_lease'>): Decision {
  const lease = findAlive(state, leaseId)
  if (isFailure(lease)) return lease
  const drops = lease.onExpiry === 'RELEASE' || referencesOf(lease) === 0
  return { events: endLease(state, lease, drops), answer: { kind: 'done' } }
}

/** Its sets are deleted with force; its references go too, or stay with a HELD lease. */
function endLease(state: State, { leaseId }: LeaseRecord, drops: boolean): readonly Event[] {
  const teardown = planTeardown(state, drops ? { kind: 'lease', leaseId } : { kind: 'none' })
  const ownSets = state.setsOfLease.get(leaseId) ?? new Set<SetId>()
  for (const set of setsOf(state, ownSets)) {
    teardown.freeAll(set)
    teardown.end(set)
  }
  for (const { set, id } of drops ? idsHeldBy(state, leaseId) : []) {
    if (!ownSets.has(set.setId)) teardown.release(set, id)
  }
  // First, so that what follows finds the references gone.
  return [{ kind: drops ? 'LEASE_END' : 'LEASE_HELD', leaseId }, ...teardown.events()]
}

function* setsOf(state: State, setIds: Iterable<SetId>): Generator<SetRecord> {
  for (const setId of setIds) {
    const set = state.sets.get(setId)
    if (set !== undefined) yield set
  }
}

/** Ascending: the index is in the order of acquiring, or after a restart in another, and the decision must not tell them apart. */
function* idsHeldBy(state: State, leaseId: LeaseId): Generator<{ readonly set: SetRecord; readonly id: number }> {
  // What a hold has to bound ids needs no look: none of them is pending.
  const all = new Set([...(state.heldIds.get(leaseId) ?? []), ...(state.holdIds.get(leaseId)?.awaited ?? [])])
  const ids = [...all].sort((a, b) => a - b)
  for (const id of ids) {
    const record = findId(state.table, id)
    const set = record === undefined ? undefined : state.sets.get(record.setId)
    if (set !== undefined) yield { set, id }
  }
}
