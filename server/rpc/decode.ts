import type { AcquireRequest__Output } from '../../proto/gen/ioasid/v1/AcquireRequest.ts'
import type { AdjustQuotaRequest__Output } from '../../proto/gen/ioasid/v1/AdjustQuotaRequest.ts'
import type { AllocateRequest__Output } from '../../proto/gen/ioasid/v1/AllocateRequest.ts'
import type { AttachDataRequest__Output } from '../../proto/gen/ioasid/v1/AttachDataRequest.ts'
import type { AttachSpidRequest__Output } from '../../proto/gen/ioasid/v1/AttachSpidRequest.ts'
import type { CreateSetRequest__Output } from '../../proto/gen/ioasid/v1/CreateSetRequest.ts'
import type { DeleteSetRequest__Output } from '../../proto/gen/ioasid/v1/DeleteSetRequest.ts'
import type { DetachDataRequest__Output } from '../../proto/gen/ioasid/v1/DetachDataRequest.ts'
import type { DetachSpidRequest__Output } from '../../proto/gen/ioasid/v1/DetachSpidRequest.ts'
import type { FindBySpidRequest__Output } from '../../proto/gen/ioasid/v1/FindBySpidRequest.ts'
import type { FreeAllRequest__Output } from '../../proto/gen/ioasid/v1/FreeAllRequest.ts'
import type { FreeRequest__Output } from '../../proto/gen/ioasid/v1/FreeRequest.ts'
import type { GrantLeaseRequest__Output } from '../../proto/gen/ioasid/v1/GrantLeaseRequest.ts'
import type { ReleaseRequest__Output } from '../../proto/gen/ioasid/v1/ReleaseRequest.ts'
import type { Caller } from '../core/caller.ts'
import type { Command, SetRef } from '../core/command.ts'
import { fail } from '../core/failure.ts'
import { asIoasid, type Ioasid, type LeaseId, type SetId } from '../core/ids.ts'
import type { Handles } from '../engine/handles.ts'
import { requestKey } from '../engine/request-digest.ts'
import type { Request } from '../engine/sequencer.ts'
import { data, handle, MAX_IDS, MAX_REQUEST_ID_BYTES, spid, spids, text, uint64 } from './fields.ts'
import { refuse, refuseField } from './refused.ts'

/**
 * Requests to commands: every field checked, every default filled in, handles turned into the numbers of their sets. A
 * wrong request throws Refused before anything was looked at.
 */

/** What decoding needs to know of the space. */
export interface DecodeContext {
  readonly handles: Handles
  readonly capacity: number
}

/** Without a policy identities decide nothing: all callers share one space of request_ids, whichever way they come. */
const EVERYBODY = ''

export function decodeRequestId(
  { request_id }: { readonly request_id: string },
  { identity, rights }: Caller,
): Request | undefined {
  if (request_id === '') return undefined
  const requestId = text('request_id', request_id, MAX_REQUEST_ID_BYTES)
  return { key: requestKey(rights === undefined ? EVERYBODY : identity, requestId), requestId }
}

export function decodeCreateSet(context: DecodeContext, request: CreateSetRequest__Output): Command {
  const { token, quota, lease_handle } = request
  return { kind: 'create_set', token: text('token', token), quota, leaseId: optionalLease(context, lease_handle) }
}

export function decodeAdjustQuota(context: DecodeContext, request: AdjustQuotaRequest__Output): Command {
  return { kind: 'adjust_quota', setId: ownSet(context, request), quota: request.quota }
}

export function decodeDeleteSet(context: DecodeContext, request: DeleteSetRequest__Output): Command {
  return { kind: 'delete_set', setId: ownSet(context, request), force: request.force }
}

export function decodeAllocate(context: DecodeContext, request: AllocateRequest__Output): Command {
  const setId = ownSet(context, request)
  const { capacity } = context
  const count = allocateCount(request)
  if (count < 1 || count > MAX_IDS) refuseField('count', `${count}; 1 to ${MAX_IDS} are allowed.`)
  const min = request.min ?? 0
  const max = request.max ?? capacity - 1
  if (min > max || max >= capacity) {
    const message = `min ${min} to max ${max} is no range within 0 to ${capacity - 1}.`
    refuse(fail('INVALID_RANGE', message, { min, max, capacity }))
  }
  return {
    kind: 'allocate',
    setId,
    count,
    min,
    max,
    spids: request.spids.length > 0 ? spids('spids', request.spids, count) : null,
    privateData: request.private_data === undefined ? null : data('private_data', request.private_data),
  }
}

/** How many ids an Allocate names: what a Batch counts, before the request is decoded. */
export function allocateCount({ count, spids: given }: AllocateRequest__Output): number {
  return count ?? Math.max(1, given.length)
}

export function decodeFree(context: DecodeContext, request: FreeRequest__Output): Command {
  const setId = ownSet(context, request)
  const generation = request.generation === undefined ? null : uint64(request.generation)
  return { kind: 'free', setId, ioasids: differentIds('ioasids', request.ioasids), generation }
}

export function decodeFreeAll(context: DecodeContext, request: FreeAllRequest__Output): Command {
  return { kind: 'free_all', setId: ownSet(context, request) }
}

