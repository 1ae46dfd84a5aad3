import type { AcknowledgeRequest as WireAcknowledge } from '../proto/gen/ioasid/v1/AcknowledgeRequest.ts'
import type { GrantLeaseRequest as WireGrantLease } from '../proto/gen/ioasid/v1/GrantLeaseRequest.ts'
import type { ListLeasesRequest as WireListLeases } from '../proto/gen/ioasid/v1/ListLeasesRequest.ts'
import type { RevokeLeaseRequest as WireRevokeLease } from '../proto/gen/ioasid/v1/RevokeLeaseRequest.ts'
import { check, given, handle, name, oneOf, requestId, uint32, uint64, wholeNumber } from './check.ts'
import type {
  AcknowledgeRequest,
  GrantLeaseRequest,
  LeaseRequest,
  ListLeasesRequest,
  RevokeLeaseRequest,
} from './lease-types.ts'

/** From what callers give to the wire, checked: what LeaseService and Acknowledge take. */

/** What is too short or too long is the daemon's to say: it is configured. */
const ttl = wholeNumber(1, Number.MAX_SAFE_INTEGER)
const onExpiry = oneOf(['RELEASE', 'HOLD'])

export function encodeGrantLease(request: GrantLeaseRequest): WireGrantLease {
  check(request, ['ttlMs', 'name', 'onExpiry', 'requestId'])
  return {
    ttl_ms: ttl('ttl_ms', request.ttlMs),
    ...given('name', request.name, name),
    ...given('on_expiry', request.onExpiry, onExpiry),
    request_id: requestId(request.requestId),
  }
}

/** For KeepLeaseAlive and GetLease, which change nothing that may not be done twice. */
export function encodeLease(request: LeaseRequest): { lease_handle: string } {
  check(request, ['leaseHandle'])
  return { lease_handle: handle('lease_handle', request.leaseHandle) }
}

export function encodeRevokeLease(request: RevokeLeaseRequest): WireRevokeLease {
  check(request, ['leaseHandle', 'requestId'])
  return { lease_handle: handle('lease_handle', request.leaseHandle), request_id: requestId(request.requestId) }
}

export function encodeListLeases(request: ListLeasesRequest): WireListLeases {
  check(request, ['pageSize'])
  return given('page_size', request.pageSize, uint32)
}

/** Without a request_id: done twice it is done once. */
export function encodeAcknowledge(request: AcknowledgeRequest): WireAcknowledge {
  check(request, ['leaseHandle', 'revision', 'spaceId'])
  return {
    lease_handle: handle('lease_handle', request.leaseHandle),
    revision: uint64('revision', request.revision),
    ...given('space_id', request.spaceId, name),
  }
}
