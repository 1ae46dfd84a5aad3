import type { EndedBy } from './event.ts'
import { type LeaseId, NO_SPID, type Revision } from './ids.ts'

/**
 * What is known of each id, as columns of numbers in pages of 4,096 ids: 52 bytes an id, no garbage, and a copy of the
 * whole table costs a copy of the page list. `freeze` hands such a copy to a snapshot and leaves its pages to it; the
 * writer copies a page at its first change after that, so that neither the store's snapshot nor a subscriber's stops it.
 * A page that no id was ever allocated from does not exist.
 *
 * A column serves an allocated id and a free one in turn:
 *
 *   column   allocated                        free
 *   setId    its set                          0
 *   since    its generation                   the revision of its RECLAIM; 0: never used
 *   bound    its bind_revision; without a     the serving time of its RECLAIM, ms
 *            SPID its last UNBIND, 0: none
 *   spid     its SPID or NO_SPID              NO_SPID
 *   boundAt  the wall time of its BIND, ms    0
 *   allocatedAt  the wall time of its ALLOC   left over
 *   next     neighbours on its set's list     neighbours on the list of resting ids
 *   prev     (id-list.ts; 0 ends a list)      (0 when it does not rest)
 */
export const PAGE_IDS = 4096
const PAGE_SHIFT = 12
const PAGE_MASK = PAGE_IDS - 1

export interface IdPage {
  /** The table's epoch when this page was made; an older one is shared with a snapshot and must not be written. */
  readonly epoch: number
  readonly setId: Float64Array
  readonly since: Float64Array
  readonly bound: Float64Array
  readonly spid: Uint32Array
  readonly boundAt: Float64Array
  readonly allocatedAt: Float64Array
  readonly next: Uint32Array
  readonly prev: Uint32Array
  /** By id: the devices that bind it, where they are not just the unnamed one. The lists are replaced, never changed. */
  readonly devices: Map<number, readonly string[]>
  /** By id: its private data. The bytes are never changed. */
  readonly data: Map<number, Uint8Array>
  /** By id: who holds references, by lease ascending. The lists are replaced, never changed. */
  readonly references: Map<number, readonly Reference[]>
  /** By id: the references of holds that must be remembered (holds.ts), by lease ascending. Replaced, never changed. */
  readonly holds: Map<number, readonly Hold[]>
  /** Ids that are FREE_PENDING: freed, while references are left. They keep their SPID and bind_revision. */
  readonly pending: Map<number, Freed>
}

/** How a pending id was freed. */
export interface Freed {
  readonly revision: Revision
  readonly by: EndedBy
}

/** One lease's acquired references to one id. */
export interface Reference {
  readonly leaseId: LeaseId
  readonly count: number
  /** The first of its present run of references: revision and wall time. */
  readonly sinceRevision: Revision
  readonly sinceWallMs: number
}

/** The reference that one lease's hold has to one id. */
export interface Hold {
  readonly leaseId: LeaseId
  /** The latest teardown of the id that the lease has yet to acknowledge; 0: none, the id is bound. */
  readonly awaiting: Revision
  /** The first of its present run of references: revision and wall time. */
  readonly sinceRevision: Revision
  readonly sinceWallMs: number
}

export interface FrozenIds {
  readonly pages: readonly (IdPage | undefined)[]
}

export interface IdTable {
  readonly pages: (IdPage | undefined)[]
  epoch: number
}

export function createIdTable(capacity: number): IdTable {
  return { pages: new Array<IdPage | undefined>(Math.ceil(capacity / PAGE_IDS)).fill(undefined), epoch: 0 }
}

/** The table as it is now, for a reader that takes its time. */
export function freezeIds(table: IdTable): FrozenIds {
  table.epoch += 1
  return { pages: table.pages.slice() }
}

export function pageNumber(id: number): number {
  return id >>> PAGE_SHIFT
}

/** The place of an id in its page. */
export function slotOf(id: number): number {
  return id & PAGE_MASK
}

/** The page of an id, to read; undefined when nothing of it was ever used. */
export function pageOf(table: FrozenIds, id: number): IdPage | undefined {
  return table.pages[pageNumber(id)]
}

