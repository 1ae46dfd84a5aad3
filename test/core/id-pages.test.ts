import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  countTwins,
  createIdTable,
  emptyPage,
  forEachPart,
  forEachTwins,
  PAGE_IDS,
} from '../../server/core/id-pages.ts'
import { asRevision, NO_SPID } from '../../server/core/ids.ts'

const ONE_AND_TWO = [1, 2] as const

describe('twins', () => {
  it('have the same set, generation and bind revision, and SPIDs that ascend, or none', () => {
    const row = fc.record({
      setId: fc.constantFrom(1, 1, 1, 2),
      since: fc.constantFrom(3, 3, 3, 4),
      bound: fc.constantFrom(5, 5, 5, 6),
      skips: fc.constantFrom(0, 0, 0, 1),
      isBound: fc.constantFrom(true, true, false),
    })
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 12 }), fc.constantFrom(...ONE_AND_TWO, 20), (rows, most) => {
        const page = emptyPage(0)
        for (const [slot, { setId, since, bound, skips, isBound }] of rows.entries()) {
          page.setId[slot] = setId
          page.since[slot] = since
          page.bound[slot] = bound
          if (isBound) page.spid[slot] = 100 + slot + skips
        }
        const spidAt = (slot: number) => page.spid[slot] ?? NO_SPID
        const isTwin = (slot: number) => {
          const sameSpid = spidAt(0) === NO_SPID ? spidAt(slot) === NO_SPID : spidAt(slot) === spidAt(0) + slot
          return sameSpid && [page.setId, page.since, page.bound].every((column) => column[slot] === column[0])
        }
        let twins = 1
        while (twins < most && isTwin(twins)) twins += 1
        expect(countTwins(page, 0, most)).toBe(twins)
      }),
    )
  })

  it('are never an id with the highest SPID and one without', () => {
    const page = emptyPage(0)
    page.spid.set([NO_SPID - 2, NO_SPID - 1, NO_SPID, NO_SPID], 0)
    expect(countTwins(page, 0, 4)).toBe(2)
    expect(countTwins(page, 2, 2)).toBe(2)
  })

  it('are not looked for on a page where somebody has a reference', () => {
    const page = emptyPage(0)
    page.pending.set(9, { revision: asRevision(3), by: 'OWNER' })
    expect(countTwins(page, 0, 4)).toBe(1)
  })

  it('and parts of a run are visited in its order, each id once, page by page', () => {
    const table = createIdTable(3 * PAGE_IDS)
    const seen: (readonly [boolean, number, number])[] = []
    const [first, count] = [PAGE_IDS - 2, PAGE_IDS + 5]
    forEachTwins(table, first, count, (page, id, ids) => seen.push([page !== undefined, id, ids]))
    forEachPart(table, first, count, (_page, id, ids) => seen.push([true, id, ids]))
    expect(seen).toEqual([
      [false, PAGE_IDS - 2, 2],
      [false, PAGE_IDS, PAGE_IDS],
      [false, 2 * PAGE_IDS, 3],
      [true, PAGE_IDS - 2, 2],
      [true, PAGE_IDS, PAGE_IDS],
      [true, 2 * PAGE_IDS, 3],
    ])
    expect(table.pages.map((page) => page !== undefined)).toEqual([true, true, true])
  })
})
