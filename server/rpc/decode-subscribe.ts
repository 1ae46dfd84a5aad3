import type { AcknowledgeRequest__Output } from '../../proto/gen/ioasid/v1/AcknowledgeRequest.ts'
import type { SubscribeRequest__Output } from '../../proto/gen/ioasid/v1/SubscribeRequest.ts'
import { NOTIFICATION_TYPES, type NotificationType, type Priority } from '../core/event.ts'
import type { AcknowledgeRequest } from '../engine/acknowledge.ts'
import { ALL_TYPES } from '../engine/filter.ts'
import type { SubscribeRequest } from '../engine/subscribe.ts'
import { type DecodeContext, decodeLease } from './decode.ts'
import { handle, text, uint64 } from './fields.ts'
import { refuseField } from './refused.ts'

/** The form of a subscription: contract section 4, NotificationService. */

const MAX_NAMES = 1024
const DEFAULT_HEARTBEAT_MS = 5000
const MIN_HEARTBEAT_MS = 100
const MAX_HEARTBEAT_MS = 60_000

const PRIORITIES: readonly Priority[] = ['CPU', 'IOMMU', 'DEVICE']

/** The types without which a holder could not know what to clean up. */
const HOLD_TYPES: readonly NotificationType[] = ['BIND', 'UNBIND', 'FREE']

export function decodeSubscribe(context: DecodeContext, request: SubscribeRequest__Output): SubscribeRequest {
  const types = decodeTypes(request.types)
  const start = decodeStart(request)
  const priority = decodePriority(request)
  const hold = decodeHold(context, request, types, priority)
  const heartbeatMs = request.heartbeat_ms ?? DEFAULT_HEARTBEAT_MS
  if (heartbeatMs < MIN_HEARTBEAT_MS || heartbeatMs > MAX_HEARTBEAT_MS) {
    refuseField('heartbeat_ms', `${heartbeatMs}; ${MIN_HEARTBEAT_MS} to ${MAX_HEARTBEAT_MS} are allowed.`)
  }
  const spaceId = text('space_id', request.space_id)
  return { sets: decodeSets(context, request), types, start, spaceId, heartbeatMs, hold }
}

export function decodeAcknowledge(context: DecodeContext, request: AcknowledgeRequest__Output): AcknowledgeRequest {
  const leaseId = decodeLease(context, request.lease_handle)
  return { leaseId, revision: uint64(request.revision), spaceId: text('space_id', request.space_id) }
}

function decodeSets({ handles }: DecodeContext, request: SubscribeRequest__Output): SubscribeRequest['sets'] {
  const { tokens, set_handles, all } = request
  const names = tokens.length + set_handles.length
  if (all && names > 0) refuseField('all', 'names every set, so tokens and set_handles must be empty.')
  if (all) return 'all'
  if (names === 0) refuseField('tokens', 'no set is named: give tokens, set_handles or all.')
  if (names > MAX_NAMES) refuseField('tokens', `${names} names with set_handles; at most ${MAX_NAMES} are allowed.`)
  return {
    tokens: new Set(tokens.map((token, index) => decodeToken(`tokens[${index}]`, token))),
    setIds: new Set(set_handles.map((value, index) => handles.toSet(handle(`set_handles[${index}]`, value)))),
  }
}

function decodeToken(field: string, token: string): string {
  return token === '' ? refuseField(field, 'empty; an anonymous set is named by its handle.') : text(field, token)
}

function decodeTypes(types: readonly string[]): ReadonlySet<NotificationType> {
  if (types.length === 0) return ALL_TYPES
  return new Set(types.map((type, index) => NOTIFICATION_TYPES.find((known) => known === type) ?? unknownType(index)))
}

function unknownType(index: number): never {
  return refuseField(`types[${index}]`, 'no type of notification.')
}

function decodeStart(request: SubscribeRequest__Output): SubscribeRequest['start'] {
  const { now, snapshot, after_revision } = request
  if ([now, snapshot, after_revision].filter((value) => value !== undefined).length > 1) {
    refuseField('start', 'more than one of now, snapshot and after_revision is set.')
  }
  switch (request.start) {
    case 'now':
      return request.now ? { kind: 'now' } : refuseField('now', 'false; leave it out, or set it.')
    case 'snapshot':
      return request.snapshot ? { kind: 'snapshot' } : refuseField('snapshot', 'false; leave it out, or set it.')
    case 'after_revision':
      return { kind: 'after', revision: uint64(request.after_revision ?? '0') }
    default:
      return refuseField('start', 'none of now, snapshot and after_revision is set.')
  }
}

/** Without `hold` it has no effect, but it must be one. */
function decodePriority({ priority }: SubscribeRequest__Output): Priority {
  if (priority === undefined || priority === 'PRIORITY_UNSPECIFIED') return 'DEVICE'
  return PRIORITIES.find((known) => known === priority) ?? refuseField('priority', 'no priority.')
}

function decodeHold(
  context: DecodeContext,
  request: SubscribeRequest__Output,
  types: ReadonlySet<NotificationType>,
  priority: Priority,
): SubscribeRequest['hold'] {
  const { hold, lease_handle, start } = request
  if (!hold && lease_handle !== '') refuseField('lease_handle', 'given without hold.')
  if (!hold) return undefined
  const leaseId = decodeLease(context, lease_handle)
  if (start === 'now') refuseField('start', 'a hold must not skip teardowns: use snapshot or after_revision.')
  if (!HOLD_TYPES.every((type) => types.has(type))) refuseField('types', `a hold needs ${HOLD_TYPES.join(', ')}.`)
  return { leaseId, priority }
}
