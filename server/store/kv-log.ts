import { type Entry, weigh } from '../core/event.ts'
import { asRevision, type Revision } from '../core/ids.ts'
import { damaged, decodeEntry, decodeLines, decodePart, encodeEntries, encodeLines } from './codec.ts'
import type { Change, Kv } from './kv.ts'

const KEY_BYTES = 12
const MAX_PART = 0xffff_ffff

/** Where the parts of entries or of a snapshot are: its number in 8 bytes, the part's in 4, big-endian, so that they sort. */
export function partKey(number: number, part: number): Uint8Array {
  const key = new Uint8Array(KEY_BYTES)
  const view = new DataView(key.buffer)
  view.setUint32(0, Math.floor(number / 2 ** 32))
  view.setUint32(4, number % 2 ** 32)
  view.setUint32(8, part)
  return key
}

export interface PartKey {
  readonly number: number
  readonly part: number
}

export function readPartKey(key: Uint8Array, what: string): PartKey {
  if (key.length !== KEY_BYTES) throw damaged(`${what} has a key of ${key.length} bytes`)
  const view = new DataView(key.buffer, key.byteOffset, KEY_BYTES)
  const number = view.getUint32(0) * 2 ** 32 + view.getUint32(4)
  if (number > Number.MAX_SAFE_INTEGER) throw damaged(`${what} has a key that is none`)
  return { number, part: view.getUint32(8) }
}

/**
 * Entries that are written together share records, since what a put costs is more than the rest of a small change. So
 * many, or of about so many bytes, that one of them is still found quickly; a larger one is alone.
 */
const SHARED_ENTRIES = 64
const SHARED_BYTES = 16 << 10

/** The changes that add entries, whose revisions have no gaps. */
export function addToLog(entries: readonly Entry[]): Change[] {
  return sharesOf(entries).flatMap((share) => recordsOf(share[0]?.revision ?? 0, encodeEntries(share)))
}

function sharesOf(entries: readonly Entry[]): Entry[][] {
  const shares: Entry[][] = []
  let share: Entry[] = []
  let bytes = 0
  for (const entry of entries) {
    const weight = weigh(entry)
    if (share.length === 0 || share.length === SHARED_ENTRIES || bytes + weight > SHARED_BYTES) {
      share = []
      shares.push(share)
      bytes = 0
    }
    share.push(entry)
    bytes += weight
  }
  return shares
}

function recordsOf(first: number, records: readonly Uint8Array[]): Change[] {
  return records.map((value, part) => ({ table: 'log', key: partKey(first, part), value }))
}

/** Entries that were written together, from `first` on. */
export interface Share {
  readonly first: number
  readonly records: readonly Uint8Array[]
}

/** The shares with entries from one revision up to another. */
export function* readShares(kv: Kv, from: number, to: number): Generator<Share, void, undefined> {
  const key = kv.lastKey('log', partKey(from, MAX_PART))
  const start = key === undefined ? from : readPartKey(key, `log entry ${from}`).number
  let first = start
  let records: Uint8Array[] = []
  for (const { key, value } of kv.range('log', partKey(start, 0), partKey(to + 1, 0))) {
    const { number } = readPartKey(key, `log entry ${from}`)
    if (number !== first && records.length > 0) {
      yield { first, records }
      records = []
    }
    first = number
    records.push(value)
  }
  if (records.length > 0) yield { first, records }
}

export interface LogBounds {
  /** The largest revision whose entry is not there, removed or never written. */
  readonly removedRevision: Revision
  readonly lastRevision: Revision
}

/**
 * What the log holds from `compactRevision` on, read only where it ends. `unfinished` are the parts of entries at its end
 * that have no last one: a store that cannot write a batch at once may leave it so.
 */
export function findLog(kv: Kv, compactRevision: Revision): LogBounds & { readonly unfinished: readonly Change[] } {
  const unfinished: Change[] = []
  let lastRevision: number = compactRevision
  const lastKey = kv.lastKey('log')
  if (lastKey !== undefined) {
    const { number: first } = readPartKey(lastKey, 'the end of the log')
    const { more } = decodePart(kv.get('log', lastKey) ?? new Uint8Array(), `log entry ${first}`)
    if (more) unfinished.push(...changesThatRemove(kv, first))
    lastRevision = Math.max(compactRevision, first - 1 + (more ? 0 : countEntries(kv, first)))
  }
  const [firstKey] = kv.keys('log', partKey(0, 0), partKey(lastRevision + 1, 0))
  const first = firstKey === undefined ? lastRevision + 1 : readPartKey(firstKey, 'the beginning of the log').number
  if (first > compactRevision + 1) throw damaged(`log entry ${compactRevision + 1} is missing`)
  return { removedRevision: asRevision(first - 1), lastRevision: asRevision(lastRevision), unfinished }
}

function countEntries(kv: Kv, first: number): number {
  const records = [...kv.range('log', partKey(first, 0), partKey(first + 1, 0))].map(({ value }) => value)
  return decodeLines(records, first).length
}

/** Entries from `after` up to `last`, of about `maxBytes` as encoded, but at least one. */
export function readLog(kv: Kv, after: Revision, last: Revision, maxBytes: number): Entry[] {
  const entries: Entry[] = []
  let due = after + 1
  let bytes = 0
  for (const { first, records } of readShares(kv, due, last)) {
    if (first > due) break
    for (const line of decodeLines(records, first).slice(due - first)) {
      bytes += line.length
      if (due > last || (bytes > maxBytes && entries.length > 0)) return entries
      entries.push(decodeEntry(line, asRevision(due)))
      due += 1
    }
  }
  if (due <= last) throw damaged(`log entry ${due} is missing`)
  return entries
}

export interface Removal {
  readonly changes: readonly Change[]
  /** All entries up to here are then gone. */
  readonly throughRevision: Revision
  readonly bytes: number
}

/** The changes that remove the oldest entries up to a revision, as many as are done quickly. */
export function removeOldest(kv: Kv, through: Revision, maxRecords: number, maxBytes: number): Removal {
  const removals: Change[] = []
  let bytes = 0
  let last: Share | undefined
  for (const share of readShares(kv, 0, through)) {
    if (removals.length >= maxRecords || bytes >= maxBytes) {
      return { changes: removals, throughRevision: asRevision(share.first - 1), bytes }
    }
    removals.push(...share.records.map((_, part) => remove(partKey(share.first, part))))
    bytes += countBytes(share.records)
    last = share
  }
  // Of entries that share records the later ones stay, in records of their own.
  const staying = last === undefined ? [] : decodeLines(last.records, last.first).slice(through + 1 - last.first)
  const records = staying.length === 0 ? [] : encodeLines(staying)
  const changes = [...recordsOf(through + 1, records), ...removals]
  return { changes, throughRevision: through, bytes: bytes - countBytes(records) }
}

function changesThatRemove(kv: Kv, first: number): Change[] {
  return [...kv.keys('log', partKey(first, 0), partKey(first + 1, 0))].map(remove)
}

function remove(key: Uint8Array): Change {
  return { table: 'log', key, value: null }
}

function countBytes(records: readonly Uint8Array[]): number {
  return records.reduce((bytes, { length }) => bytes + length, 0)
}
