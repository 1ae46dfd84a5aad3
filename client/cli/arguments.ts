import { InvalidArgumentError } from 'commander'
import { NOTIFICATION_TYPES, type NotificationType, type Priority } from '../index.ts'

/** Reads the text of an argument, or says what is allowed: commander adds which argument it is. */

export const MAX_UINT32 = 0xffff_ffff
const MAX_SPID = MAX_UINT32 - 1
const MAX_UINT64 = 0xffff_ffff_ffff_ffffn
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

/** One of many positional ids. */
export function eachId(text: string, before: readonly number[] | undefined): readonly number[] {
  return [...(before ?? []), id(text)]
}

/** An option that may be given more than once. */
export function repeated(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text]
}

export function spidList(text: string): readonly number[] {
  return text.split(',').map((part) => {
    try {
      return spid(part)
    } catch (cause) {
      throw cause instanceof InvalidArgumentError
        ? new InvalidArgumentError(`Whole numbers from 0 to ${MAX_SPID} with commas between are allowed.`)
        : cause
    }
  })
}

export function typeList(text: string): readonly NotificationType[] {
  return text.split(',').map((part) => {
    const found = NOTIFICATION_TYPES.find((type) => type === part.toUpperCase())
    if (found !== undefined) return found
    throw new InvalidArgumentError(`Of ${NOTIFICATION_TYPES.join(', ')} some, with commas between, are allowed.`)
  })
}

const PRIORITIES: readonly Priority[] = ['CPU', 'IOMMU', 'DEVICE']

export function priority(text: string): Priority {
  const found = PRIORITIES.find((known) => known === text.toUpperCase())
  if (found !== undefined) return found
  throw new InvalidArgumentError(`Of ${PRIORITIES.join(', ')} one is allowed.`)
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
const MAX_DURATION_MS = 86_400_000

/** In ms. */
export const duration = durationFrom(1)

export function durationFrom(minMs: number): (text: string) => number {
  return (text) => {
    const [, amount, unit = ''] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? []
    const durationMs = Number(amount) * (UNITS_MS[unit] ?? Number.NaN)
    if (durationMs >= minMs && durationMs <= MAX_DURATION_MS) return durationMs
    throw new InvalidArgumentError(`A time from ${minMs}ms to 24h is allowed: 500ms, 5s, 2m, 1h.`)
  }
}

const TIME_OF_DAY = /^([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$/
const DATE_AND_TIME = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/
const DAY_MS = 86_400_000

/** A moment, in ms since 1970; a time of day is the last one that has been, on the clock of who asks. */
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
  const atMs = DATE_AND_TIME.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN
  if (!Number.isNaN(atMs)) return () => atMs
  throw new InvalidArgumentError('A time is allowed: 2026-11-22T14:05:00Z, or 14:05.')
}
