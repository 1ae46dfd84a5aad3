import { messageCodec } from '../../proto/load.ts'
import type { IdEvent, NotificationType, SetEvent, SetName, TellableEvent } from '../core/event.ts'
import type { Revision } from '../core/ids.ts'
import { NO_SPID } from '../core/ids.ts'
import { AGED, BOUND, countIds, eachId, PLAIN, UNBOUND } from '../core/runs.ts'
import type { SnapshotItem } from '../core/snapshot.ts'
import type { SetRecord } from '../core/state.ts'
import { isList } from './message-bytes.ts'
import { createPartWriter, encodeHead, type IdFacts } from './notification-bytes.ts'

/**
 * Notifications as bytes. A message of a stream is its head followed by its notifications, and protobuf reads two parts
 * that stand one behind the other as one message: so an event is encoded once, however many read it, and only the head
 * is made for each.
 */

/** Less than 80 KiB even with the longest tokens. */
const PART_NOTIFICATIONS = 256
/** What is told in one turn of the event loop to each reader. */
const LARGE_NOTIFICATIONS = 1024
const KEPT_BYTES = 16 * 1024 * 1024

const codec = messageCodec('ioasid.v1.SubscribeResponse')

/** An event as parts of a message, in order. */
export type EncodeEvent = (event: TellableEvent, revision: Revision) => Iterable<Buffer>

/**
 * Encodes an event once for all who read it at about the same time, which are nearly all. What was encoded lately is kept,
 * up to a number of bytes, since an event's bytes may be a thousand times what it takes in the ring; a large event is
 * encoded part by part, as its first reader goes on. A reader that is so slow that its part was let go of encodes the rest
 * for itself: a million notifications are never there at once for anybody's sake.
 */
export function createEventEncoder(maxKeptBytes = KEPT_BYTES): EncodeEvent {
  // Two halves, of which the older one goes as a whole: to forget the oldest costs the same however many there are.
  let older = new Map<TellableEvent, Kept>()
  let newer = new Map<TellableEvent, Kept>()
  let newerBytes = 0
  const lookUp = (event: TellableEvent) => newer.get(event) ?? older.get(event)

  const partAt = (kept: Kept, index: number): Buffer | undefined => {
    while (kept.parts.length <= index && !kept.isWhole) {
      const { value, done } = kept.source.next()
      if (done === true) kept.isWhole = true
      else {
        kept.parts.push(value)
        newerBytes += value.length
      }
    }
    return kept.parts[index]
  }

  const makeRoom = () => {
    if (newerBytes <= maxKeptBytes / 2) return
    older = newer
    newer = new Map()
    newerBytes = 0
  }

  function* read(event: TellableEvent, revision: Revision): Generator<Buffer> {
    // When it is read, not when it is asked for: what stands before it may be more than is kept.
    if (lookUp(event) === undefined) {
      newer.set(event, { parts: [], source: encodeParts(event, revision), isWhole: false })
    }
    let index = 0
    for (let kept = lookUp(event); kept !== undefined; kept = lookUp(event)) {
      const part = partAt(kept, index)
      if (part === undefined) return
      makeRoom()
      yield part
      index += 1
    }
    for (const part of encodeParts(event, revision)) {
      if (index-- <= 0) yield part
    }
  }

  return (event, revision) => {
    const known = lookUp(event)
    // Not of a large one: its reader would have hold of all of it, for as long as he takes.
    if (known?.isWhole === true && known.parts.length === 1) return known.parts
    return read(event, revision)
  }
}

/** What has been encoded of an event, and what goes on with it. */
interface Kept {
  readonly parts: Buffer[]
  readonly source: Iterator<Buffer, void>
  isWhole: boolean
}

