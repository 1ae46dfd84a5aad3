import { crc32 } from 'node:zlib'
import type { Command } from '../core/command.ts'

/** A caller's request_id: neither has a NUL, so that two never meet in it. */
export type RequestKey = string

/** Nobody's is the request_id as it came: a text that is put together is copied before it can be looked up. */
export function requestKey(caller: string, requestId: string): RequestKey {
  return caller === '' ? requestId : `${caller}\0${requestId}`
}

/** As it is written, nobody's like everybody else's. */
export function writeKey(key: RequestKey): string {
  return key.includes('\0') ? key : `\0${key}`
}

export function readKey(written: string): RequestKey {
  return written.startsWith('\0') ? written.slice(1) : written
}

/**
 * What a command means, whichever way it came: two that mean the same are equal, field by field. "To the end of the space"
 * is no number: sent again after a restart with another capacity, the request still means the same. A checksum is enough:
 * it is to find mistakes, of which it misses one in 2^32, and who looks for one is given an old answer of his own.
 */
export type MeaningOf = (command: Command) => number

/** Commands that follow one another are often alike, and then the checksum of the first one is that of all. */
export function createMeaningOf(capacity: number): MeaningOf {
  let last: { readonly command: Command; readonly meaning: number } | undefined
  return (command) => {
    if (last !== undefined && isAlike(last.command, command)) return last.meaning
    const toEnd = command.kind === 'allocate' && command.max === capacity - 1
    const meaning = crc32(JSON.stringify(toEnd ? { ...command, max: null } : command))
    last = { command, meaning }
    return meaning
  }
}

/** Whether every field is the same, the kind and with it which there are; two lists are not, whatever they hold. */
function isAlike(one: Command, other: Command): boolean {
  for (const name in one) if (one[name as keyof Command] !== other[name as keyof Command]) return false
  return true
}
