import type { CallOptions } from './call.ts'
import type { IoasidError } from './errors.ts'
import type { Change } from './requests.ts'

/** Leases: what is asked for, what the daemon tells, and the one that keeps itself alive. */

/**
 * When a holder is told of a teardown. CPU: at once, for KVM and its like, which stop the guest's submissions. IOMMU:
 * when the CPU holders have acknowledged it, for those who tear down contexts. DEVICE: when the IOMMU holders have, too.
 *
 * @example
 * const priority: Priority = 'CPU'
 */
export type Priority = 'CPU' | 'IOMMU' | 'DEVICE'

/**
 * A lease's hold: what a subscription with `hold` has registered. From BIND on each id that it matches has one reference
 * of the lease, until its teardown is acknowledged. It is durable and ends with the lease.
 *
 * @example
 * const { hold } = await client.getLease({ leaseHandle })
 * if (hold !== undefined) console.log(`${hold.priority}: acknowledged up to ${hold.acknowledgedRevision}`)
 */
export interface Hold {
  /** When it is told of teardowns. */
  readonly priority: Priority
  /** The sets that it holds by token. */
  readonly tokens: readonly string[]
  /** The sets that it holds by handle, as their public numbers. */
  readonly setIds: readonly bigint[]
  /** It holds in every set. */
  readonly all: boolean
  /** The revision of the registration. */
  readonly registerRevision: bigint
  /** The highest revision acknowledged; 0: none yet. */
  readonly acknowledgedRevision: bigint
}

/**
 * A holder's promise to be alive: references, and sets if wanted, belong to it and end with it.
 *
 * @example
 * for await (const { name, remainingMs } of client.listLeases()) console.log(`${name}: ${remainingMs} ms left`)
 */
export interface LeaseInfo {
  /** The capability; keep it like a key. Empty where the daemon does not give it out (listLeases). */
  readonly leaseHandle: string
  /** The public number, never 0 and never used twice. */
  readonly leaseId: bigint
  /** A name for people, may be empty. */
  readonly name: string
  /** How long it lasts from a renewal, in ms of serving time (the daemon's clock, which stops while it does not serve). */
  readonly ttlMs: number
  /** What is left of it, in ms of serving time; 0 when HELD. */
  readonly remainingMs: number
  /** What becomes of its references when it ends by time: they are dropped, or they stay and the lease is HELD. */
  readonly onExpiry: 'RELEASE' | 'HOLD'
  /** The sum of its references over all ids, those of its hold included. */
  readonly references: number
  /** How many sets end with it, draining ones included. */
  readonly sets: number
  /** HELD: its time ran out, and references are left that somebody has to release; a renewal revives it. */
  readonly state: 'ALIVE' | 'HELD'
  /** Its hold; undefined: none. */
  readonly hold: Hold | undefined
  /**
   * The identity that it was granted to, told as the owner of a set is, else empty. Where there is a policy its handle is of
   * use to that identity alone.
   */
  readonly owner: string
}

/** What a lease is granted with. */
interface LeaseTerms {
  /** How long it lasts from a renewal, in ms; the daemon allows 500 to 86,400,000 (24 h) by default. */
  readonly ttlMs: number
  /** A name for people, at most 255 bytes; it need not be unique. Default ''. */
  readonly name?: string | undefined
  /**
   * What becomes of its references when it ends by time. HOLD is for holders whose hardware state outlives their process:
   * the references stay until somebody releases them or revokes the lease. Default RELEASE: they are dropped.
   */
  readonly onExpiry?: 'RELEASE' | 'HOLD' | undefined
}

/**
 * See Client.grantLease.
 *
 * @example
 * const request: GrantLeaseRequest = { ttlMs: 30_000, name: 'kvm', onExpiry: 'HOLD' }
 */
export interface GrantLeaseRequest extends LeaseTerms, Change {}

/**
 * See Client.keepLeaseAlive and Client.getLease.
 *
 * @example
 * const request: LeaseRequest = { leaseHandle }
 */