/** Of so many ids that its readers must not all be told of it in one turn of the event loop. */
export function isLargeEvent(event: TellableEvent): boolean {
  return countNotifications(event) > LARGE_NOTIFICATIONS
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

/** The events of a revision, each as it was encoded for all. */
export function partsOf(encode: EncodeEvent, events: readonly TellableEvent[], revision: Revision): Iterable<Buffer> {
  const parts = events.map((event) => encode(event, revision))
  return parts.every(isList) ? parts.flat() : oneAfterTheOther(parts)
}

function* oneAfterTheOther(parts: readonly Iterable<Buffer>[]): Generator<Buffer> {
  for (const each of parts) yield* each
}

/** Events that a holder is told of before its turn: what is marked differs from holder to holder, and is rare. */
export function* overrunPartsOf(
  events: readonly TellableEvent[],
  revision: Revision,
  overrun: ReadonlySet<number>,
): Generator<Buffer> {
  for (const event of events) yield* encodeParts(event, revision, overrun)
}

const NO_OVERRUN: ReadonlySet<number> = new Set()

function* encodeParts(event: TellableEvent, revision: Revision, overrun = NO_OVERRUN): Generator<Buffer> {
  if (!('runs' in event)) {
    yield encodeSetEvent(event, revision)
    return
  }
  const head = encodeHead(event.kind, event.set, revision)
  const writer = createPartWriter()
  const isTeardown = event.kind === 'UNBIND' || event.kind === 'FREE'
  for (const facts of idsOfEvent(event, revision)) {
    writer.add(head, facts, isTeardown && overrun.has(facts.ioasid) ? 'overrun' : undefined)
    if (writer.count === PART_NOTIFICATIONS) yield writer.take()
  }
  if (writer.count > 0) yield writer.take()
}

function* idsOfEvent(event: IdEvent, revision: Revision): Generator<IdFacts> {
  switch (event.kind) {
    case 'ALLOC':
      for (const { id } of eachId(event.runs, PLAIN)) yield unbound(id, revision)
      return
    case 'BIND':
      for (const { id, index, attributes } of eachId(event.runs, BOUND)) {
        const [spid = NO_SPID, generation = 0] = attributes
        yield { ioasid: id, generation, spid: spid + index, bindRevision: revision }
      }
      return
    case 'UNBIND':
      for (const { id, index, attributes } of eachId(event.runs, UNBOUND)) {
        const [spid = NO_SPID, generation = 0, bindRevision = 0] = attributes
        yield { ioasid: id, generation, spid: spid + index, bindRevision }
      }
      return
    case 'FREE':
    case 'RECLAIM':
      for (const { id, attributes } of eachId(event.runs, AGED)) yield unbound(id, attributes[0] ?? 0)
      return
  }
}

/** A snapshot as parts of messages, made while it is read. */
export function* snapshotPartsOf(
  items: Iterable<SnapshotItem>,
  revision: Revision,
  types: ReadonlySet<NotificationType>,
): Generator<Buffer> {
  const writer = createPartWriter()
  let heads: SnapshotHeads | undefined
  for (const item of items) {
    if (item.kind === 'set') {
      if (types.has('SET_ALLOC')) yield encodeSetAlloc(item.set, revision)
      continue
    }
    const { set, ioasid, record } = item
    if (heads?.set !== set) heads = snapshotHeads(set, revision)
    if (types.has('ALLOC')) writer.add(heads.alloc, unbound(ioasid, record.generation), 'snapshot')
    if (record.isPending) {
      // Its UNBIND was told with its FREE: the SPID that it keeps until RECLAIM is no binding.
      if (types.has('FREE')) writer.add(heads.free, unbound(ioasid, record.generation), 'snapshot')
    } else if (record.spid !== NO_SPID && types.has('BIND')) writer.add(heads.bind, { ioasid, ...record }, 'snapshot')
    if (writer.count >= PART_NOTIFICATIONS) yield writer.take()
  }
  if (writer.count > 0) yield writer.take()
}

interface SnapshotHeads {
  readonly set: SetRecord
  readonly alloc: Buffer
  readonly bind: Buffer
  readonly free: Buffer
}

function snapshotHeads(set: SetRecord, revision: Revision): SnapshotHeads {
  const of = (kind: IdEvent['kind']) => encodeHead(kind, set, revision)
  return { set, alloc: of('ALLOC'), bind: of('BIND'), free: of('FREE') }
}

function unbound(ioasid: number, generation: number): IdFacts {
  return { ioasid, generation, spid: NO_SPID, bindRevision: 0 }
}

function encodeSetEvent(event: SetEvent, revision: Revision): Buffer {
  const quota = event.kind === 'SET_FREE' ? {} : { quota: event.quota }
  return codec.serialize({ notifications: [{ ...commonOf(event.kind, event.set, revision), ...quota }] })
}

function encodeSetAlloc(set: SetRecord, revision: Revision): Buffer {
  const notification = { ...commonOf('SET_ALLOC', set, revision), quota: set.quota, snapshot: true }
  return codec.serialize({ notifications: [notification] })
}

function commonOf(type: NotificationType, { setId, token }: SetName, revision: Revision) {
  return { type, revision: String(revision), token, set_id: String(setId) }
}
