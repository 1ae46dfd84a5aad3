import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { append, EMPTY_LIST, type IdList, idsOn, nextOf, remove } from '../../server/core/id-list.ts'
import { createIdTable, freezeIds, type IdTable, PAGE_IDS, pageOf, slotOf } from '../../server/core/id-pages.ts'

const CAPACITY = 3 * PAGE_IDS

function listOf(table: IdTable, ids: readonly number[]): IdList {
  return ids.reduce((list, id) => append(table, list, id), EMPTY_LIST)
}

/** The same list read from its end: only right if every `prev` is. */
function backwards(table: IdTable, list: IdList): number[] {
  const ids: number[] = []
  for (let id = list.last; id !== 0; id = pageOf(table, id)?.prev[slotOf(id)] ?? 0) ids.push(id)
  return ids
}

describe('a list of ids', () => {
  it('keeps the order of appending, across pages', () => {
    const table = createIdTable(CAPACITY)
    const ids = [5000, 1, 4095, 4096, 2]
    const list = listOf(table, ids)
    expect([...idsOn(table, list)]).toEqual(ids)
    expect(list).toEqual({ first: 5000, last: 2, count: 5 })
  })

  it('loses its only id, its first, its last and one in its middle, and nothing else', () => {
    const ids = [7, 5, 9, 4100]
    for (const id of ids) {
      const table = createIdTable(CAPACITY)
      const list = remove(table, listOf(table, ids), id)
      const rest = ids.filter((other) => other !== id)
      expect([...idsOn(table, list)]).toEqual(rest)
      expect(backwards(table, list)).toEqual(rest.toReversed())
      expect(nextOf(table, id)).toBe(0)
    }
    const table = createIdTable(CAPACITY)
    expect(remove(table, listOf(table, [3]), 3)).toEqual(EMPTY_LIST)
  })

  it('is empty without ids, and an id of a page that does not exist has no neighbour', () => {
    const table = createIdTable(CAPACITY)
    expect([...idsOn(table, EMPTY_LIST)]).toEqual([])
    expect(nextOf(table, 5)).toBe(0)
  })

  it('touches no page but those of its ids', () => {
    const table = createIdTable(CAPACITY)
    const list = listOf(table, [5000, 9000, 5001])
    remove(table, remove(table, list, 5000), 5001)
    expect(table.pages.map((page) => page !== undefined)).toEqual([false, true, true])
  })

  it('takes a run as it takes each of its ids', () => {
    const part = fc.record({
      first: fc.integer({ min: 1, max: CAPACITY - 2 }),
      count: fc.integer({ min: 1, max: 5000 }),
    })
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), fc.array(part, { maxLength: 4 }), (puts, takes) => {
        const [byRun, byId] = [createIdTable(CAPACITY), createIdTable(CAPACITY)]
        let [run, ids] = [EMPTY_LIST, EMPTY_LIST]
        const on = new Set<number>()
        for (const { first, count } of puts) {
          const last = Math.min(first + count, CAPACITY) - 1
          for (let id = first; id <= last && !on.has(id); id++) {
            if (id < last && !on.has(id + 1)) continue
            run = append(byRun, run, first, id - first + 1)
            for (let each = first; each <= id; each++) ids = append(byId, ids, each)
            for (let each = first; each <= id; each++) on.add(each)
          }
        }
        for (const { first, count } of takes) {
          let length = 0
          while (length < count && on.has(first + length)) length += 1
          if (length === 0) continue
          run = remove(byRun, run, first, length)
          for (let id = first; id < first + length; id++) {
            ids = remove(byId, ids, id)
            on.delete(id)
          }
        }
        expect(run).toEqual(ids)
        expect(byRun).toEqual(byId)
      }),
      { numRuns: 30 },
    )
  })

  it('is an array with push and splice, forwards, backwards and in its frozen views', () => {
    const change = fc.record({ to: fc.nat(2), id: fc.integer({ min: 1, max: 40 }), freeze: fc.boolean() })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 120, size: 'max' }), (changes) => {
        const table = createIdTable(CAPACITY)
        const lists = [EMPTY_LIST, EMPTY_LIST, EMPTY_LIST]
        const arrays: number[][] = [[], [], []]
        const views: { readonly seen: () => number[][]; readonly was: number[][] }[] = []
        for (const { to, id: small, freeze } of changes) {
          // Spread over the pages.
          const id = (small * 307) % CAPACITY
          const on = arrays.findIndex((array) => array.includes(id))
          const place = on < 0 ? to : on
          const list = lists[place] ?? EMPTY_LIST
          lists[place] = on < 0 ? append(table, list, id) : remove(table, list, id)
          arrays[place] =
            on < 0 ? [...(arrays[place] ?? []), id] : (arrays[place] ?? []).filter((other) => other !== id)
          if (!freeze) continue
          const view = freezeIds(table)
          const then = [...lists]
          views.push({ seen: () => then.map((each) => [...idsOn(view, each)]), was: arrays.map((array) => [...array]) })
        }
        expect(lists.map((list) => [...idsOn(table, list)])).toEqual(arrays)
        expect(lists.map((list) => backwards(table, list))).toEqual(arrays.map((array) => array.toReversed()))
        expect(lists.map((list) => list.count)).toEqual(arrays.map((array) => array.length))
        for (const { seen, was } of views) expect(seen()).toEqual(was)
      }),
    )
  })
})
