/** What callers ask for. Every limit here is checked before anything is sent: INVALID_FIELD by the name in the proto. */

/** A request that changes something. */
export interface Change {
  /**
   * Makes the change safe to send again, at most 64 bytes and unguessable. Default: a fresh UUID, the same for every
   * attempt of the call. Give your own to repeat a request after a crash of your program.
   */
  readonly requestId?: string | undefined
}

/** A request to the owner of a set. */
interface OwnerRequest {
  /** The set's capability, as createSet gave it. */
  readonly setHandle: string
}

/**
 * Which set: by its handle, or by its token (1 to 255 bytes).
 *
 * @example
 * const byName: SetRef = { token: 'vm-a' }
 */
export type SetRef =
  | { readonly setHandle: string; readonly token?: undefined }
  | { readonly token: string; readonly setHandle?: undefined }

/**
 * See Client.createSet.
 *
 * @example
 * const request: CreateSetRequest = { token: 'vm-a', quota: 16 }
 */
export interface CreateSetRequest extends Change {
  /** The public name, at most 255 bytes of UTF-8 without control characters. Default '': an anonymous set. */
  readonly token?: string | undefined
  /** In ids, 0 to 4,294,967,295: a limit and a reservation. Default 0: neither. */
  readonly quota?: number | undefined
  /** The lease that it ends with, its ids freed. Default: none; it ends by deleteSet alone. */
  readonly leaseHandle?: string | undefined
}

/**
 * See Client.adjustQuota.
 *
 * @example
 * const request: AdjustQuotaRequest = { setHandle, quota: 32 }
 */
export interface AdjustQuotaRequest extends OwnerRequest, Change {
  /** The new quota in ids, 0 to 4,294,967,295; 0: no reservation and no limit. */
  readonly quota: number
}

/**
 * See Client.deleteSet.
 *
 * @example
 * const request: DeleteSetRequest = { setHandle, force: true }
 */
export interface DeleteSetRequest extends OwnerRequest, Change {
  /** Free its ids too. Default false: a set with ids is refused. */
  readonly force?: boolean | undefined
}

/**
 * See Client.listSets.
 *
 * @example
 * const request: ListSetsRequest = { tokenPrefix: 'vm-' }
 */
export interface ListSetsRequest {
  /** Only sets whose token begins with it, at most 255 bytes. Default '': all, and only then the anonymous ones. */
  readonly tokenPrefix?: string | undefined
  /** The most sets in one answer of the daemon, 0 to 4,294,967,295. Default 0: as the daemon likes. */
  readonly pageSize?: number | undefined
}

/**
 * See Client.allocate.
 *
 * @example
 * const restored: AllocateRequest = { setHandle, spids: [101, 102] }
 */
export interface AllocateRequest extends OwnerRequest, Change {
  /** How many, 1 to 65,536. Default: the number of `spids`, or 1. */
  readonly count?: number | undefined
  /** The lowest id wanted, inclusive. Default: the beginning of the space. */
  readonly min?: number | undefined
  /** The highest id wanted, inclusive. Default: the end of the space. */
  readonly max?: number | undefined
  /** SPIDs (0 ... 0xFFFFFFFE, different, `count` of them): the n-th is attached to the n-th id. Default: none. */
  readonly spids?: readonly number[] | undefined
  /** 1 to 4,096 bytes that each of the ids gets. Default: none. */
  readonly privateData?: Uint8Array | undefined
}

/**
 * See Client.free.
 *
 * @example
 * const request: FreeRequest = { setHandle, ioasids: [7], generation: 12n }
 */
export interface FreeRequest extends OwnerRequest, Change {
  /** 1 to 65,536 different ids of the set. */
  readonly ioasids: readonly number[]
  /** That of every id named, or nothing happens (STALE_GENERATION). Default: not checked. */
  readonly generation?: bigint | undefined
}

/**
 * See Client.freeAll.
 *
 * @example
 * const request: FreeAllRequest = { setHandle }
 */
export interface FreeAllRequest extends OwnerRequest, Change {}