export interface LeaseRequest {
  /** The lease's capability, as grantLease gave it. */
  readonly leaseHandle: string
}

/**
 * See Client.revokeLease.
 *
 * @example
 * const request: RevokeLeaseRequest = { leaseHandle }
 */
export interface RevokeLeaseRequest extends LeaseRequest, Change {}

/**
 * See Client.acknowledge.
 *
 * @example
 * const request: AcknowledgeRequest = { leaseHandle, ...cursor }
 */
export interface AcknowledgeRequest extends LeaseRequest {
  /** Cleaned up for everything at or below it: a cursor of the holder's own subscription, and no other. */
  readonly revision: bigint
  /**
   * The history that the revision belongs to, of the same cursor; another than the daemon's is HISTORY_CHANGED and settles
   * nothing. Default: not checked, so that after a restore it would settle other teardowns of the same number: give it.
   */
  readonly spaceId?: string | undefined
}

/**
 * See Client.listLeases.
 *
 * @example
 * const request: ListLeasesRequest = { pageSize: 100 }
 */
export interface ListLeasesRequest {
  /** The most leases in one answer of the daemon, 0 to 4,294,967,295. Default 0: as the daemon likes. */
  readonly pageSize?: number | undefined
}

/**
 * See Client.openLease.
 *
 * @example
 * const options: OpenLeaseOptions = { ttlMs: 10_000, name: 'kvm', onLost: (error) => console.error(error.message) }
 */
export interface OpenLeaseOptions extends LeaseTerms {
  /** As in GrantLeaseRequest, and at least 100: no shorter one can be renewed in time. */
  readonly ttlMs: number
  /** Gives up the opening when it is aborted (CANCELLED), and once the lease is open closes it, as Lease.close does. */
  readonly signal?: AbortSignal | undefined
  /** Called once when the lease is lost. What it throws is an uncaught exception of the program. */
  readonly onLost?: ((error: IoasidError) => void) | undefined
}

/**
 * A lease that keeps itself alive: it is renewed whenever a third of its time has passed, and tried again while nobody
 * answers. It keeps no process running. When it is lost, whoever holds ids by it must stop using them at once. Its time
 * is that of the runtime's monotonic clock, which stands still while the host sleeps.
 *
 * @example
 * await using lease = await client.openLease({ ttlMs: 10_000, name: 'device model' })
 * const { info } = await client.findBySpid({ token: 'vm-a', spid: 101, acquireForLease: lease.handle })
 * await work(info.ioasid, { signal: lease.signal })
 */
export interface Lease {
  /** The capability, for acquire, release, createSet and a subscription that holds. */
  readonly handle: string
  /** The public number. */
  readonly leaseId: bigint
  /**
   * Aborted when the lease is lost: the daemon does not know it any more (reason LEASE_NOT_FOUND), or `ttlMs` have passed
   * since the last renewal that was answered was sent (code DEADLINE_EXCEEDED, the cause is why). Its reason is that
   * IoasidError. Never aborted after `revoke` or `close`.
   */
  readonly signal: AbortSignal
  /** Resolves with the same error when the lease is lost; else never settles. It never rejects. */
  readonly lost: Promise<IoasidError>
  /**
   * Ends the lease now: its sets are deleted with force and its references dropped, whatever `onExpiry` says. A lease
   * that is gone already is no error. Where nobody answers (UNAVAILABLE) it may be called again; renewed it is no more.
   */
  readonly revoke: (options?: CallOptions) => Promise<void>
  /** Renews no more and sends nothing: the lease ends by time, as `onExpiry` says. May be called again. */
  readonly close: () => void
  /**
   * Revokes, for `await using lease = await client.openLease(...)`, however the block is left: clean up the hardware
   * before. A lease that is closed or lost is left alone, so that with HOLD its references stay.
   */
  readonly [Symbol.asyncDispose]: () => Promise<void>
}
