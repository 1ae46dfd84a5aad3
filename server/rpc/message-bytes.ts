import { messageCodec } from '../../proto/load.ts'
import { writeField } from './notification-bytes.ts'

/**
 * Messages of a stream, written byte by byte around notifications that are bytes already: a thousand streams of one token
 * are a thousand messages for an event, which differ in a few numbers. A test reads the bytes back with the library.
 */

/** SubscribeResponse.Kind, of what is sent. */
const KINDS = { HEADER: 1, NOTIFICATIONS: 2, SNAPSHOT_END: 3, HEARTBEAT: 4 } as const
export type Kind = keyof typeof KINDS

/** Tags of SubscribeResponse's fields. */
const KIND = 3 << 3
const REVISION = 4 << 3
const PREV_REVISION = 5 << 3
const MORE = 6 << 3

/** Kind, two revisions and `more`, each behind its tag, at their longest. */
const MAX_NUMBER_BYTES = 2 + 9 + 9 + 2

export interface Message {
  readonly kind: Kind
  readonly revision: number
  readonly prevRevision: number
  readonly more: boolean
  /** Its notifications, as parts of a message. */
  readonly parts: readonly Buffer[]
}

/**
 * Small, though a client would take 4 MiB: a subscriber that does not read keeps one message in memory, more than once on
 * its way through HTTP/2, and there may be ten thousand of them.
 */
const MESSAGE_BYTES = 32 * 1024

const codec = messageCodec('ioasid.v1.SubscribeResponse')

/** What makes the messages of one stream. */
export function createMessageEncoder(subscriptionId: number, spaceId: string): (message: Message) => Buffer {
  const common = codec.serialize({ subscription_id: String(subscriptionId), space_id: spaceId })
  return ({ kind, revision, prevRevision, more, parts }) => {
    const length = parts.reduce((sum, part) => sum + part.length, common.length + MAX_NUMBER_BYTES)
    const bytes = Buffer.allocUnsafe(length)
    common.copy(bytes)
    let end = writeField(bytes, common.length, KIND, KINDS[kind])
    // What is zero is not written.
    if (revision > 0) end = writeField(bytes, end, REVISION, revision)
    if (prevRevision > 0) end = writeField(bytes, end, PREV_REVISION, prevRevision)
    if (more) end = writeField(bytes, end, MORE, 1)
    for (const part of parts) end += part.copy(bytes, end)
    return bytes.subarray(0, end)
  }
}

export interface MessageBody {
  readonly parts: readonly Buffer[]
  /** Another message with the same revision follows. */
  readonly more: boolean
}

/** Fills messages with parts. */
export function bodiesOf(parts: Iterable<Buffer>): Iterable<MessageBody> {
  // Nearly every event: what a generator takes would be most of what telling it takes.
  if (isList(parts) && bytesOf(parts) <= MESSAGE_BYTES) return parts.length === 0 ? [] : [{ parts, more: false }]
  return fill(parts)
}

/** Looks one part ahead: only the last message may say that it is. */
function* fill(parts: Iterable<Buffer>): Generator<MessageBody> {
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

export function isList(parts: Iterable<Buffer>): parts is readonly Buffer[] {
  return Array.isArray(parts)
}

function bytesOf(parts: readonly Buffer[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0)
}
