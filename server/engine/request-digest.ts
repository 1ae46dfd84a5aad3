import { hash } from 'node:crypto'
import type { Command } from '../core/command.ts'

/** A caller's request_id as 16 bytes of a digest, in base64: two callers never meet in it, and none is too long. */
export type RequestKey = string

export function requestKey(caller: string, requestId: string): RequestKey {
  return digest(`${caller}\0${requestId}`)
}

/**
 * What a command means, whichever way it came: two that mean the same are equal, field by field. "To the end of the space"
 * is no number: sent again after a restart with another capacity, the request still means the same.
 */
export function meaningOf(command: Command, capacity: number): string {
  const toEnd = command.kind === 'allocate' && command.max === capacity - 1
  return digest(JSON.stringify(toEnd ? { ...command, max: null } : command))
}

function digest(text: string): string {
  return hash('sha256', text, 'buffer').toString('base64url', 0, 16)
}