export function decodeAttachSpid(context: DecodeContext, request: AttachSpidRequest__Output): Command {
  return {
    kind: 'attach_spid',
    setId: ownSet(context, request),
    ioasid: asIoasid(request.ioasid),
    spid: spid('spid', request.spid),
    device: text('device', request.device ?? ''),
  }
}

export function decodeDetachSpid(context: DecodeContext, request: DetachSpidRequest__Output): Command {
  return {
    kind: 'detach_spid',
    setId: ownSet(context, request),
    ioasid: asIoasid(request.ioasid),
    device: text('device', request.device ?? ''),
  }
}

export function decodeAttachData(context: DecodeContext, request: AttachDataRequest__Output): Command {
  return {
    kind: 'attach_data',
    setId: ownSet(context, request),
    ioasid: asIoasid(request.ioasid),
    privateData: data('private_data', request.private_data),
  }
}

export function decodeDetachData(context: DecodeContext, request: DetachDataRequest__Output): Command {
  return { kind: 'detach_data', setId: ownSet(context, request), ioasid: asIoasid(request.ioasid) }
}

export function decodeAcquire(context: DecodeContext, request: AcquireRequest__Output): Command {
  return reference(context, 'acquire', request)
}

export function decodeRelease(context: DecodeContext, request: ReleaseRequest__Output): Command {
  return reference(context, 'release', request)
}

function reference(
  context: DecodeContext,
  kind: 'acquire' | 'release',
  request: AcquireRequest__Output | ReleaseRequest__Output,
): Command {
  const set = decodeSetRef(context, request)
  return { kind, set, ioasid: asIoasid(request.ioasid), leaseId: decodeLease(context, request.lease_handle) }
}

/** leaseId null: it finds, and acquires nothing. */
export function decodeFindBySpid(context: DecodeContext, request: FindBySpidRequest__Output) {
  return {
    set: decodeSetRef(context, request),
    spid: spid('spid', request.spid),
    leaseId: optionalLease(context, request.acquire_for_lease, 'acquire_for_lease'),
  }
}

export function decodeGrantLease({ minTtlMs, maxTtlMs }: LeaseBounds, request: GrantLeaseRequest__Output): Command {
  const ttlMs = uint64(request.ttl_ms)
  if (ttlMs < minTtlMs || ttlMs > maxTtlMs) {
    refuseField('ttl_ms', `${request.ttl_ms}; ${minTtlMs} to ${maxTtlMs} are allowed.`)
  }
  return {
    kind: 'grant_lease',
    terms: { name: text('name', request.name), ttlMs, onExpiry: onExpiry(request.on_expiry) },
  }
}

/** What a lease may be granted for, ms. */
export interface LeaseBounds {
  readonly minTtlMs: number
  readonly maxTtlMs: number
}

function onExpiry(value: string | number): 'RELEASE' | 'HOLD' {
  if (value === 'HOLD') return 'HOLD'
  if (value === 'RELEASE' || value === 'ON_EXPIRY_UNSPECIFIED') return 'RELEASE'
  return refuseField('on_expiry', 'neither RELEASE nor HOLD.')
}

/** The lease of a handle; NO_LEASE where it names none. */
export function decodeLease({ handles }: DecodeContext, lease_handle: string): LeaseId {
  return handles.toLease(handle('lease_handle', lease_handle))
}

function optionalLease({ handles }: DecodeContext, value: string | undefined, field = 'lease_handle'): LeaseId | null {
  return value !== undefined && isGiven(field, value) ? handles.toLease(value) : null
}

/** What a request names its set by: the oneof set_ref. */
interface SetRefFields {
  readonly set_handle?: string
  readonly token?: string
}

export function decodeSetRef({ handles }: DecodeContext, { set_handle, token }: SetRefFields): SetRef {
  // No encoder writes both; protobufjs keeps both, and two readers of the bytes might not agree on which one counts.
  if (set_handle !== undefined && token !== undefined) refuseField('set_ref', 'both set_handle and token are set.')
  if (set_handle !== undefined) return { setId: handles.toSet(handle('set_handle', set_handle)) }
  if (token === undefined) return refuseField('set_ref', 'neither set_handle nor token is set.')
  if (token === '') return refuseField('token', 'empty; an anonymous set is named by its handle.')
  return { token: text('token', token) }
}

/** Something that may be left out; empty means the same. */
function isGiven(field: string, value: string | undefined): boolean {
  return value !== undefined && value !== '' && handle(field, value) !== ''
}

/** The set of a handle that may be left out. NO_SET: given, but it names none. */
export function decodePresented({ handles }: DecodeContext, value: string | undefined): SetId | undefined {
  return value !== undefined && isGiven('set_handle', value) ? handles.toSet(value) : undefined
}

function ownSet({ handles }: DecodeContext, { set_handle }: { readonly set_handle: string }): SetId {
  return handles.toSet(handle('set_handle', set_handle))
}

function differentIds(field: string, values: readonly number[]): readonly Ioasid[] {
  if (values.length < 1 || values.length > MAX_IDS) {
    return refuseField(field, `${values.length} ids; 1 to ${MAX_IDS} are allowed.`)
  }
  if (new Set(values).size < values.length) return refuseField(field, 'the same id twice.')
  return values.map(asIoasid)
}
