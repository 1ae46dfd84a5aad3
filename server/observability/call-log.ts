import type { Clock } from '../engine/clock.ts'
import type { Log } from '../rpc/log.ts'
import type { CallTrace, Outcome } from '../rpc/observer.ts'

/**
 * A line for each call that was refused or slow. Facts that name nobody's set, lease or token; and so many lines a second at
 * most, or whoever has calls refused in a flood would fill the disk: how many were left out is said in one more.
 */
export interface CallLog {
  tell(call: NotableCall): void
  /** Nothing is said any more: the last word is somebody else's. */
  stop(): void
}

export interface NotableCall {
  readonly method: string
  readonly outcome: Outcome
  /** Who called; empty: nobody knows. */
  readonly identity: string
  /** Where from, as gRPC has it. */
  readonly peer: string
  /** undefined: it did not come to its method, or is an item of a Batch, or a stream. */
  readonly durationMs: number | undefined
  readonly revision: number | undefined
  readonly trace: CallTrace | undefined
}

const LINES = 20
const WITHIN_MS = 1000

/** The daemon has said these itself, once for all calls; after its last word they would not even be true news. */
const SAID_ALREADY: ReadonlySet<Outcome> = new Set<Outcome>(['DRAINING', 'STORE_FAILED', 'CANCELLED'])

export function createCallLog(log: Log, after: Clock['after']): CallLog {
  let written = 0
  let leftOut = 0
  let isStopped = false

  const count = () => {
    written += 1
    if (written > 1) return
    after(WITHIN_MS, () => {
      if (leftOut > 0 && !isStopped)
        log.info({ calls: leftOut }, 'more calls were refused or slow than there are lines')
      written = 0
      leftOut = 0
    })
  }

  return {
    tell: ({ method, outcome, identity, peer, durationMs, revision, trace }) => {
      if (isStopped || SAID_ALREADY.has(outcome)) return
      if (written === LINES) {
        leftOut += 1
        return
      }
      count()
      const facts = {
        method,
        reason: outcome,
        ...(identity === '' ? {} : { caller: identity }),
        peer,
        ...(durationMs === undefined ? {} : { duration_ms: Math.round(durationMs * 1000) / 1000 }),
        ...(revision === undefined ? {} : { revision }),
        ...(trace === undefined ? {} : { trace_id: trace.traceId, span_id: trace.spanId }),
      }
      if (outcome === 'OK') log.warn(facts, 'a call was slow')
      else log.info(facts, 'a call was refused')
    },
    stop: () => {
      isStopped = true
    },
  }
}
