import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Command } from '../core/command.ts'

/** A caller's request_id: two callers never meet in it, and none is too long. */
export type RequestKey = string

/** What is short stands for itself: most do, and a digest costs more than all that is decided of a request. */
const MAX_KEY = 128

export function requestKey(caller: string, requestId: string): RequestKey {
  const key = `${caller}\0${requestId}`
  // 16 bytes in base64, which have no NUL: never taken for a key that stands for itself.
  return key.length <= MAX_KEY ? key : hash('sha256', key, 'buffer').toString('base64url', 0, 16)
}

/**
 * What a command means, whichever way it came: two that mean the same are equal, field by field. "To the end of the space"
 * is no number: sent again after a restart with another capacity, the request still means the same. A checksum is enough:
 * it is to find mistakes, of which it misses one in 2^32, and who looks for one is given an old answer of his own.
 */
export function meaningOf(command: Command, capacity: number): number {
  const toEnd = command.kind === 'allocate' && command.max === capacity - 1
  return crc32(JSON.stringify(toEnd ? { ...command, max: null } : command))
}
