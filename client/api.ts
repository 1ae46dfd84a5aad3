import type { AdminApi } from './admin-api.ts'
import type { Allocated, BatchResult, Changed, Found, Freed, FreedAll, SetChanged } from './answers.ts'
import type { CallOptions, FreeOptions } from './call.ts'
import type { LeaseApi } from './lease-api.ts'
import type {
  AdjustQuotaRequest,
  AllocateRequest,
  AttachDataRequest,
  AttachSpidRequest,
  BatchItem,
  CreateSetRequest,
  DeleteSetRequest,
  DetachDataRequest,
  DetachSpidRequest,
  FindBySpidRequest,
  FreeAllRequest,
  FreeRequest,
  GetIoasidRequest,
  ListIoasidsRequest,
  ListSetsRequest,
  SetRef,
} from './requests.ts'
import type { SubscribeOptions, Subscription } from './subscription-types.ts'
import type { IoasidInfo, IoasidSet } from './types.ts'

/**
 * The daemon, as functions. A call rejects with IoasidError and nothing else. Changes and reads alike are tried again
 * while nobody answers (UNAVAILABLE), until their deadline; a change that was tried twice happened once. Where the daemon
 * has a policy each call may also be refused with NOT_PERMITTED or, on a connection that does not say whose it is,
 * NO_IDENTITY.
 *
 * @example
 * const client = connect()
 * const { set } = await client.createSet({ token: 'vm-a', quota: 16 })
 * const { ioasids } = await client.allocate({ setHandle: set.setHandle, spids: [101] })
 * await client.close()
 */
