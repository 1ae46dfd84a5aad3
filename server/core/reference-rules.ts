import type { Command, Decision, SetRef } from './command.ts'
import type { Event } from './event.ts'
import { type Failure, fail, isFailure } from './failure.ts'
import { countReferences, holdersOf } from './holds.ts'
import { asIoasid, type Ioasid, type LeaseId, type Spid } from './ids.ts'
import { findAlive, findOwnId, isPendingFree, leaseNotFound, nameOf, resolveSet, setNotFound } from './lookup.ts'
import { findId, type IdRecord, ioasidOf, type LeaseRecord, referencesOf, type SetRecord, type State } from './state.ts'
import { planTeardown } from './teardown.ts'
import { viewIoasid } from './view.ts'

/** The rules of references: contract section 4, Acquire and Release. They are no change of the set: a token will do. */

type Of<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>

export function acquire(state: State, { set: ref, ioasid, leaseId }: Of<'acquire' | 'release'>): Decision {
  const found = findInSet(state, ref, ioasid)
  if (isFailure(found)) return found
  const events = acquiring(state, found, ioasid, leaseId)
  if (isFailure(events)) return events
  return { events, answer: { kind: 'acquired', references: countAll(state, found) + 1 } }
}

export function acquireBySpid(state: State, { set: ref, spid, leaseId }: Of<'acquire_by_spid'>): Decision {
  const set = resolveSet(state, ref)
  if (set === undefined) return setNotFound()
  const ioasid = findSpid(state, set, spid)
  if (typeof ioasid !== 'number') return ioasid
  const record = findId(state.table, ioasid)
  if (record === undefined) throw new Error(`SPID ${spid} of set ${set.setId} leads to IOASID ${ioasid}, which is free`)
  const events = acquiring(state, { set, record }, ioasid, leaseId)
  if (isFailure(events)) return events
  const view = viewIoasid(state, ioasid, record)
  // Private data and holders are not kept with an answer; who wants them reads them.
  const acquired = {
    ...view,
    state: 'ACTIVE',
    references: view.references + 1,
    privateData: undefined,
    holders: [],
  } as const
  return { events, answer: { kind: 'found', view: acquired } }
}

export function release(state: State, { set: ref, ioasid, leaseId }: Of<'acquire' | 'release'>): Decision {
  const found = findInSet(state, ref, ioasid)
  if (isFailure(found)) return found
  const lease = state.leases.get(leaseId)
  if (lease === undefined) return leaseNotFound()
  const { set, record } = found
  if (!record.references.some((reference) => reference.leaseId === leaseId)) {
    return fail('NOT_HELD', `The lease has no reference to IOASID ${ioasid}.`, { ioasid })
  }
  const teardown = planTeardown(state, { kind: 'acquired', leaseId })
  teardown.release(set, ioasid)
  const events: Event[] = [{ kind: 'RELEASE', set: nameOf(set), ioasid, leaseId }]
  // A HELD lease is gone with its last reference.
  if (lease.isHeld && referencesOf(lease) === 1) events.push({ kind: 'LEASE_END', leaseId })
  const references = countAll(state, found) - 1
  const reclaimed = teardown.reclaimedOf(set.setId) > 0
  return { events: [...events, ...teardown.events()], answer: { kind: 'released', references, reclaimed } }
}

/** The id that a SPID stands for. */
export function findSpid(state: State, set: SetRecord, spid: Spid): Ioasid | Failure {
  const ioasid = ioasidOf(state, set.setId, spid)
  if (ioasid !== undefined) return asIoasid(ioasid)
  const message = `Set ${set.setId} has no IOASID with SPID ${spid}.`
  return fail('SPID_NOT_FOUND', message, { set_id: set.setId, spid })
}

interface InSet {
  readonly set: SetRecord
  readonly record: IdRecord
}

function findInSet(state: State, ref: SetRef, ioasid: Ioasid): InSet | Failure {
  const set = resolveSet(state, ref)
  if (set === undefined) return setNotFound()
  const record = findOwnId(state, set.setId, ioasid)
  return isFailure(record) ? record : { set, record }
}

function countAll(state: State, { set, record }: InSet): number {
  return countReferences(record, holdersOf(state, set))
}

function acquiring(state: State, { set, record }: InSet, ioasid: Ioasid, leaseId: LeaseId): readonly Event[] | Failure {
  const lease = findAlive(state, leaseId)
  if (isFailure(lease)) return lease
  if (record.isPending) return isPendingFree(ioasid)
  const refusal = overReferences(state, record, lease)
  return refusal ?? [{ kind: 'ACQUIRE', set: nameOf(set), ioasid, leaseId }]
}

/** What one lease's count for one id may come to. The kernel's refcount_t saturates there, too. */
const MAX_COUNT = 2 ** 31 - 1

function overReferences(state: State, { references }: IdRecord, { leaseId }: LeaseRecord): Failure | undefined {
  const own = references.find((reference) => reference.leaseId === leaseId)
  const limit = own === undefined ? state.config.maxReferences : MAX_COUNT
  const used = own === undefined ? state.references : own.count
  if (used < limit) return undefined
  return fail('TOO_MANY', `There are ${limit} references already.`, { what: 'references', limit })
}
