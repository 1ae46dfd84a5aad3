import { InvalidArgumentError } from 'commander'
import type { NotificationType, Priority } from '../index.ts'
import { FORBIDDEN, MAX_DATA_BYTES, MAX_NAME_BYTES, MAX_UINT32, MAX_UINT64 } from '../limits.ts'
import { NOTIFICATION_TYPES } from '../types.ts'

/** Reads the text of an argument, or says what is allowed: commander adds which argument it is. */

const MAX_SPID = MAX_UINT32 - 1
const WHOLE = /^(\d+|0[xX][0-9A-Fa-f]+)$/

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = WHOLE.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new InvalidArgumentError(`A whole number from ${min} to ${max} is allowed.`)
  }
}

export const id = wholeNumber(0, MAX_UINT32)
export const spid = wholeNumber(0, MAX_SPID)

/** A revision, or the number of a set or a lease. */
export function uint64(text: string): bigint {
  const value = WHOLE.test(text) ? BigInt(text) : -1n
  if (value >= 0n && value <= MAX_UINT64) return value
  throw new InvalidArgumentError(`A whole number from 0 to ${MAX_UINT64} is allowed.`)
}

/** One of many positional ids, of which there may be tens of thousands: a copy for each would take seconds. */
export function eachId(text: string, before: number[] | undefined): number[] {
  const ids = before ?? []
  ids.push(id(text))
  return ids
}

/** What users name: a set, a device, a lease. It may be empty. */
export function name(text: string): string {
  if (Buffer.byteLength(text) <= MAX_NAME_BYTES && !FORBIDDEN.test(text)) return text
  throw new InvalidArgumentError(`At most ${MAX_NAME_BYTES} bytes of UTF-8 without control characters are allowed.`)
}

/** What is there where it is given: an empty text is more likely a shell's variable that is not set. */
export function notEmpty(text: string): string {
  if (text !== '') return text
  throw new InvalidArgumentError('It is empty: leave it out, or give a text.')
}

/** An option that may be given more than once. */
export function repeated(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text]
}

/** Such an option, each of whose texts is one that is not empty. */
export function repeatedName(text: string, before: readonly string[] | undefined): readonly string[] {
  return repeated(name(notEmpty(text)), before)
}

export function spidList(text: string): readonly number[] {
  const spids = text.split(',').map((part) => (WHOLE.test(part) ? Number(part) : Number.NaN))
  if (spids.every((value) => value <= MAX_SPID) && new Set(spids).size === spids.length) return spids
  throw new InvalidArgumentError(`Different whole numbers from 0 to ${MAX_SPID} with commas between are allowed.`)
}

export function typeList(text: string): readonly NotificationType[] {
  return text.split(',').map((part) => {
    const found = NOTIFICATION_TYPES.find((type) => type === part.toUpperCase())
    if (found !== undefined) return found
    throw new InvalidArgumentError(`Some of ${NOTIFICATION_TYPES.join(', ')} are allowed, with commas between.`)
  })
}

export const PRIORITIES: readonly Priority[] = ['CPU', 'IOMMU', 'DEVICE']

/** One of a few words, in whatever case: commander by itself wants that of its choices. */
export function anyCase<Word extends string>(words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const found = words.find((word) => word.toLowerCase() === text.toLowerCase())
    if (found !== undefined) return found
    throw new InvalidArgumentError(`Allowed choices are ${words.join(', ')}.`)
  }
}

const HEX = /^(?:[0-9A-Fa-f]{2})+$/

/** Private data, as JSON prints it. */
export function hexBytes(text: string): Uint8Array {
  if (HEX.test(text) && text.length <= 2 * MAX_DATA_BYTES) return Buffer.from(text, 'hex')
  throw new InvalidArgumentError(`1 to ${MAX_DATA_BYTES} bytes in hexadecimal are allowed, two digits for each: 01ff.`)
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
const DAY_HOURS = 24

/** In ms. */
export const duration = durationFrom(1)

export function durationFrom(minMs: number, maxHours = DAY_HOURS): (text: string) => number {
  return (text) => {
    const [, amount, unit = ''] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? []
    const durationMs = Number(amount) * (UNITS_MS[unit] ?? Number.NaN)
    if (durationMs >= minMs && durationMs <= maxHours * 3_600_000) return durationMs
    throw new InvalidArgumentError(`A time from ${minMs}ms to ${maxHours}h is allowed: 500ms, 5s, 2m, 1h.`)
  }
}

const TIME_OF_DAY = /^([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$/
const DATE_AND_TIME = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/
const DAY_MS = DAY_HOURS * 3_600_000

/** A moment, in ms since 1970; a time of day is the last one that has been. Without a zone it is that of who asks. */
export function moment(text: string): (nowMs: number) => number {
  const [, hours, minutes, seconds = '0'] = TIME_OF_DAY.exec(text) ?? []
  if (hours !== undefined && minutes !== undefined) {
    return (nowMs) => {
      const today = new Date(nowMs).setHours(Number(hours), Number(minutes), Number(seconds), 0)
      return today <= nowMs
        ? today
        : new Date(today - DAY_MS).setHours(Number(hours), Number(minutes), Number(seconds), 0)
    }
  }
  const day = text.slice(0, 10)
  // A day alone would be one of UTC.
  const timeOfDay = text.slice(10).replace(' ', 'T') || 'T00:00'
  const atMs = DATE_AND_TIME.test(text) && isDay(day) ? Date.parse(day + timeOfDay) : Number.NaN
  if (!Number.isNaN(atMs)) return () => atMs
  throw new InvalidArgumentError('A time is allowed: 2026-11-22T14:05:00Z, or 14:05.')
}

/** Date.parse takes the 30th of February for the 2nd of March. */
function isDay(day: string): boolean {
  const atMs = Date.parse(day)
  return !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(day)
}
