import { status } from '@grpc/grpc-js'
import type { StatusName } from '../../client/errors.ts'
import type { FakeStream } from './fake-transport.ts'
import { grpcError } from './grpc-error.ts'

/** Every way in which a stream comes to its end, and what a subscription makes of it. */
export interface StreamEnding {
  readonly name: string
  /** resume: from where it was. lost: from a snapshot, if that is wanted, else an error. fail: the error. */
  readonly follows: 'resume' | 'lost' | 'fail'
  /** undefined: it says nothing any more. */
  readonly end: ((stream: FakeStream) => void) | undefined
}

const RESUMED: readonly StatusName[] = ['UNAVAILABLE', 'CANCELLED', 'DEADLINE_EXCEEDED', 'INTERNAL', 'UNKNOWN']

const statuses = Object.keys(status).filter((name): name is StatusName => /^[A-Z]/.test(name) && name !== 'OK')

const reasons: readonly [StatusName, string, StreamEnding['follows']][] = [
  ['OUT_OF_RANGE', 'COMPACTED', 'lost'],
  ['OUT_OF_RANGE', 'HISTORY_CHANGED', 'lost'],
  ['OUT_OF_RANGE', 'FUTURE_REVISION', 'lost'],
  ['ABORTED', 'SUPERSEDED', 'fail'],
  ['NOT_FOUND', 'LEASE_NOT_FOUND', 'fail'],
  ['NOT_FOUND', 'SET_NOT_FOUND', 'fail'],
  ['FAILED_PRECONDITION', 'HOLD_DIFFERS', 'fail'],
  ['RESOURCE_EXHAUSTED', 'TOO_MANY', 'fail'],
  // The policy has changed: asking again is of no use until it changes once more.
  ['PERMISSION_DENIED', 'NOT_PERMITTED', 'fail'],
  ['UNAUTHENTICATED', 'NO_IDENTITY', 'fail'],
  ['UNAVAILABLE', 'DRAINING', 'resume'],
]

export const ENDINGS: readonly StreamEnding[] = [
  { name: 'a clean end', follows: 'resume', end: (stream) => stream.end() },
  { name: 'silence', follows: 'resume', end: undefined },
  ...statuses.map((code): StreamEnding => {
    const isResumed = RESUMED.includes(code)
    return { name: code, follows: isResumed ? 'resume' : 'fail', end: (stream) => stream.end(grpcError(code)) }
  }),
  ...reasons.map(([code, reason, follows]): StreamEnding => {
    return { name: `${code} ${reason}`, follows, end: (stream) => stream.end(grpcError(code, 'no', { reason })) }
  }),
]