/** The page of an id, to write: made or copied if need be. */
export function ownPageOf(table: IdTable, id: number): IdPage {
  const number = pageNumber(id)
  const page = table.pages[number]
  if (page !== undefined && page.epoch === table.epoch) return page
  const own = page === undefined ? emptyPage(table.epoch) : copyPage(page, table.epoch)
  table.pages[number] = own
  return own
}

/**
 * A run of ids page by page: `visit` gets each page, to write, and the part of the run that it has. A million ids are
 * changed column by column, since most of the cost of a visit to each would be the visit.
 */
export function forEachPart(
  table: IdTable,
  first: number,
  count: number,
  visit: (page: IdPage, first: number, count: number) => void,
): void {
  const end = first + count
  for (let id = first; id < end; ) {
    const part = Math.min(end - id, PAGE_IDS - slotOf(id))
    visit(ownPageOf(table, id), id, part)
    id += part
  }
}

/** How many numbers of a column, from a slot on and at most `count`, are the same, or with a step of 1 ascend by one. */
export function countAlike(
  column: Float64Array | Uint32Array,
  slot: number,
  count: number,
  value: number,
  step: 0 | 1 = 0,
): number {
  let alike = 0
  while (alike < count && column[slot + alike] === value + step * alike) alike += 1
  return alike
}

/**
 * How many ids of a page, from one on and at most `most`, were reclaimed together, or allocated and bound together with
 * SPIDs that ascend: what happens to one happens to all. Where somebody of the page has references each is alone.
 */
export function countTwins(page: IdPage, first: number, most: number): number {
  if (page.references.size + page.holds.size + page.pending.size > 0) return 1
  const slot = slotOf(first)
  const { setId, since, bound, spid } = page
  const firstSpid = spid[slot] ?? NO_SPID
  const step = firstSpid === NO_SPID ? 0 : 1
  let other = slot + 1
  // All columns at each step, not one after the other: what ends the row must end the search.
  while (
    other < slot + most &&
    since[other] === since[slot] &&
    spid[other] === firstSpid + step * (other - slot) &&
    bound[other] === bound[slot] &&
    setId[other] === setId[slot] &&
    // It is no SPID's successor.
    (step === 0 || spid[other] !== NO_SPID)
  ) {
    other += 1
  }
  return other - slot
}

/** A run of ids, twins together; those of a page that does not exist were never used. */
export function forEachTwins(
  table: FrozenIds,
  first: number,
  count: number,
  visit: (page: IdPage | undefined, first: number, count: number) => void,
): void {
  const end = first + count
  for (let id = first; id < end; ) {
    const page = pageOf(table, id)
    const most = Math.min(end - id, PAGE_IDS - slotOf(id))
    const twins = page === undefined ? most : countTwins(page, id, most)
    visit(page, id, twins)
    id += twins
  }
}

/** The ids of a part of a run of which one of its page's maps has something. */
export function idsWith(map: ReadonlyMap<number, unknown>, first: number, count: number): readonly number[] {
  const ids: number[] = []
  if (map.size > 0) for (let id = first; id < first + count; id++) if (map.has(id)) ids.push(id)
  return ids
}

export function emptyPage(epoch: number): IdPage {
  return {
    epoch,
    setId: new Float64Array(PAGE_IDS),
    since: new Float64Array(PAGE_IDS),
    bound: new Float64Array(PAGE_IDS),
    spid: new Uint32Array(PAGE_IDS).fill(NO_SPID),
    boundAt: new Float64Array(PAGE_IDS),
    allocatedAt: new Float64Array(PAGE_IDS),
    next: new Uint32Array(PAGE_IDS),
    prev: new Uint32Array(PAGE_IDS),
    devices: new Map(),
    data: new Map(),
    references: new Map(),
    holds: new Map(),
    pending: new Map(),
  }
}

function copyPage(page: IdPage, epoch: number): IdPage {
  return {
    epoch,
    setId: page.setId.slice(),
    since: page.since.slice(),
    bound: page.bound.slice(),
    spid: page.spid.slice(),
    boundAt: page.boundAt.slice(),
    allocatedAt: page.allocatedAt.slice(),
    next: page.next.slice(),
    prev: page.prev.slice(),
    devices: new Map(page.devices),
    data: new Map(page.data),
    references: new Map(page.references),
    holds: new Map(page.holds),
    pending: new Map(page.pending),
  }
}
