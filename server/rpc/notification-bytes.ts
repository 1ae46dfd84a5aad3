import { messageCodec } from '../../proto/load.ts'
import type { NotificationType, SetName } from '../core/event.ts'
import { NO_SPID, type Revision } from '../core/ids.ts'

/**
 * Notifications of ids, written byte by byte. An event of a set of a million ids is a million of them, which have
 * everything in common but a few numbers: so what they have in common is encoded once, by the library, and only the
 * numbers are written for each. A test reads the bytes back with the library.
 */

/** Tags: field number and wire type of SubscribeResponse.notifications, and of Notification's fields in their order. */
const NOTIFICATIONS = (7 << 3) | 2
const IOASID = 6 << 3
const GENERATION = 7 << 3
const SPID = 8 << 3
const BIND_REVISION = 9 << 3
const SNAPSHOT = 10 << 3
const OVERRUN = 11 << 3

/** Tags and numbers of one id at their longest, the length before them, and a mark. */
const MAX_ID_BYTES = 2 * (1 + 5) + 2 * (1 + 8) + (1 + 5) + 2

const codec = messageCodec('ioasid.v1.Notification')

/** What all notifications of one kind, set and revision begin with. */
export function encodeHead(type: NotificationType, { setId, token }: SetName, revision: Revision): Buffer {
  return codec.serialize({ type, revision: String(revision), token, set_id: String(setId) })
}

/** What is special about a notification, if anything is. No message has both. */
export type Marking = 'snapshot' | 'overrun' | undefined

export interface IdFacts {
  readonly ioasid: number
  readonly generation: number
  /** With a bindRevision; both are left out where it is NO_SPID. */
  readonly spid: number
  readonly bindRevision: number
}

/** Most parts are of one id. Small enough for Node's pool: beyond it each one would be memory of its own. */
const PART_BYTES = 256

/** Collects notifications as one part of a message: parts that stand one behind the other are read as one list. */
export interface PartWriter {
  readonly count: number
  add(head: Buffer, facts: IdFacts, marking?: Marking): void
  /** The part so far; begins the next one. */
  take(): Buffer
}

export function createPartWriter(): PartWriter {
  let bytes = Buffer.allocUnsafe(PART_BYTES)
  let end = 0
  let count = 0

  const reserve = (length: number) => {
    if (end + length <= bytes.length) return
    const larger = Buffer.allocUnsafe(2 * bytes.length + length)
    bytes.copy(larger, 0, 0, end)
    bytes = larger
  }
  const field = (tag: number, value: number) => {
    end = writeField(bytes, end, tag, value)
  }

  return {
    get count() {
      return count
    },
    add: (head, { ioasid, generation, spid, bindRevision }, marking) => {
      reserve(head.length + MAX_ID_BYTES)
      const isBinding = spid !== NO_SPID
      const numbers =
        2 + sizeOf(ioasid) + sizeOf(generation) + (isBinding ? 2 + sizeOf(spid) + sizeOf(bindRevision) : 0)
      field(NOTIFICATIONS, head.length + numbers + (marking === undefined ? 0 : 2))
      head.copy(bytes, end)
      end += head.length
      field(IOASID, ioasid)
      field(GENERATION, generation)
      if (isBinding) {
        field(SPID, spid)
        field(BIND_REVISION, bindRevision)
      }
      if (marking !== undefined) field(marking === 'snapshot' ? SNAPSHOT : OVERRUN, 1)
      count += 1
    },
    take: () => {
      // A copy of its own size: the part may wait for a slow reader.
      const part = Buffer.from(bytes.subarray(0, end))
      end = 0
      count = 0
      return part
    },
  }
}

/** The number behind its tag, and where it ends. */
export function writeField(bytes: Buffer, start: number, tag: number, value: number): number {
  let end = start
  bytes[end++] = tag
  let rest = value
  // Beyond 32 bits there are no bit operations.
  for (; rest >= 2 ** 31; rest = Math.floor(rest / 128)) bytes[end++] = (rest % 128) | 128
  for (; rest > 127; rest >>>= 7) bytes[end++] = (rest & 127) | 128
  bytes[end++] = rest
  return end
}

/** How many bytes a number takes as a varint. */
function sizeOf(value: number): number {
  let bytes = 1
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) bytes += 1
  return bytes
}
