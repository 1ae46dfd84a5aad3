import { Metadata, status } from '@grpc/grpc-js'
import { messageCodec } from '../proto/light.ts'

/** The reasons of the error table in proto/ioasid/v1/resources.proto, which says what each means and what facts it has. */
export const REASONS = [
  'INVALID_FIELD',
  'INVALID_RANGE',
  'INVALID_SPID',
  'SET_NOT_FOUND',
  'IOASID_NOT_FOUND',
  'SPID_NOT_FOUND',
  'LEASE_NOT_FOUND',
  'TOKEN_IN_USE',
  'SPID_IN_USE',
  'WRONG_SET',
  'NOT_PERMITTED',
  'QUOTA_EXCEEDED',
  'CAPACITY_EXCEEDED',
  'RANGE_EXHAUSTED',
  'TOO_MANY',
  'SET_NOT_EMPTY',
  'SET_DRAINING',
  'QUOTA_BELOW_USE',
  'FREE_PENDING',
  'ALREADY_BOUND',
  'NOT_BOUND',
  'DATA_ATTACHED',
  'NO_DATA',
  'NOT_HELD',
  'HOLD_DIFFERS',
  'STALE_GENERATION',
  'REQUEST_ID_REUSED',
  'SUPERSEDED',
  'COMPACTED',
  'FUTURE_REVISION',
  'HISTORY_CHANGED',
  'NO_IDENTITY',
  'NOT_LEADER',
  'DRAINING',
  'STARTING',
  'OVERLOADED',
  'STORE_FAILED',
] as const

/**
 * Why the daemon refused, for programs. A newer daemon may know further ones.
 *
 * @example
 * const isFull = (reason: Reason | undefined) => reason === 'QUOTA_EXCEEDED' || reason === 'CAPACITY_EXCEEDED'
 */
export type Reason = (typeof REASONS)[number] | (string & Record<never, never>)

/**
 * The name of a gRPC status.
 *
 * @example
 * const unreachable: readonly StatusName[] = ['UNAVAILABLE', 'DEADLINE_EXCEEDED']
 */
export type StatusName = Exclude<keyof typeof status, 'OK'>

/**
 * One field of a request that is wrong.
 *
 * @example
 * const { field, description }: FieldViolation = { field: 'count', description: '0; 1 to 65536 are allowed.' }
 */
export interface FieldViolation {
  /** Its path in the names of the proto: `private_data`, `spids[2]`, `items[7].allocate.count`. */
  readonly field: string
  /** What is wrong with it, a sentence for people. */
  readonly description: string
}

interface ErrorParts {
  readonly code: StatusName
  readonly message: string
  readonly reason?: Reason | undefined
  readonly metadata?: Readonly<Record<string, string>>
  readonly violations?: readonly FieldViolation[]
  readonly retryAfterMs?: number | undefined
  readonly cause?: unknown
}

/**
 * The one error of the SDK: a refusal of the daemon, an input that was not sent, or a daemon that could not be reached.
 *
 * @example
 * try {
 *   await client.allocate({ setHandle, count: 4 })
 * } catch (error) {
 *   if (!(error instanceof IoasidError) || error.reason !== 'QUOTA_EXCEEDED') throw error
 *   console.error(`${error.metadata['used']} of ${error.metadata['limit']} ids are in use`)
 * }
 */
export class IoasidError extends Error {
  override readonly name = 'IoasidError'
  /** The gRPC status. CANCELLED: the caller aborted the call or closed the client. */
  readonly code: StatusName
  /** The reason. Undefined where it is not the daemon that answered (UNAVAILABLE: nobody did), and with INTERNAL. */
  readonly reason: Reason | undefined
  /** The facts of the reason, numbers in decimal: `limit`, `used`, `compact_revision` ... */
  readonly metadata: Readonly<Record<string, string>>
  /** With INVALID_FIELD the fields that are wrong, at least one; else empty. */
  readonly violations: readonly FieldViolation[]
  /** How long to wait before it is worth trying again, in ms from now on; undefined: the daemon did not say. */
  readonly retryAfterMs: number | undefined

  constructor(parts: ErrorParts) {
    super(parts.message, parts.cause === undefined ? undefined : { cause: parts.cause })
    this.code = parts.code
    this.reason = parts.reason
    this.metadata = parts.metadata ?? {}
    this.violations = parts.violations ?? []
    this.retryAfterMs = parts.retryAfterMs
  }
}

/** What the daemon says of a wrong field, said before anything was sent. */
export function invalidField(field: string, description: string): IoasidError {
  return new IoasidError({
    code: 'INVALID_ARGUMENT',
    reason: 'INVALID_FIELD',
    message: `${field}: ${description}`,
    metadata: { field },
    violations: [{ field, description }],
  })
}

export function cancelled(message: string, cause?: unknown): IoasidError {
  return new IoasidError({ code: 'CANCELLED', message, cause })
}