/**
 * See Client.getIoasid.
 *
 * @example
 * const request: GetIoasidRequest = { ioasid: 7 }
 */
export interface GetIoasidRequest {
  /** The id. */
  readonly ioasid: number
  /** Its set's capability, to see private data and holders too. Default: what anyone may see. */
  readonly setHandle?: string | undefined
}

/**
 * See Client.findBySpid.
 *
 * @example
 * const request: FindBySpidRequest = { token: 'vm-a', spid: 101 }
 */
export type FindBySpidRequest = SetRef & {
  /** The SPID, 0 ... 0xFFFFFFFE. */
  readonly spid: number
  /** The handle of a lease that takes one reference to the id found. Default: only look. */
  readonly acquireForLease?: string | undefined
  /** As Change.requestId; of use with `acquireForLease` alone. */
  readonly requestId?: string | undefined
}

/**
 * See Client.listIoasids.
 *
 * @example
 * const request: ListIoasidsRequest = { token: 'vm-a', pageSize: 100 }
 */
export type ListIoasidsRequest = SetRef & {
  /** The most ids in one answer of the daemon, 0 to 4,294,967,295. Default 0: as the daemon likes. */
  readonly pageSize?: number | undefined
}

/** A request for one id of a set. */
interface IdRequest extends OwnerRequest, Change {
  /** An id of the set. */
  readonly ioasid: number
}

/**
 * See Client.attachSpid.
 *
 * @example
 * const request: AttachSpidRequest = { setHandle, ioasid: 7, spid: 101 }
 */
export interface AttachSpidRequest extends IdRequest {
  /** The SPID (guest PASID), 0 ... 0xFFFFFFFE. */
  readonly spid: number
  /** The device that binds it, at most 255 bytes. Default '': the unnamed one. */
  readonly device?: string | undefined
}

/**
 * See Client.detachSpid.
 *
 * @example
 * const request: DetachSpidRequest = { setHandle, ioasid: 7 }
 */
export interface DetachSpidRequest extends IdRequest {
  /** The device that unbinds it, at most 255 bytes. Default '': the unnamed one, not all of them. */
  readonly device?: string | undefined
}

/**
 * See Client.attachData.
 *
 * @example
 * const request: AttachDataRequest = { setHandle, ioasid: 7, privateData: Uint8Array.of(1, 2) }
 */
export interface AttachDataRequest extends IdRequest {
  /** 1 to 4,096 bytes. */
  readonly privateData: Uint8Array
}

/**
 * See Client.detachData.
 *
 * @example
 * const request: DetachDataRequest = { setHandle, ioasid: 7 }
 */
export interface DetachDataRequest extends IdRequest {}

/** A lease's reference to one id of a set. */
type ReferenceRequest = SetRef &
  Change & {
    /** An id of the set. */
    readonly ioasid: number
    /** The capability of the lease. */
    readonly leaseHandle: string
  }

/**
 * See Client.acquire.
 *
 * @example
 * const request: AcquireRequest = { token: 'vm-a', ioasid: 7, leaseHandle }
 */
export type AcquireRequest = ReferenceRequest

/**
 * See Client.release.
 *
 * @example
 * const request: ReleaseRequest = { token: 'vm-a', ioasid: 7, leaseHandle }
 */
export type ReleaseRequest = ReferenceRequest

/**
 * One request of a batch: that of the method of its kind.
 *
 * @example
 * const item: BatchItem = { kind: 'attachSpid', setHandle, ioasid: 7, spid: 101 }
 */
export type BatchItem =
  | ({ readonly kind: 'allocate' } & AllocateRequest)
  | ({ readonly kind: 'free' } & FreeRequest)
  | ({ readonly kind: 'attachSpid' } & AttachSpidRequest)
  | ({ readonly kind: 'detachSpid' } & DetachSpidRequest)
  | ({ readonly kind: 'attachData' } & AttachDataRequest)
  | ({ readonly kind: 'detachData' } & DetachDataRequest)
  | ({ readonly kind: 'acquire' } & AcquireRequest)
  | ({ readonly kind: 'release' } & ReleaseRequest)
