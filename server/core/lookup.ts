import type { SetRef } from './command.ts'
import type { SetName } from './event.ts'
import { type Failure, fail } from './failure.ts'
import type { LeaseId, SetId } from './ids.ts'
import { findId, type IdRecord, type LeaseRecord, type SetRecord, type State } from './state.ts'

/** The first checks of every rule: the set, then whose the id is. */

export function findSet(state: State, setId: SetId): SetRecord | Failure {
  return state.sets.get(setId) ?? setNotFound()
}

/** Says nothing of what was asked for: a handle is a secret, and a token that names no set may be somebody's guess. */
export function setNotFound(): Failure {
  return fail('SET_NOT_FOUND', 'No such set.')
}

/** The id, if it is this set's. Whose else it is, and in which state, is not told (contract 2.7). */
export function findOwnId(state: State, setId: SetId, id: number): IdRecord | Failure {
  const record = findId(state.table, id)
  if (record === undefined) return ioasidNotFound(id)
  if (record.setId !== setId) return fail('WRONG_SET', `IOASID ${id} belongs to another set.`, { ioasid: id })
  return record
}

export function ioasidNotFound(id: number): Failure {
  return fail('IOASID_NOT_FOUND', `IOASID ${id} is not allocated.`, { ioasid: id })
}

export function nameOf({ setId, token }: SetRecord): SetName {
  return { setId, token }
}

/** The live set of a token or a number. An anonymous set has no token to be found by. */
export function resolveSet(state: State, ref: SetRef): SetRecord | undefined {
  if ('setId' in ref) return state.sets.get(ref.setId)
  const setId = state.setsByToken.get(ref.token)
  return setId === undefined ? undefined : state.sets.get(setId)
}

/** A lease that is alive: a HELD one may release and acknowledge, and nothing else. */
export function findAlive(state: State, leaseId: LeaseId): LeaseRecord | Failure {
  const lease = state.leases.get(leaseId)
  return lease === undefined || lease.isHeld ? leaseNotFound() : lease
}

export function leaseNotFound(): Failure {
  return fail('LEASE_NOT_FOUND', 'No such lease.')
}

export function drains(set: SetRecord): Failure {
  return fail('SET_DRAINING', `Set ${set.setId} is deleted and waits for its pending ids.`, { set_id: set.setId })
}

export function isPendingFree(id: number): Failure {
  return fail('FREE_PENDING', `IOASID ${id} was freed, and somebody still has references to it.`, { ioasid: id })
}
