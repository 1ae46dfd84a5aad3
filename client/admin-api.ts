import type { Changed, SetChanged } from './answers.ts'
import type { CallOptions } from './call.ts'
import type { Change } from './requests.ts'
import type { DaemonStatus } from './types.ts'

/** The part of the client that is for operators. */

/**
 * See Client.forceDeleteSet.
 *
 * @example
 * const request: ForceDeleteSetRequest = { setId: 5n }
 */
export interface ForceDeleteSetRequest extends Change {
  /** The set's public number. */
  readonly setId: bigint
}

/**
 * See Client.forceRevokeLease.
 *
 * @example
 * const request: ForceRevokeLeaseRequest = { leaseId: holder.leaseId }
 */
export interface ForceRevokeLeaseRequest extends Change {
  /** The lease's public number. */
  readonly leaseId: bigint
}

/**
 * The part of the client that is for operators: the daemon serves it on listeners that are for administrators, on others
 * each call is NOT_PERMITTED.
 *
 * @example
 * const operator: AdminApi = connect()
 */
export interface AdminApi {
  /**
   * Counts, limits and revisions of the daemon.
   *
   * @example
   * const { capacity, allocated } = await client.getStatus()
   */
  readonly getStatus: (options?: CallOptions) => Promise<DaemonStatus>
  /**
   * Ends a set by its number, with all its ids, for a tenant that has lost its handle. Reasons: SET_NOT_FOUND.
   *
   * @example
   * const { set } = await client.forceDeleteSet({ setId: 5n })
   */
  readonly forceDeleteSet: (request: ForceDeleteSetRequest, options?: CallOptions) => Promise<SetChanged>
  /**
   * Ends a lease by its number, ALIVE or HELD, and drops its references whatever its onExpiry: only where its holder has
   * nothing in hardware any more. Reasons: LEASE_NOT_FOUND.
   *
   * @example
   * for (const { leaseId } of info.holders) await client.forceRevokeLease({ leaseId })
   */
  readonly forceRevokeLease: (request: ForceRevokeLeaseRequest, options?: CallOptions) => Promise<Changed>
}
