import type { Notification } from '../../proto/gen/ioasid/v1/Notification.ts'
import { messageCodec } from '../../proto/load.ts'
import type { NotificationType, SetName, TellableEvent } from '../core/event.ts'
import type { Revision } from '../core/ids.ts'
import { NO_SPID } from '../core/ids.ts'
import { AGED, BOUND, countIds, eachId, PLAIN, UNBOUND } from '../core/runs.ts'
import type { SnapshotItem } from '../core/snapshot.ts'

/**
 * Notifications as bytes. A message of a stream is its head followed by its notifications, and protobuf reads two parts
 * that stand one behind the other as one message: so an event is encoded once, however many read it, and only the head
 * is made for each.
 */

/** About half a MiB of the longest tokens; a client takes messages up to 4 MiB. */
const PART_NOTIFICATIONS = 1024
const MESSAGE_BYTES = 512 * 1024
const KEPT_BYTES = 8 * 1024 * 1024

const codec = messageCodec('ioasid.v1.SubscribeResponse')

/** An event as parts of a message, in order. */
export type EncodeEvent = (event: TellableEvent, revision: Revision) => Iterable<Buffer>

/**
 * Encodes an event once for all who read it at about the same time, which are nearly all: the last ones are kept, up to a
 * number of bytes, since an event's bytes may be a thousand times what it takes in the ring. One of more ids than a part
 * has is encoded while it is read, for each reader: a million notifications are never there at once.
 */
export function createEventEncoder(maxKeptBytes = KEPT_BYTES): EncodeEvent {
  const kept = new Map<TellableEvent, readonly Buffer[]>()
  let bytes = 0
  return (event, revision) => {
    const known = kept.get(event)
    if (known !== undefined) return known
    if (countNotifications(event) > PART_NOTIFICATIONS) return encodeParts(notificationsOf(event, revision))
    const parts = [...encodeParts(notificationsOf(event, revision))]
    kept.set(event, parts)
    bytes += bytesOf(parts)
    for (const [oldest, oldestParts] of kept) {
      if (bytes <= maxKeptBytes) break
      kept.delete(oldest)
      bytes -= bytesOf(oldestParts)
    }
    return parts
  }
}

function bytesOf(parts: readonly Buffer[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0)
}

function countNotifications(event: TellableEvent): number {
  switch (event.kind) {
    case 'SET_ALLOC':
    case 'SET_ADJUST':
    case 'SET_FREE':
      return 1
    case 'ALLOC':
      return countIds(event.runs, PLAIN)
    case 'BIND':
      return countIds(event.runs, BOUND)
    case 'UNBIND':
      return countIds(event.runs, UNBOUND)
    case 'FREE':
    case 'RECLAIM':
      return countIds(event.runs, AGED)
  }
}

/** A snapshot as parts of messages, made while it is read. */
export function snapshotPartsOf(
  items: Iterable<SnapshotItem>,
  revision: Revision,
  types: ReadonlySet<NotificationType>,
): Iterable<Buffer> {
  return encodeParts(snapshotNotifications(items, revision, types))
}

export interface MessageBody {
  readonly parts: readonly Buffer[]
  /** Another message with the same revision follows. */
  readonly more: boolean
}

/** Fills messages with parts. Looks one part ahead: only the last message may say that it is. */
export function* bodiesOf(parts: Iterable<Buffer>): Generator<MessageBody> {
  let body: Buffer[] = []
  let bytes = 0
  for (const part of parts) {
    if (body.length > 0 && bytes + part.length > MESSAGE_BYTES) {
      yield { parts: body, more: true }
      body = []
      bytes = 0
    }
    body.push(part)
    bytes += part.length
  }
  if (body.length > 0) yield { parts: body, more: false }
}

function* encodeParts(notifications: Iterable<Notification>): Generator<Buffer> {
  let part: Notification[] = []
  for (const notification of notifications) {
    part.push(notification)
    if (part.length < PART_NOTIFICATIONS) continue
    yield codec.serialize({ notifications: part })
    part = []
  }
  if (part.length > 0) yield codec.serialize({ notifications: part })
}

function* notificationsOf(event: TellableEvent, revision: Revision): Generator<Notification> {
  const head = headOf(event.kind, event.set, revision)
  switch (event.kind) {
    case 'SET_ALLOC':
    case 'SET_ADJUST':
      yield { ...head, quota: event.quota }
      return
    case 'SET_FREE':
      yield head
      return
    case 'ALLOC':
      for (const { id } of eachId(event.runs, PLAIN)) yield { ...head, ioasid: id, generation: head.revision }
      return
    case 'BIND':
      for (const { id, index, attributes } of eachId(event.runs, BOUND)) {
        const [spid = NO_SPID, generation] = attributes
        yield { ...head, ...bindingOf(id, generation, spid + index, revision) }
      }
      return
    case 'UNBIND':
      for (const { id, index, attributes } of eachId(event.runs, UNBOUND)) {
        const [spid = NO_SPID, generation, bindRevision] = attributes
        yield { ...head, ...bindingOf(id, generation, spid + index, bindRevision) }
      }
      return
    case 'FREE':
    case 'RECLAIM':
      for (const { id, attributes } of eachId(event.runs, AGED)) {
        yield { ...head, ioasid: id, generation: String(attributes[0]) }
      }
      return
  }
}

function* snapshotNotifications(
  items: Iterable<SnapshotItem>,
  revision: Revision,
  types: ReadonlySet<NotificationType>,
): Generator<Notification> {
  for (const item of items) {
    if (item.kind === 'set') {
      if (!types.has('SET_ALLOC')) continue
      yield { ...headOf('SET_ALLOC', item.set, revision), quota: item.set.quota, snapshot: true }
      continue
    }
    const { set, ioasid, record } = item
    const generation = String(record.generation)
    if (types.has('ALLOC')) yield { ...headOf('ALLOC', set, revision), ioasid, generation, snapshot: true }
    if (record.spid === NO_SPID || !types.has('BIND')) continue
    const binding = bindingOf(ioasid, record.generation, record.spid, record.bindRevision)
    yield { ...headOf('BIND', set, revision), ...binding, snapshot: true }
  }
}

function headOf(type: NotificationType, { setId, token }: SetName, revision: Revision) {
  return { type, revision: String(revision), token, set_id: String(setId) }
}

function bindingOf(ioasid: number, generation: number | undefined, spid: number, bindRevision: number | undefined) {
  return { ioasid, generation: String(generation), spid, bind_revision: String(bindRevision) }
}
