import { constants } from 'node:os'
import { damaged } from './codec.ts'
import { StoreError } from './store.ts'

/** LMDB's own codes are negative; of others, these mean that there is no room. */
const MAP_FULL = -30792
const NO_ROOM: readonly unknown[] = [MAP_FULL, constants.errno.ENOSPC, constants.errno.EDQUOT, 'ENOSPC', 'EDQUOT']
/** MDB_PAGE_NOTFOUND, MDB_CORRUPTED, MDB_VERSION_MISMATCH, MDB_INVALID. */
const NOT_AS_WRITTEN: readonly unknown[] = [-30797, -30796, -30794, -30793]

const NOT_ALLOWED: readonly unknown[] = [constants.errno.EACCES, constants.errno.EPERM, 'EACCES', 'EPERM', 'EROFS']

/** What a failing call means for an operator; `doing` says what was being done. */
export function toStoreError(cause: unknown, doing: string): StoreError {
  if (cause instanceof StoreError) return cause
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  // LMDB adds what it was about to do, in terms of its own pages.
  const reason = (cause instanceof Error ? cause.message : String(cause)).replace(/: Attempting .*/, '')
  if (NOT_AS_WRITTEN.includes(code)) return damaged(`${doing} failed: ${reason}`, cause)
  if (NO_ROOM.includes(code)) {
    return new StoreError('FULL', `${doing} failed: ${reason}; make room on the disk and start again`, { cause })
  }
  const advice = NOT_ALLOWED.includes(code) ? 'see to its owner and permissions' : 'look after the disk'
  return new StoreError('IO', `${doing} failed: ${reason}; ${advice} and start again`, { cause })
}
