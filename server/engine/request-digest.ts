import { crc32 } from 'node:zlib'
import type { Command } from '../core/command.ts'

/** A caller's request_id: no caller's name has a NUL, so that two never meet in it. */
export type RequestKey = string

export function requestKey(caller: string, requestId: string): RequestKey {
  return `${caller}\0${requestId}`
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
