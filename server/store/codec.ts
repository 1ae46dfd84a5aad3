import { crc32 } from 'node:zlib'
import type { Entry, Event } from '../core/event.ts'
import { asRevision, type Revision } from '../core/ids.ts'
import { StoreError } from './store.ts'

/**
 * How things look on disk. Everything is kept in records, and entries and snapshots in as many as it takes for none to be
 * longer than 1 MiB, because a later store has such a limit:
 *
 *     offset   bytes
 *     0        4      CRC-32 (as zlib's) of all that follows, little-endian
 *     4        1      format version
 *     5        1      1 when more parts of the same thing follow, 0 in the last or only one
 *     6        4      part number, from 0, little-endian
 *     10              payload
 *
 * The payloads of parts, joined, are JSON, of log entries a line for each: a few bytes more than a clever encoding, and a
 * log that can be read with any tool in ten years. All numbers in it are safe integers; bytes are base64.
 */
export const RECORD_BYTES = 1 << 20
const RECORD_VERSION = 1
const HEAD_BYTES = 10
const MAX_PAYLOAD = RECORD_BYTES - HEAD_BYTES

const text = new TextEncoder()

export interface Part {
  readonly number: number
  readonly more: boolean
  readonly payload: Uint8Array
}

export function encodePart(part: Part): Uint8Array {
  const record = new Uint8Array(HEAD_BYTES + part.payload.length)
  const head = new DataView(record.buffer)
  head.setUint8(4, RECORD_VERSION)
  head.setUint8(5, part.more ? 1 : 0)
  head.setUint32(6, part.number, true)
  record.set(part.payload, HEAD_BYTES)
  head.setUint32(0, crc32(record.subarray(4)), true)
  return record
}

/** `what` names the record in an error message. Throws StoreError DAMAGED or NEWER_FORMAT. */
export function decodePart(record: Uint8Array, what: string): Part {
  if (record.length < HEAD_BYTES) throw damaged(`${what} is cut off after ${record.length} bytes`)
  const head = new DataView(record.buffer, record.byteOffset, HEAD_BYTES)
  if (head.getUint32(0, true) !== crc32(record.subarray(4))) throw damaged(`${what} does not match its checksum`)
  const version = head.getUint8(4)
  // After the checksum: an unknown version that is whole was written by a newer release, not by a failing disk.
  if (version !== RECORD_VERSION) {
    throw new StoreError('NEWER_FORMAT', `${what} has format ${version}, this release reads ${RECORD_VERSION}`)
  }
  return { number: head.getUint32(6, true), more: head.getUint8(5) === 1, payload: record.subarray(HEAD_BYTES) }
}

/** A payload of any length as parts. */
export function encodeParts(payload: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = []
  let start = 0
  do {
    const end = Math.min(start + MAX_PAYLOAD, payload.length)
    records.push(
      encodePart({ number: records.length, more: end < payload.length, payload: payload.subarray(start, end) }),
    )
    start = end
  } while (start < payload.length)
  return records
}

/** What encodeParts was given. Throws StoreError where a part is missing, out of place or damaged. */
export function decodeParts(records: readonly Uint8Array[], what: string): Uint8Array {
  const parts = records.map((record, number) => {
    const part = decodePart(record, nameOfPart(what, number, records.length))
    const inPlace = part.number === number && part.more === number < records.length - 1
    if (!inPlace) throw damaged(`${what} lacks a part`)
    return part.payload
  })
  const [only] = parts
  if (only === undefined) throw damaged(`${what} is missing`)
  return parts.length === 1 ? only : Buffer.concat(parts)
}

export function encodeJson(value: unknown): Uint8Array {
  return text.encode(JSON.stringify(value))
}

/** The bytes passed their checksum, so that the value has the form in which it was written. */
export function decodeJson(payload: Uint8Array, what: string): unknown {
  return parseJson(asText(payload), what)
}

function parseJson(json: string, what: string): unknown {
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw damaged(`${what} is no JSON`, cause)
  }
}

function asText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')
}

export function fromBase64(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, 'base64'))
}

type DataEvent = Extract<Event, { kind: 'DATA' }>
/** An event as it is written: the same, but for bytes. */
type WrittenEvent = Exclude<Event, DataEvent> | (Omit<DataEvent, 'data'> & { readonly data: string | null })
type WrittenEntry = Omit<Entry, 'events'> & { readonly events: readonly WrittenEvent[] }

/** The records of entries that follow each other: one, unless they are longer than 1 MiB. */
export function encodeEntries(entries: readonly Entry[]): Uint8Array[] {
  return encodeLines(entries.map(writeEntry))
}

/** What encodeEntries was given, each entry still to be decoded; `first` is the first one's revision. Throws StoreError. */
export function decodeLines(records: readonly Uint8Array[], first: number): readonly string[] {
  return asText(decodeParts(records, `log entry ${first}`)).split('\n')
}

export const encodeLines = (lines: readonly string[]): Uint8Array[] => encodeParts(text.encode(lines.join('\n')))

/** Throws StoreError unless the line is the entry with this revision. */
export function decodeEntry(line: string, revision: Revision): Entry {
  const what = `log entry ${revision}`
  const written = parseJson(line, what) as WrittenEntry
  if (written.revision !== revision) throw damaged(`${what} holds entry ${written.revision}`)
  return { ...written, revision: asRevision(written.revision), events: written.events.map(readEvent) }
}

function writeEntry(entry: Entry): string {
  const written: WrittenEntry = { ...entry, events: entry.events.map(writeEvent) }
  return JSON.stringify(written)
}

function writeEvent(event: Event): WrittenEvent {
  if (event.kind !== 'DATA') return event
  return { ...event, data: event.data === null ? null : toBase64(event.data) }
}

function readEvent(event: WrittenEvent): Event {
  if (event.kind !== 'DATA') return event
  return { ...event, data: event.data === null ? null : fromBase64(event.data) }
}

export function damaged(what: string, cause?: unknown): StoreError {
  const message = `the data are damaged: ${what}; restore a backup`
  return new StoreError('DAMAGED', message, cause === undefined ? undefined : { cause })
}

function nameOfPart(what: string, number: number, count: number): string {
  return count === 1 ? what : `part ${number} of ${what}`
}