/** An answer that no daemon of this protocol gives. */
export function malformed(what: string): IoasidError {
  return new IoasidError({ code: 'INTERNAL', message: `The daemon's answer makes no sense: ${what}.` })
}

const isStatusName = (name: string | undefined): name is StatusName =>
  name !== undefined && name !== 'OK' && name in status

function statusName(code: unknown): StatusName {
  const name = typeof code === 'number' ? status[code] : undefined
  return isStatusName(name) ? name : 'UNKNOWN'
}

/**
 * What grpc-js rejects with, whatever it is, as the one error of the SDK. `explain`: what is said of the last error of an
 * endpoint to which no connection comes about.
 */
export function fromGrpc(error: unknown, explain = (lastError: string) => `No connection: ${lastError}`): IoasidError {
  if (error instanceof IoasidError) return error
  if (!(error instanceof Error)) return new IoasidError({ code: 'UNKNOWN', message: String(error), cause: error })
  const { code, details, metadata } = error as Error & { code?: unknown; details?: unknown; metadata?: unknown }
  // An error without a status comes from the machinery between here and the wire: a bug.
  if (typeof code !== 'number') return new IoasidError({ code: 'INTERNAL', message: error.message, cause: error })
  const rich = metadata instanceof Metadata ? readDetails(metadata) : {}
  const message = typeof details === 'string' && details !== '' ? tidy(details, explain) : error.message
  return new IoasidError({ code: statusName(code), message, ...rich, cause: error })
}

/** The message Failure. Not its generated type: what callers see of this file must not name what the package has not. */
interface WireFailure {
  readonly code: number
  readonly reason: string
  readonly message: string
  readonly metadata: Readonly<Record<string, string>>
}

/** The failure of one item of a batch, as the RPC of its own would have thrown it. */
export function fromFailure({ code, reason, message, metadata }: WireFailure): IoasidError {
  const { field = '' } = metadata
  const description = message.startsWith(`${field}: `) ? message.slice(`${field}: `.length) : message
  return new IoasidError({
    code: statusName(code),
    reason: reason === '' ? undefined : reason,
    message,
    metadata,
    violations: reason === 'INVALID_FIELD' && field !== '' ? [{ field, description }] : [],
    retryAfterMs: retryAfterMs(metadata),
  })
}

function retryAfterMs(metadata: Readonly<Record<string, string>>): number | undefined {
  const delayMs = Number(metadata['retry_after_ms'])
  return delayMs >= 0 ? delayMs : undefined
}

const NOT_CONNECTED = /^No connection established\. Last error: (.*)\. Resolution note: .*$/s

/** What grpc-js says where nobody listens, without what it says of itself. Any other text is left alone. */
function tidy(details: string, explain: (lastError: string) => string): string {
  const [, lastError] = NOT_CONNECTED.exec(details) ?? []
  if (lastError === undefined) return details
  // In front of some there is their class, and behind others a time.
  return explain(lastError.replace(/^Error(?: \[\w+\])?: /, '').replace(/\s*(?:\(\d{4}-[-\d]+T[\d:.]+Z\))?$/, ''))
}

const statusCodec = messageCodec('google.rpc.Status')
const errorInfo = messageCodec('google.rpc.ErrorInfo')
const badRequest = messageCodec('google.rpc.BadRequest')
const retryInfo = messageCodec('google.rpc.RetryInfo')

type Details = Pick<ErrorParts, 'reason' | 'metadata' | 'violations' | 'retryAfterMs'>

/** Details that are no details leave an error without them, and not a client without an error. */
function readDetails(metadata: Metadata): Details {
  const [bytes] = metadata.get('grpc-status-details-bin')
  if (!Buffer.isBuffer(bytes)) return {}
  try {
    let found: Details = {}
    for (const { type_url, value } of statusCodec.deserialize(bytes).details) {
      found = { ...found, ...readDetail(type_url.slice(type_url.lastIndexOf('/') + 1), value) }
    }
    return found
  } catch {
    return {}
  }
}

function readDetail(type: string, bytes: Buffer): Details {
  switch (type) {
    case 'google.rpc.ErrorInfo': {
      const { domain, reason, metadata } = errorInfo.deserialize(bytes)
      if (domain !== 'ioasid') return {}
      const delayMs = retryAfterMs(metadata)
      return { reason, metadata, ...(delayMs === undefined ? {} : { retryAfterMs: delayMs }) }
    }
    case 'google.rpc.BadRequest':
      return { violations: badRequest.deserialize(bytes).field_violations }
    case 'google.rpc.RetryInfo': {
      const delay = retryInfo.deserialize(bytes).retry_delay
      return delay === null ? {} : { retryAfterMs: Number(delay.seconds) * 1000 + Math.ceil(delay.nanos / 1e6) }
    }
    default:
      return {}
  }
}
