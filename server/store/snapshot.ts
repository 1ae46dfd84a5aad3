import { endianness } from 'node:os'
import { addEndedSet, createEndedSets, type EndedSets, endedSetsIn } from '../core/ended-sets.ts'
import {
  createIdTable,
  emptyPage,
  type Freed,
  type Hold,
  type IdPage,
  type IdTable,
  PAGE_IDS,
  type Reference,
} from '../core/id-pages.ts'
import { asLeaseId, asRevision, asSetId, type LeaseId, type Revision, type SetId } from '../core/ids.ts'
import type { Base } from '../core/reindex.ts'
import type { FrozenState, LeaseRecord, SetRecord } from '../core/state.ts'
import { damaged, decodeJson, decodePart, encodeJson, encodePart, fromBase64, toBase64 } from './codec.ts'

/**
 * A snapshot is a sequence of parts, each one record (codec.ts): the header, sets, ended sets, the pages of the id table,
 * and an end that proves that it is whole. A part's payload is a length (4 bytes, little-endian), that much JSON, and
 * for a page its columns as they lie in memory: a million ids are 36 MiB that nobody has to print or parse.
 *
 * Parts are made one at a time, so that a writer can let others go on in between.
 */
type Part =
  | {
      readonly kind: 'header'
      readonly revision: number
      readonly lastSetId: number
      readonly lastLeaseId: number
      readonly servingMs: number
      /** How many pages the table has, those that no id was ever allocated from included. */
      readonly pages: number
    }
  | { readonly kind: 'sets'; readonly sets: readonly SetRecord[] }
  | { readonly kind: 'leases'; readonly leases: readonly LeaseRecord[] }
  | { readonly kind: 'endedSets'; readonly endedSets: readonly (readonly [SetId, Revision])[] }
  /** Followed by the columns that it names, in this order. */
  | { readonly kind: 'page'; readonly page: number; readonly columns: readonly string[] }
  | { readonly kind: 'devices'; readonly page: number; readonly devices: readonly Devices[] }
  | { readonly kind: 'data'; readonly page: number; readonly data: readonly (readonly [number, string])[] }
  | { readonly kind: 'references'; readonly page: number; readonly references: readonly References[] }
  | { readonly kind: 'holds'; readonly page: number; readonly holds: readonly Holds[] }
  | { readonly kind: 'pending'; readonly page: number; readonly pending: readonly (readonly [number, Freed])[] }
  | { readonly kind: 'end' }

type Devices = readonly [id: number, devices: readonly string[]]
type References = readonly [id: number, references: readonly Reference[]]
type Holds = readonly [id: number, holds: readonly Hold[]]

/** A part with a list is closed when it has this much, so that a store writes and yields in small steps. */
const LIST_BYTES = 128 << 10
const COLUMNS = ['setId', 'since', 'bound', 'spid', 'next', 'prev', 'boundAt', 'allocatedAt'] as const
const LENGTH_BYTES = 4
/** So many references of one id at a time. */
const SLICE = 1000

/** The records of a snapshot, each made when it is asked for. */
export function* encodeSnapshot(state: FrozenState): Generator<Uint8Array, void, undefined> {
  let number = 0
  const record = (part: Part, bytes: readonly Uint8Array[] = []) =>
    encodePart({ number: number++, more: part.kind !== 'end', payload: encodePayload(part, bytes) })

  const { revision, lastSetId, lastLeaseId, servingMs, table } = state
  yield record({ kind: 'header', revision, lastSetId, lastLeaseId, servingMs, pages: table.pages.length })
  for (const leases of chunksOf(state.leases, weighLease)) yield record({ kind: 'leases', leases })
  for (const sets of chunksOf(state.sets, (set) => 200 + set.token.length * 3)) yield record({ kind: 'sets', sets })
  for (const endedSets of chunksOf(endedSetsIn(state.endedSets), () => 24))
    yield record({ kind: 'endedSets', endedSets })
  for (const [page, columns] of table.pages.entries()) {
    if (columns === undefined) continue
    const bytes = COLUMNS.map((column) => littleEndian(columns[column]))
    yield record({ kind: 'page', page, columns: COLUMNS }, bytes)
    for (const devices of chunksOf(columns.devices, weighDevices)) yield record({ kind: 'devices', page, devices })
    for (const data of chunksOf(columns.data, ([, bytes]) => 24 + bytes.length * 1.4)) {
      yield record({ kind: 'data', page, data: data.map(([id, bytes]) => [id, toBase64(bytes)]) })
    }
    for (const references of chunksOf(slicesOf(columns.references), ([, list]) => 16 + list.length * 100)) {
      yield record({ kind: 'references', page, references })
    }
    for (const holds of chunksOf(slicesOf(columns.holds), ([, list]) => 16 + list.length * 100)) {
      yield record({ kind: 'holds', page, holds })
    }
    for (const pending of chunksOf(columns.pending, () => 48)) yield record({ kind: 'pending', page, pending })
  }
  yield record({ kind: 'end' })
}

