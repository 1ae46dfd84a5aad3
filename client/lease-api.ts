import type { Acquired, Changed, LeaseChanged, Released } from './answers.ts'
import type { CallOptions } from './call.ts'
import type {
  AcknowledgeRequest,
  GrantLeaseRequest,
  Lease,
  LeaseInfo,
  LeaseRequest,
  ListLeasesRequest,
  OpenLeaseOptions,
  RevokeLeaseRequest,
} from './lease-types.ts'
import type { OpenPasidTableOptions, PasidTable } from './pasid-table-types.ts'
import type { AcquireRequest, ReleaseRequest } from './requests.ts'

/**
 * The part of the client that is for holders: leases, and the references that belong to them.
 *
 * @example
 * const holder: LeaseApi = connect()
 */
export interface LeaseApi {
  /**
   * Makes a lease that keeps itself alive, and says when it is lost. Rejects as grantLease does, and with
   * LEASE_NOT_FOUND where that took so long that the lease has ended meanwhile.
   *
   * @example
   * await using lease = await client.openLease({ ttlMs: 10_000, name: 'device model' })
   */
  readonly openLease: (options: OpenLeaseOptions) => Promise<Lease>
  /**
   * Opens the table of guest to host PASIDs that a consumer with hardware keeps, with a lease of its own. It resolves when
   * the snapshot is through onBind. Rejects as grantLease and subscribe do, and with ABORTED where a handler fails; then
   * what was bound was unbound again, and the lease revoked.
   *
   * @example
   * await using table = await client.openPasidTable({ tokens: ['vm-a'], priority: 'CPU', onBind, onUnbind })
   */
  readonly openPasidTable: (options: OpenPasidTableOptions) => Promise<PasidTable>
  /**
   * Makes a lease, which counts from now; who does not renew it loses it. Reasons: INVALID_FIELD (a `ttlMs` that the
   * daemon does not allow), TOO_MANY.
   *
   * @example
   * const { lease } = await client.grantLease({ ttlMs: 30_000, name: 'kvm' })
   */
  readonly grantLease: (request: GrantLeaseRequest, options?: CallOptions) => Promise<LeaseChanged>
  /**
   * Renews a lease for its whole ttlMs; one that is HELD lives again, without its sets. Treat a lease as lost ttlMs
   * after you sent the last renewal that was answered. Reasons: LEASE_NOT_FOUND.
   *
   * @example
   * await client.keepLeaseAlive({ leaseHandle })
   */
  readonly keepLeaseAlive: (request: LeaseRequest, options?: CallOptions) => Promise<LeaseChanged>
  /**
   * Ends a lease now, drops its references whatever its onExpiry, and deletes its sets with force. Reasons:
   * LEASE_NOT_FOUND.
   *
   * @example
   * await client.revokeLease({ leaseHandle })
   */
  readonly revokeLease: (request: RevokeLeaseRequest, options?: CallOptions) => Promise<Changed>
  /**
   * Shows a lease, also a HELD one, and renews nothing. Reasons: LEASE_NOT_FOUND.
   *
   * @example
   * const { remainingMs, references } = await client.getLease({ leaseHandle })
   */
  readonly getLease: (request: LeaseRequest, options?: CallOptions) => Promise<LeaseInfo>
  /**
   * Lists the leases by leaseId, HELD ones too, over all pages; the deadline is that of each page. Handles are empty.
   *
   * @example
   * for await (const { leaseId, name, state } of client.listLeases()) console.log(leaseId, name, state)
   */
  readonly listLeases: (request?: ListLeasesRequest, options?: CallOptions) => AsyncGenerator<LeaseInfo, void>
  /**
   * Takes one reference to an id for a lease, and renews the lease: the id is not handed out again before it is released,
   * whoever frees it. Reasons: SET_NOT_FOUND, IOASID_NOT_FOUND, LEASE_NOT_FOUND, WRONG_SET, FREE_PENDING, TOO_MANY.
   *
   * @example
   * const { references } = await client.acquire({ token: 'vm-a', ioasid: 7, leaseHandle })
   */
  readonly acquire: (request: AcquireRequest, options?: CallOptions) => Promise<Acquired>
  /**
   * Drops one reference that the lease acquired; the last one of a pending id reclaims it. Reasons: SET_NOT_FOUND,
   * IOASID_NOT_FOUND, LEASE_NOT_FOUND, WRONG_SET, NOT_HELD.
   *
   * @example
   * const { reclaimed } = await client.release({ token: 'vm-a', ioasid: 7, leaseHandle })
   */
  readonly release: (request: ReleaseRequest, options?: CallOptions) => Promise<Released>
  /**
   * A holder's word that it has cleaned up for every UNBIND and FREE at or below a revision that its subscription with
   * `hold` has told it of in whole: the references that are settled by it are dropped, and holders of the next priority
   * are told. It renews the lease. It may be repeated; a lower revision than before takes nothing back. Of a history that
   * is over (HISTORY_CHANGED) there is nothing to acknowledge any more: the subscription learns of it by itself. Reasons:
   * LEASE_NOT_FOUND, HISTORY_CHANGED, FUTURE_REVISION.
   *
   * @example
   * const { cursor } = subscription
   * if (item.kind === 'revision' && cursor !== undefined) await client.acknowledge({ leaseHandle, ...cursor })
   */
  readonly acknowledge: (request: AcknowledgeRequest, options?: CallOptions) => Promise<Changed>
}
