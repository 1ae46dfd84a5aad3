import { Metadata, status } from '@grpc/grpc-js'
import { IoasidError, type StatusName } from '../../client/errors.ts'
import { messageCodec } from '../../proto/load.ts'

interface Rich {
  readonly reason?: string
  readonly domain?: string
  readonly metadata?: Record<string, string>
  readonly violations?: { field: string; description: string }[]
  readonly retryAfterMs?: number
}

const any = (type: string, value: Buffer) => ({ type_url: `type.googleapis.com/google.rpc.${type}`, value })

/** The trailer with which the daemon says more than a status. */
export function richTrailer(code: StatusName, message: string, rich: Rich): Metadata {
  const { reason, domain = 'ioasid', metadata = {}, violations, retryAfterMs } = rich
  const details = []
  if (reason !== undefined) {
    details.push(any('ErrorInfo', messageCodec('google.rpc.ErrorInfo').serialize({ reason, domain, metadata })))
  }
  if (violations !== undefined) {
    const badRequest = { field_violations: violations }
    details.push(any('BadRequest', messageCodec('google.rpc.BadRequest').serialize(badRequest)))
  }
  if (retryAfterMs !== undefined) {
    const retry_delay = { seconds: Math.floor(retryAfterMs / 1000), nanos: (retryAfterMs % 1000) * 1e6 }
    details.push(any('RetryInfo', messageCodec('google.rpc.RetryInfo').serialize({ retry_delay })))
  }
  const trailer = new Metadata()
  const bytes = messageCodec('google.rpc.Status').serialize({ code: status[code], message, details })
  trailer.set('grpc-status-details-bin', bytes)
  return trailer
}

/** An error as grpc-js makes it of a status. */
export function grpcError(code: StatusName, message = 'no', rich?: Rich): Error {
  const metadata = rich === undefined ? new Metadata() : richTrailer(code, message, rich)
  return Object.assign(new Error(`${status[code]} ${code}: ${message}`), {
    code: status[code],
    details: message,
    metadata,
  })
}

export const refusal = (code: StatusName, reason?: string, retryAfterMs?: number): IoasidError =>
  new IoasidError({ code, message: 'no', reason, retryAfterMs })
