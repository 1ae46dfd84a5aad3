import type { Entry } from '../core/event.ts'
import { asRevision, type Revision } from '../core/ids.ts'
import { damaged, decodeEntry, decodePart } from './codec.ts'
import type { Change, Kv } from './kv.ts'

const KEY_BYTES = 12

/** Where the parts of an entry or of a snapshot are: its number in 8 bytes, the part's in 4, big-endian, so that they sort. */
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

export interface LogBounds {
  /** The largest revision whose entry is not there, removed or never written. */
  readonly removedRevision: Revision
  readonly lastRevision: Revision
}

/**
 * What the log holds from `compactRevision` on, without reading it. `unfinished` are the parts of an entry at its end that
 * has no last one: a store that cannot write an entry at once may leave it so.
 */
export function findLog(kv: Kv, compactRevision: Revision): LogBounds & { readonly unfinished: readonly Change[] } {
  const unfinished: Change[] = []
  let lastRevision: number = compactRevision
  const lastKey = kv.lastKey('log')
  if (lastKey !== undefined) {
    const last = readPartKey(lastKey, 'the end of the log').number
    const record = kv.get('log', lastKey)
    const { more } = decodePart(record ?? new Uint8Array(), `log entry ${last}`)
    if (more) unfinished.push(...changesThatRemove(kv, last, last))
    lastRevision = Math.max(compactRevision, more ? last - 1 : last)
  }
  const [firstKey] = kv.keys('log', partKey(0, 0), partKey(lastRevision + 1, 0))
  const first = firstKey === undefined ? lastRevision + 1 : readPartKey(firstKey, 'the beginning of the log').number
  if (first > compactRevision + 1) throw damaged(`log entry ${compactRevision + 1} is missing`)
  return { removedRevision: asRevision(first - 1), lastRevision: asRevision(lastRevision), unfinished }
}

/** Whole entries from `after` up to `last`, of about `maxBytes` as encoded, but at least one. */
export function readLog(kv: Kv, after: Revision, last: Revision, maxBytes: number): Entry[] {
  const entries: Entry[] = []
  let due = after + 1
  let bytes = 0
  let records: Uint8Array[] = []
  const finish = () => {
    entries.push(decodeEntry(records, asRevision(due)))
    records = []
    due += 1
  }
  for (const { key, value } of kv.range('log', partKey(due, 0), partKey(last + 1, 0))) {
    const { number, part } = readPartKey(key, `log entry ${due}`)
    if (part === 0 && records.length > 0) {
      finish()
      if (bytes + value.length > maxBytes) return entries
    }
    if (number !== due) throw damaged(`log entry ${due} is missing`)
    records.push(value)
    bytes += value.length
  }
  if (records.length > 0) finish()
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
  const changes: Change[] = []
  let bytes = 0
  for (const { key, value } of kv.range('log', partKey(0, 0), partKey(through + 1, 0))) {
    const { number, part } = readPartKey(key, 'a log entry')
    const enough = changes.length >= maxRecords || bytes >= maxBytes
    if (enough && part === 0) return { changes, throughRevision: asRevision(number - 1), bytes }
    changes.push({ table: 'log', key, value: null })
    bytes += value.length
  }
  return { changes, throughRevision: through, bytes }
}

function changesThatRemove(kv: Kv, first: number, last: number): Change[] {
  return [...kv.keys('log', partKey(first, 0), partKey(last + 1, 0))].map((key) => ({ table: 'log', key, value: null }))
}