export interface Client extends LeaseApi, AdminApi {
  /**
   * Makes a set and reserves its quota. Reasons: TOKEN_IN_USE, LEASE_NOT_FOUND, CAPACITY_EXCEEDED, TOO_MANY.
   *
   * @example
   * const { set } = await client.createSet({ token: 'vm-a', quota: 16 })
   */
  readonly createSet: (request?: CreateSetRequest, options?: CallOptions) => Promise<SetChanged>
  /**
   * Finds a live set, also a draining one. Reasons: SET_NOT_FOUND.
   *
   * @example
   * const set = await client.getSet({ token: 'vm-a' })
   */
  readonly getSet: (ref: SetRef, options?: CallOptions) => Promise<IoasidSet>
  /**
   * Lists the live sets by setId, over all pages; the deadline is that of each page. What lives throughout the listing
   * is listed exactly once.
   *
   * @example
   * for await (const set of client.listSets({ tokenPrefix: 'vm-' })) console.log(set.token)
   */
  readonly listSets: (request?: ListSetsRequest, options?: CallOptions) => AsyncGenerator<IoasidSet, void>
  /**
   * Gives a set another quota. Reasons: SET_NOT_FOUND, SET_DRAINING, QUOTA_BELOW_USE, CAPACITY_EXCEEDED.
   *
   * @example
   * await client.adjustQuota({ setHandle, quota: 32 })
   */
  readonly adjustQuota: (request: AdjustQuotaRequest, options?: CallOptions) => Promise<SetChanged>
  /**
   * Ends a set, with `force` its ids too. Reasons: SET_NOT_FOUND, SET_NOT_EMPTY.
   *
   * @example
   * const { set } = await client.deleteSet({ setHandle, force: true })
   * if (set.state === 'DRAINING') console.log(`holders still clean up ${set.freePending} ids`)
   */
  readonly deleteSet: (request: DeleteSetRequest, options?: CallOptions) => Promise<SetChanged>
  /**
   * Takes free ids for a set, all or none, and binds them to `spids` if given. Reasons: INVALID_RANGE, INVALID_SPID,
   * SET_NOT_FOUND, SET_DRAINING, SPID_IN_USE, QUOTA_EXCEEDED, CAPACITY_EXCEEDED, RANGE_EXHAUSTED, TOO_MANY.
   *
   * @example
   * const { ioasids } = await client.allocate({ setHandle, count: 4 })
   */
  readonly allocate: (request: AllocateRequest, options?: CallOptions) => Promise<Allocated>
  /**
   * Ends the life of ids of one set, all or none; a SPID is detached first. With `waitForReclaim` it resolves when holders
   * have cleaned up too, and every result is FREE. Reasons: SET_NOT_FOUND, IOASID_NOT_FOUND, WRONG_SET, STALE_GENERATION.
   *
   * @example
   * await client.free({ setHandle, ioasids, generation: revision }, { waitForReclaim: true })
   */
  readonly free: (request: FreeRequest, options?: FreeOptions) => Promise<Freed>
  /**
   * Frees every id of a set, in one revision; the set stays. Reasons: SET_NOT_FOUND.
   *
   * @example
   * const { reclaimed, pending } = await client.freeAll({ setHandle })
   */
  readonly freeAll: (request: FreeAllRequest, options?: CallOptions) => Promise<FreedAll>
  /**
   * Shows an allocated id. Reasons: IOASID_NOT_FOUND, with a handle also SET_NOT_FOUND and WRONG_SET.
   *
   * @example
   * const info = await client.getIoasid({ ioasid: 7 })
   */
  readonly getIoasid: (request: GetIoasidRequest, options?: CallOptions) => Promise<IoasidInfo>
  /**
   * Finds an id by its SPID in its set and, with `acquireForLease`, takes a reference in the same step, so that it cannot
   * go between. Reasons: INVALID_SPID, SET_NOT_FOUND, SPID_NOT_FOUND; with `acquireForLease` also LEASE_NOT_FOUND,
   * FREE_PENDING, TOO_MANY.
   *
   * @example
   * const { info } = await client.findBySpid({ token: 'vm-a', spid: 101 })
   */
  readonly findBySpid: (request: FindBySpidRequest, options?: CallOptions) => Promise<Found>
  /**
   * Lists the ids of a set, ascending, over all pages; the deadline is that of each page. Reasons: SET_NOT_FOUND.
   *
   * @example
   * for await (const { ioasid, spid } of client.listIoasids({ token: 'vm-a' })) console.log(ioasid, spid)
   */
  readonly listIoasids: (request: ListIoasidsRequest, options?: CallOptions) => AsyncGenerator<IoasidInfo, void>
  /**
   * Binds an id to a SPID for a device. Reasons: INVALID_SPID, SET_NOT_FOUND, IOASID_NOT_FOUND, WRONG_SET, FREE_PENDING,
   * ALREADY_BOUND, SPID_IN_USE, TOO_MANY.
   *
   * @example
   * await client.attachSpid({ setHandle, ioasid, spid: 101, device: '0000:3b:00.0' })
   */
  readonly attachSpid: (request: AttachSpidRequest, options?: CallOptions) => Promise<Changed>
  /**
   * Ends a device's binding. Reasons: SET_NOT_FOUND, IOASID_NOT_FOUND, WRONG_SET, FREE_PENDING, NOT_BOUND.
   *
   * @example
   * await client.detachSpid({ setHandle, ioasid, device: '0000:3b:00.0' })
   */
  readonly detachSpid: (request: DetachSpidRequest, options?: CallOptions) => Promise<Changed>
  /**
   * Attaches the owner's private data to an id. Reasons: SET_NOT_FOUND, IOASID_NOT_FOUND, WRONG_SET, FREE_PENDING,
   * DATA_ATTACHED, TOO_MANY.
   *
   * @example
   * await client.attachData({ setHandle, ioasid, privateData: new TextEncoder().encode('queue 3') })
   */
  readonly attachData: (request: AttachDataRequest, options?: CallOptions) => Promise<Changed>
  /**
   * Takes the private data from an id. Reasons: SET_NOT_FOUND, IOASID_NOT_FOUND, WRONG_SET, NO_DATA.
   *
   * @example
   * await client.detachData({ setHandle, ioasid })
   */
  readonly detachData: (request: DetachDataRequest, options?: CallOptions) => Promise<Changed>
  /**
   * Does 1 to 1,000 requests in order, each for itself: it is no transaction. They name at most 65,536 ids and 3 MiB in
   * all. The results are in the order of the items. Where the form of an item is wrong, nothing is sent.
   *
   * @example
   * const [allocated] = await client.batch([{ kind: 'allocate', setHandle }, { kind: 'free', setHandle, ioasids: [7] }])
   */
  readonly batch: (items: readonly BatchItem[], options?: CallOptions) => Promise<readonly BatchResult[]>
  /**
   * What happens to sets and ids, in revision order, with nothing missing and nothing twice, also across restarts of the
   * daemon. See SubscribeOptions and Subscription.
   *
   * @example
   * for await (const item of client.subscribe({ tokens: ['vm-a'], start: 'now' })) console.log(item)
   */
  readonly subscribe: (options: SubscribeOptions) => Subscription
  /**
   * Ends what is open: calls reject with CANCELLED, subscriptions end. May be called again.
   *
   * @example
   * await client.close()
   */
  readonly close: () => Promise<void>
  /** The same, for `await using client = connect()`. */
  readonly [Symbol.asyncDispose]: () => Promise<void>
}