interface Draft {
  readonly revision: Revision
  readonly lastSetId: SetId
  readonly lastLeaseId: LeaseId
  readonly leases: Map<LeaseId, LeaseRecord>
  readonly servingMs: number
  readonly sets: Map<SetId, SetRecord>
  readonly endedSets: EndedSets
  readonly table: IdTable
}

/** What encodeSnapshot was given. Throws StoreError where a part is missing, out of place or damaged. */
export function decodeSnapshot(records: Iterable<Uint8Array>): Base {
  let draft: Draft | undefined
  let number = 0
  let ended = false
  for (const record of records) {
    const what = `part ${number} of the snapshot`
    const { payload, ...head } = decodePart(record, what)
    const { part, bytes } = decodePayload(payload, what)
    const inPlace = head.number === number && !ended && (part.kind === 'header') === (number === 0)
    if (!inPlace) throw damaged(`${what} is out of place`)
    if (part.kind === 'header') draft = startDraft(part)
    else if (draft !== undefined) addPart(draft, part, bytes, what)
    ended = part.kind === 'end'
    number += 1
  }
  if (draft === undefined || !ended) throw damaged(`the snapshot ends after ${number} parts`)
  return draft
}

function startDraft(header: Extract<Part, { kind: 'header' }>): Draft {
  return {
    revision: asRevision(header.revision),
    lastSetId: asSetId(header.lastSetId),
    lastLeaseId: asLeaseId(header.lastLeaseId),
    leases: new Map(),
    servingMs: header.servingMs,
    sets: new Map(),
    endedSets: createEndedSets(),
    table: createIdTable(header.pages * PAGE_IDS),
  }
}

/** In data of formats 1 and 2 no set and no lease has an owner. */
function ownerOf({ owner }: { readonly owner?: string }): string {
  return owner ?? ''
}

function addPart(draft: Draft, part: Exclude<Part, { kind: 'header' }>, bytes: Uint8Array, what: string): void {
  switch (part.kind) {
    case 'sets':
      for (const set of part.sets) draft.sets.set(set.setId, { ...set, owner: ownerOf(set) })
      return
    case 'leases':
      for (const lease of part.leases) draft.leases.set(lease.leaseId, { ...lease, owner: ownerOf(lease) })
      return
    case 'endedSets':
      for (const [setId, revision] of part.endedSets) addEndedSet(draft.endedSets, setId, revision)
      return
    case 'page':
      if (part.page >= draft.table.pages.length) throw damaged(`${what} is page ${part.page}, beyond the table`)
      draft.table.pages[part.page] = readPage(part.columns, bytes, what)
      return
    case 'devices':
      for (const [id, devices] of part.devices) pageAt(draft, part.page, what).devices.set(id, devices)
      return
    case 'data':
      for (const [id, base64] of part.data) pageAt(draft, part.page, what).data.set(id, fromBase64(base64))
      return
    case 'references':
      for (const [id, references] of part.references) {
        const known = pageAt(draft, part.page, what).references
        known.set(id, [...(known.get(id) ?? []), ...references])
      }
      return
    case 'holds':
      for (const [id, holds] of part.holds) {
        const known = pageAt(draft, part.page, what).holds
        known.set(id, [...(known.get(id) ?? []), ...holds])
      }
      return
    case 'pending':
      for (const [id, freed] of part.pending) pageAt(draft, part.page, what).pending.set(id, freed)
      return
    case 'end':
      return
    default:
      part satisfies never
      throw damaged(`${what} is of a kind that this release does not know`)
  }
}

