import { randomBytes, randomUUID } from 'node:crypto'

/** The only door through which time comes in; a test opens another one. Cancelling twice, or after the fact, is no fault. */
export interface Clock {
  /** Milliseconds since some moment; never goes back. */
  monotonicMs(): number
  /** Milliseconds since 1970, for people. */
  wallMs(): number
  /** Calls back once after `ms`. Returns what cancels it. Does not keep the process alive. */
  after(ms: number, callback: () => void): () => void
  /** Calls back when everything that has arrived by now was looked at. */
  soon(callback: () => void): void
}

/** The only door through which chance comes in. */
export interface Chance {
  /** A name that nobody else has: a UUID. */
  name(): string
  /** A secret that nobody can guess. */
  secret(bytes: number): Uint8Array
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms).unref()
    return () => clearTimeout(timer)
  },
  soon: (callback) => {
    setImmediate(callback)
  },
}

export const systemChance: Chance = {
  name: () => randomUUID(),
  secret: (bytes) => randomBytes(bytes),
}

/** A gap between two looks at the clock counts at most this much: a stopped process has not served meanwhile. */
const MAX_GAP_MS = 1000

/** Serving time (contract section 1): goes on from what was kept, and only while somebody looks. */
export interface ServingClock {
  /** Whole milliseconds of serving time. Must be called at least once a second to be right. */
  nowMs(): number
}

export function createServingClock(clock: Clock, startMs: number): ServingClock {
  let servingMs = startMs
  let lastMs = clock.monotonicMs()
  return {
    nowMs: () => {
      const nowMs = clock.monotonicMs()
      servingMs += Math.min(nowMs - lastMs, MAX_GAP_MS)
      lastMs = nowMs
      return Math.floor(servingMs)
    },
  }
}
