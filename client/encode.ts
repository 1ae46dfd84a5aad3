import type { AcquireRequest as WireAcquire } from '../proto/gen/ioasid/v1/AcquireRequest.ts'
import type { AdjustQuotaRequest as WireAdjustQuota } from '../proto/gen/ioasid/v1/AdjustQuotaRequest.ts'
import type { AllocateRequest as WireAllocate } from '../proto/gen/ioasid/v1/AllocateRequest.ts'
import type { AttachDataRequest as WireAttachData } from '../proto/gen/ioasid/v1/AttachDataRequest.ts'
import type { AttachSpidRequest as WireAttachSpid } from '../proto/gen/ioasid/v1/AttachSpidRequest.ts'
import type { BatchItem as WireBatchItem } from '../proto/gen/ioasid/v1/BatchItem.ts'
import type { BatchRequest as WireBatch } from '../proto/gen/ioasid/v1/BatchRequest.ts'
import type { CreateSetRequest as WireCreateSet } from '../proto/gen/ioasid/v1/CreateSetRequest.ts'
import type { DeleteSetRequest as WireDeleteSet } from '../proto/gen/ioasid/v1/DeleteSetRequest.ts'
import type { DetachDataRequest as WireDetachData } from '../proto/gen/ioasid/v1/DetachDataRequest.ts'
import type { DetachSpidRequest as WireDetachSpid } from '../proto/gen/ioasid/v1/DetachSpidRequest.ts'
import type { FindBySpidRequest as WireFindBySpid } from '../proto/gen/ioasid/v1/FindBySpidRequest.ts'
import type { FreeAllRequest as WireFreeAll } from '../proto/gen/ioasid/v1/FreeAllRequest.ts'
import type { FreeRequest as WireFree } from '../proto/gen/ioasid/v1/FreeRequest.ts'
import type { GetIoasidRequest as WireGetIoasid } from '../proto/gen/ioasid/v1/GetIoasidRequest.ts'
import type { GetSetRequest as WireGetSet } from '../proto/gen/ioasid/v1/GetSetRequest.ts'
import type { ListIoasidsRequest as WireListIoasids } from '../proto/gen/ioasid/v1/ListIoasidsRequest.ts'
import type { ListSetsRequest as WireListSets } from '../proto/gen/ioasid/v1/ListSetsRequest.ts'
import type { ReleaseRequest as WireRelease } from '../proto/gen/ioasid/v1/ReleaseRequest.ts'
import {
  bytes,
  check,
  flag,
  given,
  handle,
  listOf,
  name,
  requestId,
  token,
  uint32,
  uint64,
  wholeNumber,
} from './check.ts'
import { IoasidError, invalidField } from './errors.ts'
import { MAX_IDS } from './limits.ts'
import type {
  AcquireRequest,
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
  ReleaseRequest,
  SetRef,
} from './requests.ts'

/** From what callers give to the wire, checked. A changing request gets its request_id here, once. */

const MAX_BATCH_ITEMS = 1000

export function encodeCreateSet(request: CreateSetRequest): WireCreateSet {
  check(request, ['token', 'quota', 'leaseHandle', 'requestId'])
  return {
    ...given('token', request.token, name),
    ...given('quota', request.quota, uint32),
    ...given('lease_handle', request.leaseHandle, handle),
    request_id: requestId(request.requestId),
  }
}

export function encodeGetSet(ref: SetRef): WireGetSet {
  check(ref, ['setHandle', 'token'])
  return encodeSetRef(ref)
}

export function encodeListSets(request: ListSetsRequest): WireListSets {
  check(request, ['tokenPrefix', 'pageSize'])
  return {
    ...given('token_prefix', request.tokenPrefix, name),
    ...given('page_size', request.pageSize, uint32),
  }
}

export function encodeAdjustQuota(request: AdjustQuotaRequest): WireAdjustQuota {
  check(request, ['setHandle', 'quota', 'requestId'])
  return { ...owner(request), quota: uint32('quota', request.quota) }
}

export function encodeDeleteSet(request: DeleteSetRequest): WireDeleteSet {
  check(request, ['setHandle', 'force', 'requestId'])
  return { ...owner(request), ...given('force', request.force, flag) }
}

const countField = wholeNumber(1, MAX_IDS)
const spidsField = listOf(0, MAX_IDS, uint32)

/** Not with `given`: an object for each field that may be absent is a twentieth of what a call in a Batch costs. */
export function encodeAllocate(request: AllocateRequest): WireAllocate {
  check(request, ['setHandle', 'count', 'min', 'max', 'spids', 'privateData', 'requestId'])
  const { count, min, max, spids, privateData } = request
  const wire: WireAllocate = owner(request)
  if (count !== undefined) wire.count = countField('count', count)
  if (min !== undefined) wire.min = uint32('min', min)
  if (max !== undefined) wire.max = uint32('max', max)
  if (spids !== undefined) wire.spids = spidsField('spids', spids)
  if (privateData !== undefined) wire.private_data = bytes('private_data', privateData)
  return wire
}

export function encodeFree(request: FreeRequest): WireFree {
  check(request, ['setHandle', 'ioasids', 'generation', 'requestId'])
  return {
    ...owner(request),
    ioasids: listOf(1, MAX_IDS, uint32)('ioasids', request.ioasids),
    ...given('generation', request.generation, uint64),
  }
}