function pageAt(draft: Draft, number: number, what: string): IdPage {
  const page = draft.table.pages[number]
  if (page === undefined) throw damaged(`${what} belongs to page ${number}, which is missing`)
  return page
}

function readPage(columns: readonly string[], bytes: Uint8Array, what: string): IdPage {
  const page = emptyPage(0)
  let offset = 0
  for (const name of columns) {
    const column = COLUMNS.find((known) => known === name)
    if (column === undefined) throw damaged(`${what} has a column "${name}" that this release does not know`)
    const target = page[column]
    const from = bytes.subarray(offset, offset + target.byteLength)
    if (from.length !== target.byteLength) throw damaged(`${what} is too short for its columns`)
    const into = new Uint8Array(target.buffer, target.byteOffset, target.byteLength)
    into.set(from)
    if (endianness() === 'BE') swap(into, target.BYTES_PER_ELEMENT)
    offset += from.length
  }
  if (offset !== bytes.length) throw damaged(`${what} is too long for its columns`)
  return page
}

function littleEndian(column: Float64Array | Uint32Array): Uint8Array {
  const bytes = new Uint8Array(column.buffer, column.byteOffset, column.byteLength)
  return endianness() === 'BE' ? swap(bytes.slice(), column.BYTES_PER_ELEMENT) : bytes
}

function swap(bytes: Uint8Array, width: number): Uint8Array {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return width === 8 ? buffer.swap64() : buffer.swap32()
}

function encodePayload(part: Part, bytes: readonly Uint8Array[]): Uint8Array {
  const json = encodeJson(part)
  const length = new Uint8Array(LENGTH_BYTES)
  new DataView(length.buffer).setUint32(0, json.length, true)
  return Buffer.concat([length, json, ...bytes])
}

function decodePayload(payload: Uint8Array, what: string): { readonly part: Part; readonly bytes: Uint8Array } {
  const length = new DataView(payload.buffer, payload.byteOffset, payload.length).getUint32(0, true)
  const end = LENGTH_BYTES + length
  return { part: decodeJson(payload.subarray(LENGTH_BYTES, end), what) as Part, bytes: payload.subarray(end) }
}

/** An id that very many leases hold is told in several pieces, so that none is longer than a record may be. */
function* slicesOf<Item>(
  all: Iterable<readonly [number, readonly Item[]]>,
): Generator<readonly [number, Item[]], void, undefined> {
  for (const [id, list] of all) {
    for (let from = 0; from < list.length; from += SLICE) yield [id, list.slice(from, from + SLICE)]
  }
}

/** A lease may name 1,024 sets. */
function weighLease({ name, holding }: LeaseRecord): number {
  const names = holding?.names ?? 'all'
  const named =
    names === 'all' ? 0 : names.tokens.reduce((sum, { length }) => sum + 4 + 3 * length, 20 * names.setIds.length)
  return 300 + name.length * 3 + named
}

function weighDevices([, devices]: Devices): number {
  return devices.reduce((bytes, device) => bytes + 3 + device.length * 3, 16)
}

/** Lists of about LIST_BYTES each; none for no items. */
function* chunksOf<Item>(items: Iterable<Item>, weigh: (item: Item) => number): Generator<Item[], void, undefined> {
  let chunk: Item[] = []
  let bytes = 0
  for (const item of items) {
    chunk.push(item)
    bytes += weigh(item)
    if (bytes < LIST_BYTES) continue
    yield chunk
    chunk = []
    bytes = 0
  }
  if (chunk.length > 0) yield chunk
}
