import { status as code, Metadata, type StatusObject } from '@grpc/grpc-js'
import { messageCodec } from '../../proto/load.ts'
import { type Failure, REASONS, type Reason } from '../core/failure.ts'

/**
 * Failures to statuses: total, so that whatever goes wrong leaves as something that was thought of. A failure carries a
 * google.rpc.Status with ErrorInfo, BadRequest for a field, RetryInfo where waiting helps; everything else is a bug or a
 * broken medium, and leaves as INTERNAL with a fixed sentence.
 */

const DOMAIN = 'ioasid'
const DETAILS_KEY = 'grpc-status-details-bin'
/** grpc-js loses a response whose trailers are too large, and kills the process over a lone surrogate in `details`. */
const MAX_MESSAGE = 1024

export const INTERNAL_MESSAGE = 'Internal error. The daemon has logged its cause.'

const statusCodec = messageCodec('google.rpc.Status')
const errorInfo = messageCodec('google.rpc.ErrorInfo')
const badRequest = messageCodec('google.rpc.BadRequest')
const retryInfo = messageCodec('google.rpc.RetryInfo')

/** How long to wait before the same request is sent again, where the facts of a failure do not say. */
const RETRY_AFTER_MS: Partial<Record<Reason, number>> = {
  NOT_LEADER: 100,
  DRAINING: 1000,
  STARTING: 500,
  OVERLOADED: 100,
  STORE_FAILED: 1000,
}

export function statusCode(failure: Pick<Failure, 'reason'>): number {
  return code[REASONS[failure.reason]]
}

/** How long to wait before the same request is sent again; 0: waiting helps nothing. */
export function retryAfterMsOf({ reason, metadata }: Pick<Failure, 'reason' | 'metadata'>): number {
  return Number(metadata['retry_after_ms'] ?? RETRY_AFTER_MS[reason] ?? 0)
}

/** What grpc-js sends, and for who watches the calls the reason as it is. */
export interface FailureStatus extends StatusObject {
  readonly reason: Reason
}

export function toStatus(failure: Failure): FailureStatus {
  const details = failure.message.slice(0, MAX_MESSAGE).toWellFormed()
  const bytes = statusCodec.serialize({ code: statusCode(failure), message: details, details: detailsOf(failure) })
  const metadata = new Metadata()
  metadata.set(DETAILS_KEY, bytes)
  return { code: statusCode(failure), details, metadata, reason: failure.reason }
}

export function internalStatus(): StatusObject {
  return { code: code.INTERNAL, details: INTERNAL_MESSAGE, metadata: new Metadata() }
}

function detailsOf({ reason, message, metadata }: Failure) {
  const details = [any('google.rpc.ErrorInfo', errorInfo.serialize({ reason, domain: DOMAIN, metadata }))]
  const field = metadata['field']
  if (reason === 'INVALID_FIELD' && field !== undefined) {
    const violations = [{ field, description: message.slice(`${field}: `.length) }]
    details.push(any('google.rpc.BadRequest', badRequest.serialize({ field_violations: violations })))
  }
  const retryAfterMs = retryAfterMsOf({ reason, metadata })
  if (retryAfterMs > 0) {
    const delay = { seconds: Math.floor(retryAfterMs / 1000), nanos: (retryAfterMs % 1000) * 1_000_000 }
    details.push(any('google.rpc.RetryInfo', retryInfo.serialize({ retry_delay: delay })))
  }
  return details
}

function any(type: string, value: Buffer) {
  return { type_url: `type.googleapis.com/${type}`, value }
}
