import type { Changed, SetChanged } from './answers.ts'
import type { CallOptions } from './call.ts'
import type { Life } from './history-types.ts'
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
 * What is kept of the history.
 *
 * @example
 * const { compactRevision }: Compacted = await client.compact(1000n)
 */
export interface Compacted {
  /** The current revision. */
  readonly revision: bigint
  /** The oldest cursor that works now. */
  readonly compactRevision: bigint
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
   * Whether the daemon serves: it does not while it shuts down.
   *
   * @example
   * if (!(await client.checkHealth()).isServing) console.error('it shuts down')
   */
  readonly checkHealth: (options?: CallOptions) => Promise<{ readonly isServing: boolean }>
  /**
   * Counts, limits and revisions of the daemon.
   *
   * @example
   * const { capacity, allocated } = await client.getStatus()
   */
  readonly getStatus: (options?: CallOptions) => Promise<DaemonStatus>
  /**
   * Who had an id when, newest first, as far as it is on record: `--history` of the daemon. An id that was never allocated
   * has no lives. Reasons: IOASID_NOT_FOUND (beyond the space).
   *
   * @example
   * for await (const { token, from, to } of client.getHistory(4711)) console.log(token, from.time, to?.time)
   */
  readonly getHistory: (ioasid: number, options?: CallOptions) => AsyncGenerator<Life, void>
  /**
   * Drops the history at or below a revision; `after` it is then the oldest cursor. Dropped is dropped: it does nothing a
   * second time. Reasons: FUTURE_REVISION.
   *
   * @example
   * const { compactRevision } = await client.compact(1000n)
   */
  readonly compact: (revision: bigint, options?: CallOptions) => Promise<Compacted>
  /**
   * The whole space at one revision, in pieces, for `ioasidd restore FILE --data-dir DIR`: written one after the other they
   * are the file. It is whole only if the iteration ends without an error. Whoever has it can make every handle: keep it as
   * secret as the data directory. `deadlineMs` is how long to wait for the daemon, and then for each piece; a piece that is
   * not taken is not sent, and after `--snapshot-timeout` the daemon ends it. Reasons: TOO_MANY (two at once).
   *
   * @example
   * for await (const piece of client.backup()) await file.write(piece)
   */
  readonly backup: (options?: CallOptions) => AsyncGenerator<Uint8Array, void>
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
