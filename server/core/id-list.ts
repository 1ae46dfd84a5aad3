import {
  countAlike,
  type FrozenIds,
  forEachPart,
  type IdTable,
  ownPageOf,
  PAGE_IDS,
  pageOf,
  slotOf,
} from './id-pages.ts'

/**
 * Lists of ids, threaded through the table's own columns: a set's ids in the order of their allocation, and the ids that
 * rest after RECLAIM in the order in which they may be used again. An id is on one list at most. Id 0 is never handed
 * out, so 0 ends a list.
 */
export interface IdList {
  readonly first: number
  readonly last: number
  readonly count: number
}

export const EMPTY_LIST: IdList = { first: 0, last: 0, count: 0 }

/** Puts a run of ids at the end, ascending. */
export function append(table: IdTable, list: IdList, first: number, count = 1): IdList {
  const last = first + count - 1
  for (let id = first; id <= last; id++) {
    const page = ownPageOf(table, id)
    page.prev[slotOf(id)] = id === first ? list.last : id - 1
    page.next[slotOf(id)] = id === last ? 0 : id + 1
  }
  if (list.last !== 0) ownPageOf(table, list.last).next[slotOf(list.last)] = first
  return { first: list.first === 0 ? first : list.first, last, count: list.count + count }
}

/** Takes a run of ids off, wherever on the list each of them is. */
export function remove(table: IdTable, list: IdList, first: number, count = 1): IdList {
  let left = list
  let from = first
  while (from < first + count) {
    // Ids that were allocated together are neighbours here, too, and are cut out as one.
    const neighbours = countNeighbours(table, from, first + count - from)
    left = cutOut(table, left, from, neighbours)
    from += neighbours
  }
  return left
}

/** Takes off ids that are neighbours on the list. */
function cutOut(table: IdTable, list: IdList, first: number, count: number): IdList {
  const last = first + count - 1
  const prev = pageOf(table, first)?.prev[slotOf(first)] ?? 0
  const next = nextOf(table, last)
  forEachPart(table, first, count, (page, from, part) => {
    page.prev.fill(0, slotOf(from), slotOf(from) + part)
    page.next.fill(0, slotOf(from), slotOf(from) + part)
  })
  if (prev !== 0) ownPageOf(table, prev).next[slotOf(prev)] = next
  if (next !== 0) ownPageOf(table, next).prev[slotOf(next)] = prev
  const left = list.count - count
  return { first: prev === 0 ? next : list.first, last: next === 0 ? prev : list.last, count: left }
}

/** How many ids from one on, at most `count`, follow each other both in number and on their list. */
function countNeighbours(table: FrozenIds, first: number, count: number): number {
  let id = first
  const last = first + count - 1
  while (id < last) {
    const inPage = Math.min(last - id, PAGE_IDS - slotOf(id))
    const page = pageOf(table, id)
    const alike = page === undefined ? 0 : countAlike(page.next, slotOf(id), inPage, id + 1, 1)
    id += alike
    if (alike < inPage) break
  }
  return id - first + 1
}

export function nextOf(table: FrozenIds, id: number): number {
  return pageOf(table, id)?.next[slotOf(id)] ?? 0
}

/** The ids of a list in its order. The list must not change meanwhile; a frozen table's cannot. */
export function* idsOn(table: FrozenIds, list: IdList): Generator<number> {
  for (let id = list.first; id !== 0; id = nextOf(table, id)) yield id
}
