import type { IoasidError } from './errors.ts'
import type { LeaseInfo } from './lease-types.ts'
import type { FreeResult, IoasidInfo, IoasidSet } from './types.ts'

/** What the daemon answers, where it is more than one thing. */

/**
 * The answer to a change.
 *
 * @example
 * const { revision }: Changed = await client.attachSpid({ setHandle, ioasid: 7, spid: 101 })
 */
export interface Changed {
  /** The revision of the change; where nothing changed the current one. */
  readonly revision: bigint
}

/**
 * The answer to createSet, adjustQuota and deleteSet.
 *
 * @example
 * const { set, revision }: SetChanged = await client.createSet({ token: 'vm-a' })
 */
export interface SetChanged extends Changed {
  /** The set as it is after the change. */
  readonly set: IoasidSet
}

/**
 * The answer to allocate.
 *
 * @example
 * const { ioasids: [ioasid] }: Allocated = await client.allocate({ setHandle })
 */
export interface Allocated extends Changed {
  /** The ids, in the order in which the daemon took them; the revision is their generation. */
  readonly ioasids: readonly number[]
}

/**
 * The answer to free.
 *
 * @example
 * const { results }: Freed = await client.free({ setHandle, ioasids: [7] })
 */
export interface Freed extends Changed {
  /** One for each id, in the order of the request. */
  readonly results: readonly FreeResult[]
}

/**
 * The answer to freeAll.
 *
 * @example
 * const { pending }: FreedAll = await client.freeAll({ setHandle })
 */
export interface FreedAll extends Changed {
  /** How many ids this reclaimed. */
  readonly reclaimed: number
  /** How many ids of the set are pending now, those that were before included. */
  readonly pending: number
}

/**
 * The answer to findBySpid.
 *
 * @example
 * const { info }: Found = await client.findBySpid({ token: 'vm-a', spid: 101 })
 */
export interface Found extends Changed {
  /** The id. */
  readonly info: IoasidInfo
}

/**
 * The answer to acquire.
 *
 * @example
 * const { references }: Acquired = await client.acquire({ token: 'vm-a', ioasid: 7, leaseHandle })
 */
export interface Acquired extends Changed {
  /** The id's references after it, the sum of all leases' counts. */
  readonly references: number
}

/**
 * The answer to release.
 *
 * @example
 * const { reclaimed }: Released = await client.release({ token: 'vm-a', ioasid: 7, leaseHandle })
 */
export interface Released extends Acquired {
  /** This was the last reference of a pending id, which is reclaimed now. */
  readonly reclaimed: boolean
}

/**
 * The answer to grantLease and keepLeaseAlive.
 *
 * @example
 * const { lease, revision }: LeaseChanged = await client.grantLease({ ttlMs: 30_000 })
 */
export interface LeaseChanged extends Changed {
  /** The lease as it is after it, with its handle. */
  readonly lease: LeaseInfo
}

/**
 * What became of one item of a batch: the answer of its kind, or its failure.
 *
 * @example
 * if (result.kind === 'failure') console.error(result.error.reason)
 */
export type BatchResult =
  | ({ readonly kind: 'allocate' } & Allocated)
  | ({ readonly kind: 'free' } & Freed)
  | ({ readonly kind: 'attachSpid' | 'detachSpid' | 'attachData' | 'detachData' } & Changed)
  | ({ readonly kind: 'acquire' } & Acquired)
  | ({ readonly kind: 'release' } & Released)
  | { readonly kind: 'failure'; readonly error: IoasidError }
