import { type FrozenIds, type IdTable, ownPageOf, pageOf, slotOf } from './id-pages.ts'

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

export function append(table: IdTable, list: IdList, id: number): IdList {
  const page = ownPageOf(table, id)
  page.prev[slotOf(id)] = list.last
  page.next[slotOf(id)] = 0
  if (list.last !== 0) ownPageOf(table, list.last).next[slotOf(list.last)] = id
  return { first: list.first === 0 ? id : list.first, last: id, count: list.count + 1 }
}

export function remove(table: IdTable, list: IdList, id: number): IdList {
  const page = ownPageOf(table, id)
  const slot = slotOf(id)
  const prev = page.prev[slot] ?? 0
  const next = page.next[slot] ?? 0
  if (prev !== 0) ownPageOf(table, prev).next[slotOf(prev)] = next
  if (next !== 0) ownPageOf(table, next).prev[slotOf(next)] = prev
  page.prev[slot] = 0
  page.next[slot] = 0
  return { first: prev === 0 ? next : list.first, last: next === 0 ? prev : list.last, count: list.count - 1 }
}

export function nextOf(table: FrozenIds, id: number): number {
  return pageOf(table, id)?.next[slotOf(id)] ?? 0
}

/** The ids of a list in its order. The list must not change meanwhile; a frozen table's cannot. */
export function* idsOn(table: FrozenIds, list: IdList): Generator<number> {
  for (let id = list.first; id !== 0; id = nextOf(table, id)) yield id
}
