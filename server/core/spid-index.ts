import { type FrozenIds, pageOf, slotOf } from './id-pages.ts'
import { NO_SPID } from './ids.ts'

/**
 * Which id a SPID of a set stands for: a hash table of ids alone, 5 to 11 bytes each. The SPID itself is read back from
 * the id's page, so a SPID leaves the index before it leaves its column, or both at once (`sweepSpids`). An id has 24
 * bits; the other eight of its place are of the SPID's hash, so that hardly any page is read but that of the id that is
 * looked for.
 *
 * A SPID hashes to a bucket of eight places; an id that finds its bucket full goes to a table of the same kind beyond,
 * which hashes otherwise. So nothing is ever shifted or marked as deleted, and no search looks at more than eight places
 * a table: about one id in twenty is beyond the first table when that is as full as it gets.
 *
 * The hashes are no secret, and guests choose their SPIDs: who wants to, finds many that meet in a few buckets. But what
 * does not fit a table must meet again in the next one, for which it takes SPIDs that meet in both: there are 2^32, and
 * each table uses up some of these bits. The worst that 65,536 chosen SPIDs came to was eleven tables, 88 places to look
 * at, or 29 bytes for each: ten times the cost of others, paid by their set alone.
 */
export interface SpidIndex {
  /** How many ids it leads to, those of the tables beyond too. */
  size: number
  /** The buckets, one after the other: a power of two. 0 is an empty place, since id 0 is never handed out. */
  places: Uint32Array
  /** For ids that found their bucket full. */
  beyond: SpidIndex | undefined
  /** How many tables come before it. */
  readonly depth: number
}

const BUCKET = 8
const ID_BITS = 24
const ID_MASK = 2 ** ID_BITS - 1

export function createSpidIndex(depth = 0): SpidIndex {
  return { size: 0, places: new Uint32Array(BUCKET), beyond: undefined, depth }
}

/** The id that a SPID stands for, if there is one. */
export function idOfSpid(index: SpidIndex, table: FrozenIds, spid: number): number | undefined {
  for (let at: SpidIndex | undefined = index; at !== undefined; at = at.beyond) {
    const { places, depth } = at
    const hash = hashOf(spid, depth)
    const bucket = bucketOf(places, hash)
    for (let place = bucket; place < bucket + BUCKET; place++) {
      const entry = places[place] ?? 0
      if (entry === 0 || (entry ^ hash) >>> ID_BITS !== 0) continue
      const id = entry & ID_MASK
      if (spidOf(table, id) === spid) return id
    }
  }
  return undefined
}

/** So that so many more are added without growing step by step. */
export function makeRoom(index: SpidIndex, table: FrozenIds, count: number): void {
  let { length } = index.places
  // A quarter stays empty, or too many buckets would be full.
  while (index.size + count > 0.75 * length) length *= 2
  if (length > index.places.length) resize(index, table, length)
}

/** The SPID must not be in it. */
export function addSpid(index: SpidIndex, table: FrozenIds, spid: number, id: number): void {
  makeRoom(index, table, 1)
  const hash = hashOf(spid, index.depth)
  const place = placeOf(index.places, hash, 0)
  if (place >= 0) index.places[place] = entryOf(hash, id)
  else {
    index.beyond ??= createSpidIndex(index.depth + 1)
    addSpid(index.beyond, table, spid, id)
  }
  index.size += 1
}

/** Throws if the SPID does not lead to the id. */
export function removeSpid(index: SpidIndex, table: FrozenIds, spid: number, id: number): void {
  const hash = hashOf(spid, index.depth)
  const place = placeOf(index.places, hash, entryOf(hash, id))
  if (place >= 0) index.places[place] = 0
  else {
    if (index.beyond === undefined) throw new Error(`SPID ${spid} does not lead to IOASID ${id}`)
    removeSpid(index.beyond, table, spid, id)
    if (index.beyond.size === 0) index.beyond = undefined
  }
  index.size -= 1
  // Well below where it grew, so that it does not go to and fro.
  const { length } = index.places
  if (length > BUCKET && index.size < length / 8) resize(index, table, length / 2)
}

/** Forgets all ids whose columns have no SPID any longer: when most of them go, that is less than to remove each. */
export function sweepSpids(index: SpidIndex, table: FrozenIds): void {
  resize(index, table, BUCKET)
}

/** Every id, in no order. */
export function forEachIndexed(index: SpidIndex, visit: (id: number) => void): void {
  for (let at: SpidIndex | undefined = index; at !== undefined; at = at.beyond) {
    for (const entry of at.places) if (entry !== 0) visit(entry & ID_MASK)
  }
}

function resize(index: SpidIndex, table: FrozenIds, length: number): void {
  const before = { ...index }
  index.size = 0
  index.places = new Uint32Array(length)
  index.beyond = undefined
  forEachIndexed(before, (id) => {
    const spid = spidOf(table, id)
    if (spid !== NO_SPID) addSpid(index, table, spid, id)
  })
}

/** Where the bucket of a hash has an entry, 0 for an empty place; -1: nowhere. */
function placeOf(places: Uint32Array, hash: number, entry: number): number {
  const bucket = bucketOf(places, hash)
  for (let place = bucket; place < bucket + BUCKET; place++) if (places[place] === entry) return place
  return -1
}

function bucketOf(places: Uint32Array, hash: number): number {
  return hash & (places.length - BUCKET)
}

function entryOf(hash: number, id: number): number {
  return ((hash & ~ID_MASK) | id) >>> 0
}

/** MurmurHash3's finalizer, in which every bit of the SPID tells on every bit; each depth begins with another number. */
function hashOf(spid: number, depth: number): number {
  let hash = spid ^ Math.imul(depth, 0x9e37_79b9)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return hash ^ (hash >>> 16)
}

function spidOf(table: FrozenIds, id: number): number {
  return pageOf(table, id)?.spid[slotOf(id)] ?? NO_SPID
}
