import { type Failure, fail } from '../core/failure.ts'
import { createBucket } from './bucket.ts'

export interface LoadLimits {
  /** Calls under way. */
  readonly maxCalls: number
  /** A second. The burst is as many, and at least a whole Batch. */
  readonly maxRequests: number
}

/** When to come again where nobody knows: when a call ends, or an answer is read. */
export const SOON_MS = 100

/** Calls and requests, of one or of all. */
export interface Load {
  readonly calls: number
  /** undefined: there is room for one more call. */
  refusesCall(): Failure | undefined
  /** undefined: there is room for so many requests. */
  refuses(requests: number): Failure | undefined
  addCalls(change: 1 | -1): void
  take(requests: number): void
  untilForgottenMs(): number
}

export function createLoad(limits: LoadLimits, burst: number, prefix: 'own_' | '', nowMs: () => number): Load {
  const { maxCalls, maxRequests } = limits
  const requestsLeft = createBucket(maxRequests, burst, nowMs)
  const who = prefix === '' ? 'All callers together' : 'The caller'
  const tooManyCalls = tooMany(`${prefix}calls`, `${who} may have ${maxCalls} calls under way.`, maxCalls, SOON_MS)
  let calls = 0
  return {
    get calls() {
      return calls
    },
    refusesCall: () => (calls < maxCalls ? undefined : tooManyCalls),
    refuses: (requests) => {
      if (requestsLeft.has(requests)) return undefined
      const waitMs = requestsLeft.promise(requests)
      return tooMany(`${prefix}requests`, `${who} may make ${maxRequests} requests a second.`, maxRequests, waitMs)
    },
    addCalls: (change) => {
      calls += change
    },
    take: requestsLeft.take,
    untilForgottenMs: requestsLeft.untilFullMs,
  }
}

export function tooMany(what: string, message: string, limit: number, retryAfterMs: number): Failure {
  return fail('TOO_MANY', message, { what, limit, retry_after_ms: retryAfterMs })
}

/** All of these have room, or nothing counts. The own limits come first: who is over them is told so. */
export function begin(loads: readonly Load[], requests: 0 | 1): Failure | undefined {
  for (const load of loads) {
    const refusal = load.refusesCall() ?? load.refuses(1)
    if (refusal !== undefined) return refusal
  }
  for (const load of loads) {
    load.addCalls(1)
    if (requests > 0) load.take(requests)
  }
  return undefined
}

export function ask(loads: readonly Load[], requests: number): Failure | undefined {
  for (const load of loads) {
    const refusal = load.refuses(requests)
    if (refusal !== undefined) return refusal
  }
  for (const load of loads) load.take(requests)
  return undefined
}