export function encodeFreeAll(request: FreeAllRequest): WireFreeAll {
  check(request, ['setHandle', 'requestId'])
  return owner(request)
}

export function encodeGetIoasid(request: GetIoasidRequest): WireGetIoasid {
  check(request, ['ioasid', 'setHandle'])
  return { ioasid: uint32('ioasid', request.ioasid), ...given('set_handle', request.setHandle, handle) }
}

export function encodeFindBySpid(request: FindBySpidRequest): WireFindBySpid {
  check(request, ['setHandle', 'token', 'spid', 'acquireForLease', 'requestId'])
  return {
    ...encodeSetRef(request),
    spid: uint32('spid', request.spid),
    ...given('acquire_for_lease', request.acquireForLease, handle),
    request_id: requestId(request.requestId),
  }
}

export function encodeListIoasids(request: ListIoasidsRequest): WireListIoasids {
  check(request, ['setHandle', 'token', 'pageSize'])
  return { ...encodeSetRef(request), ...given('page_size', request.pageSize, uint32) }
}

export function encodeAttachSpid(request: AttachSpidRequest): WireAttachSpid {
  check(request, ['setHandle', 'ioasid', 'spid', 'device', 'requestId'])
  return {
    ...owner(request),
    ioasid: uint32('ioasid', request.ioasid),
    spid: uint32('spid', request.spid),
    ...given('device', request.device, name),
  }
}

export function encodeDetachSpid(request: DetachSpidRequest): WireDetachSpid {
  check(request, ['setHandle', 'ioasid', 'device', 'requestId'])
  return { ...owner(request), ioasid: uint32('ioasid', request.ioasid), ...given('device', request.device, name) }
}

export function encodeAttachData(request: AttachDataRequest): WireAttachData {
  check(request, ['setHandle', 'ioasid', 'privateData', 'requestId'])
  return {
    ...owner(request),
    ioasid: uint32('ioasid', request.ioasid),
    private_data: bytes('private_data', request.privateData),
  }
}

export function encodeDetachData(request: DetachDataRequest): WireDetachData {
  check(request, ['setHandle', 'ioasid', 'requestId'])
  return { ...owner(request), ioasid: uint32('ioasid', request.ioasid) }
}

/** As an item of a batch, a request has lost that it names its set in one of two ways: encodeSetRef looks. */
type Loosely<Request extends SetRef> = Omit<Request, keyof SetRef> & AnySetRef

/** For Acquire and Release, which name the same. */
export function encodeReference(request: Loosely<AcquireRequest | ReleaseRequest>): WireAcquire & WireRelease {
  check(request, ['setHandle', 'token', 'ioasid', 'leaseHandle', 'requestId'])
  return {
    ...encodeSetRef(request),
    ioasid: uint32('ioasid', request.ioasid),
    lease_handle: handle('lease_handle', request.leaseHandle),
    request_id: requestId(request.requestId),
  }
}

export function encodeBatch(items: readonly BatchItem[]): WireBatch {
  return { items: listOf(1, MAX_BATCH_ITEMS, encodeItem)('items', items) }
}

/** In an item the fields are named with the way to them, as the daemon names them. */
function encodeItem(path: string, item: BatchItem): WireBatchItem {
  switch (item?.kind) {
    case 'allocate':
      return { allocate: inside(`${path}.allocate`, item, encodeAllocate) }
    case 'free':
      return { free: inside(`${path}.free`, item, encodeFree) }
    case 'attachSpid':
      return { attach_spid: inside(`${path}.attach_spid`, item, encodeAttachSpid) }
    case 'detachSpid':
      return { detach_spid: inside(`${path}.detach_spid`, item, encodeDetachSpid) }
    case 'attachData':
      return { attach_data: inside(`${path}.attach_data`, item, encodeAttachData) }
    case 'detachData':
      return { detach_data: inside(`${path}.detach_data`, item, encodeDetachData) }
    case 'acquire':
      return { acquire: inside(`${path}.acquire`, item, encodeReference) }
    case 'release':
      return { release: inside(`${path}.release`, item, encodeReference) }
    default:
      throw invalidField(path, 'of no known kind.')
  }
}

function inside<Request, Wire>(
  path: string,
  { kind, ...request }: Request & { readonly kind: string },
  encode: (request: Omit<Request, 'kind'>) => Wire,
): Wire {
  try {
    return encode(request)
  } catch (error) {
    const wrong = error instanceof IoasidError ? error.violations[0] : undefined
    throw wrong === undefined ? error : invalidField(`${path}.${wrong.field}`, wrong.description)
  }
}

function owner(request: { readonly setHandle: string; readonly requestId?: string | undefined }) {
  return { set_handle: handle('set_handle', request.setHandle), request_id: requestId(request.requestId) }
}

interface AnySetRef {
  readonly setHandle?: string | undefined
  readonly token?: string | undefined
}

function encodeSetRef({ setHandle, token: named }: AnySetRef): { set_handle: string } | { token: string } {
  if (setHandle !== undefined && named !== undefined)
    throw invalidField('set_ref', 'a handle and a token; one is wanted.')
  if (named !== undefined) return { token: token('token', named) }
  if (setHandle === undefined) throw invalidField('set_ref', 'missing; a handle or a token is wanted.')
  return { set_handle: handle('set_handle', setHandle) }
}
