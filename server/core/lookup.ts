import type { SetName } from './event.ts'
import { type Failure, fail } from './failure.ts'
import type { SetId } from './ids.ts'
import { findId, type IdRecord, type SetRecord, type State } from './state.ts'

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
