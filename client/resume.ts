import type { IoasidError } from './errors.ts'
import type { Cursor } from './subscription-types.ts'

/** How one stream of a subscription came to its end, when nobody wanted it to. */
export type Ending =
  /** The daemon ended it with OK, which it has no reason to. */
  | { readonly kind: 'clean' }
  /** Nothing came for longer than heartbeats allow. */
  | { readonly kind: 'silence' }
  /** A message was missing, or made no sense after the one before it. */
  | { readonly kind: 'gap'; readonly what: string }
  | { readonly kind: 'error'; readonly error: IoasidError }

/** Where a stream begins. */
export type Start =
  | { readonly kind: 'now' }
  | { readonly kind: 'snapshot' }
  | { readonly kind: 'after'; readonly revision: bigint }

/** Where a subscription stands when a stream of it has ended. */
export interface Standing {
  /** How that stream began. */
  readonly start: Start
  /** Up to where everything was told; undefined: nothing was, or only a part of a snapshot. */
  readonly cursor: Cursor | undefined
  /** How many streams in a row, this one included, have ended without moving the cursor. */
  readonly failures: number
  readonly onLost: 'fail' | 'snapshot'
}

/** What to do: open another stream, or give the error to the caller. */
export type Decision =
  | {
      readonly kind: 'open'
      readonly start: Start
      readonly newHistory: boolean
      readonly retryAfterMs: number | undefined
    }
  | { readonly kind: 'fail'; readonly error: IoasidError }

/** An INTERNAL may be a connection that broke in an odd place, or a bug of the daemon, which waiting does not mend. */
const MAX_INTERNAL_FAILURES = 5

/**
 * The one place that decides what follows a stream that ended. Whatever may be the connection's fault, or passes, is
 * resumed: after the cursor if there is one, else as the stream began. A history that is lost is an error or a new
 * snapshot, as the caller likes. Anything else would end the next stream as well.
 */
export function decideNext(standing: Standing, ending: Ending): Decision {
  const { start, cursor, failures, onLost } = standing
  const resume = (retryAfterMs?: number): Decision => ({
    kind: 'open',
    start: cursor === undefined ? start : { kind: 'after', revision: cursor.revision },
    newHistory: false,
    retryAfterMs,
  })
  if (ending.kind !== 'error') return resume()

  const { error } = ending
  const fail: Decision = { kind: 'fail', error }
  switch (error.code) {
    case 'UNAVAILABLE':
    // A daemon or a proxy that was in a hurry: the caller's own cancellation does not come here.
    case 'CANCELLED':
    case 'DEADLINE_EXCEEDED':
      return resume(error.retryAfterMs)
    case 'INTERNAL':
    case 'UNKNOWN':
      return failures < MAX_INTERNAL_FAILURES ? resume() : fail
    case 'RESOURCE_EXHAUSTED':
      // Too many streams; when the daemon says when there may be fewer.
      return error.reason === 'TOO_MANY' && error.retryAfterMs !== undefined ? resume(error.retryAfterMs) : fail
    case 'OUT_OF_RANGE':
      return isLost(error) && onLost === 'snapshot'
        ? { kind: 'open', start: { kind: 'snapshot' }, newHistory: true, retryAfterMs: undefined }
        : fail
    default:
      return fail
  }
}

/** The cursor leads nowhere any more. */
function isLost({ reason }: IoasidError): boolean {
  return reason === 'COMPACTED' || reason === 'HISTORY_CHANGED' || reason === 'FUTURE_REVISION'
}
