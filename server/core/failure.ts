/**
 * Every way in which a request is refused: contract section 5, and the reasons of UNAVAILABLE and UNAUTHENTICATED, which
 * the contract leaves unnamed. rpc/status.ts turns a failure into a status; test/checks compares this table with the
 * contract's and with the one in proto/ioasid/v1/resources.proto.
 */

export const REASONS = {
  INVALID_FIELD: 'INVALID_ARGUMENT',
  INVALID_RANGE: 'INVALID_ARGUMENT',
  INVALID_SPID: 'INVALID_ARGUMENT',
  SET_NOT_FOUND: 'NOT_FOUND',
  IOASID_NOT_FOUND: 'NOT_FOUND',
  SPID_NOT_FOUND: 'NOT_FOUND',
  LEASE_NOT_FOUND: 'NOT_FOUND',
  TOKEN_IN_USE: 'ALREADY_EXISTS',
  SPID_IN_USE: 'ALREADY_EXISTS',
  WRONG_SET: 'PERMISSION_DENIED',
  NOT_PERMITTED: 'PERMISSION_DENIED',
  QUOTA_EXCEEDED: 'RESOURCE_EXHAUSTED',
  CAPACITY_EXCEEDED: 'RESOURCE_EXHAUSTED',
  RANGE_EXHAUSTED: 'RESOURCE_EXHAUSTED',
  TOO_MANY: 'RESOURCE_EXHAUSTED',
  SET_NOT_EMPTY: 'FAILED_PRECONDITION',
  SET_DRAINING: 'FAILED_PRECONDITION',
  QUOTA_BELOW_USE: 'FAILED_PRECONDITION',
  FREE_PENDING: 'FAILED_PRECONDITION',
  ALREADY_BOUND: 'FAILED_PRECONDITION',
  NOT_BOUND: 'FAILED_PRECONDITION',
  DATA_ATTACHED: 'FAILED_PRECONDITION',
  NO_DATA: 'FAILED_PRECONDITION',
  NOT_HELD: 'FAILED_PRECONDITION',
  HOLD_DIFFERS: 'FAILED_PRECONDITION',
  STALE_GENERATION: 'FAILED_PRECONDITION',
  REQUEST_ID_REUSED: 'FAILED_PRECONDITION',
  SUPERSEDED: 'ABORTED',
  COMPACTED: 'OUT_OF_RANGE',
  FUTURE_REVISION: 'OUT_OF_RANGE',
  HISTORY_CHANGED: 'OUT_OF_RANGE',
  NO_IDENTITY: 'UNAUTHENTICATED',
  NOT_LEADER: 'UNAVAILABLE',
  DRAINING: 'UNAVAILABLE',
  STARTING: 'UNAVAILABLE',
  OVERLOADED: 'UNAVAILABLE',
  STORE_FAILED: 'UNAVAILABLE',
} as const

export type Reason = keyof typeof REASONS

export interface Failure {
  readonly reason: Reason
  /** One sentence for a person. Never holds a handle. */
  readonly message: string
  /** The facts, listed per reason in proto/ioasid/v1/resources.proto. Values are decimal numbers or short texts. */
  readonly metadata: Readonly<Record<string, string>>
}

/** `fail('WRONG_SET', 'IOASID 7 …', { ioasid: 7 })`: facts that are undefined are left out. */
export function fail(
  reason: Reason,
  message: string,
  facts: Record<string, string | number | undefined> = {},
): Failure {
  const metadata: Record<string, string> = {}
  for (const [key, value] of Object.entries(facts)) if (value !== undefined) metadata[key] = String(value)
  return { reason, message, metadata }
}

export function isFailure(value: object): value is Failure {
  return 'reason' in value
}
