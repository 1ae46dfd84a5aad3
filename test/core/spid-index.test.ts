import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createIdTable, type IdTable, ownPageOf, slotOf } from '../../server/core/id-pages.ts'
import { NO_SPID } from '../../server/core/ids.ts'
import {
  addSpid,
  createSpidIndex,
  forEachIndexed,
  idOfSpid,
  makeRoom,
  removeSpid,
  type SpidIndex,
  sweepSpids,
} from '../../server/core/spid-index.ts'

const CAPACITY = 2 ** 20

interface Book {
  readonly table: IdTable
  readonly index: SpidIndex
}

function book(): Book {
  return { table: createIdTable(CAPACITY), index: createSpidIndex() }
}

function write({ table }: Book, id: number, spid: number): void {
  ownPageOf(table, id).spid[slotOf(id)] = spid
}

function add({ table, index }: Book, spid: number, id: number): void {
  write({ table, index }, id, spid)
  addSpid(index, table, spid, id)
}

function remove({ table, index }: Book, spid: number, id: number): void {
  removeSpid(index, table, spid, id)
  write({ table, index }, id, NO_SPID)
}

function indexed(index: SpidIndex): number[] {
  const ids: number[] = []
  forEachIndexed(index, (id) => ids.push(id))
  return ids.sort((a, b) => a - b)
}

/** How many places each table has, the first one first. */
function tables(index: SpidIndex): number[] {
  return [index.places.length, ...(index.beyond === undefined ? [] : tables(index.beyond))]
}

/**
 * SPIDs that meet: each begins in one of the first of 64 buckets of so many tables, however these hash. Found as an
 * attacker would find them, by trying.
 */
function meeting(wanted: number, depths: number): number[] {
  const spids: number[] = []
  const empty = createIdTable(CAPACITY)
  const probes = Array.from({ length: depths }, (_, depth) => {
    const probe = createSpidIndex(depth)
    probe.places = new Uint32Array(512)
    return probe
  })
  for (let spid = 0; spids.length < wanted; spid++) {
    const isLow = probes.every((probe) => {
      addSpid(probe, empty, spid, 1)
      const place = probe.places.findIndex((entry) => entry !== 0)
      probe.places[place] = 0
      probe.size = 0
      return place < 8
    })
    if (isLow) spids.push(spid)
  }
  return spids
}

const COLLIDING = meeting(60, 2)

describe('an index of SPIDs', () => {
  it('is a map, whatever comes, goes and collides', () => {
    const spid = fc.oneof(
      fc.nat(30),
      fc.constantFrom(...COLLIDING),
      fc.integer({ min: 0, max: NO_SPID - 1 }),
      fc.constantFrom(NO_SPID - 1, 2 ** 31, 2 ** 31 - 1),
    )
    const change = fc.record({ spid, count: fc.nat(40), ends: fc.nat(20) })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 150, size: 'max' }), (changes) => {
        const held = book()
        const map = new Map<number, number>()
        // Spread over the pages, none used twice.
        let next = 0
        const fresh = () => 1 + ((next++ * 4099) % (CAPACITY - 1))
        for (const { spid: first, count, ends } of changes) {
          for (let spid = first; spid <= first + count && spid < NO_SPID; spid++) {
            const id = map.get(spid)
            if (idOfSpid(held.index, held.table, spid) !== id) expect.fail(`SPID ${spid} does not lead to ${id}`)
            if (id === undefined) {
              const free = fresh()
              map.set(spid, free)
              add(held, spid, free)
            } else {
              remove(held, spid, id)
              map.delete(spid)
            }
          }
          if (ends === 0) {
            for (const [spid, id] of map) remove(held, spid, id)
            map.clear()
          }
          expect(held.index.size).toBe(map.size)
        }
        expect(indexed(held.index)).toEqual([...map.values()].sort((a, b) => a - b))
        expect([...map.keys()].map((spid) => idOfSpid(held.index, held.table, spid))).toEqual([...map.values()])
      }),
    )
  })

  it('takes 64 bytes for ten SPIDs and, however they ascend, at most 12 for each of many', () => {
    for (const step of [1, 8, 4096, 2 ** 16, 0x1001]) {
      for (const count of [10, 6000, 13_000]) {
        const held = book()
        for (let id = 1; id <= count; id++) add(held, ((id - 1) * step) % NO_SPID, id)
        const bytes = 4 * tables(held.index).reduce((sum, places) => sum + places)
        expect(bytes).toBeLessThanOrEqual(count === 10 ? 64 : 12 * count)
      }
    }
  })

  it('grows once for all that are said to come', () => {
    const held = book()
    for (let id = 1; id <= 6; id++) add(held, id, id)
    makeRoom(held.index, held.table, 1000)
    const { places } = held.index
    expect(places.length).toBe(2048)
    for (let id = 7; id <= 1006; id++) add(held, id, id)
    expect(held.index.places).toBe(places)
    expect(indexed(held.index)).toHaveLength(1006)
  })

  it('shrinks as it empties, to what it was at first', () => {
    const held = book()
    for (let id = 1; id <= 20_000; id++) add(held, id * 3, id)
    for (let id = 1; id <= 19_000; id++) remove(held, id * 3, id)
    expect(tables(held.index)[0]).toBeLessThanOrEqual(8 * 1000)
    expect(indexed(held.index).map((id) => idOfSpid(held.index, held.table, id * 3))).toEqual(indexed(held.index))
    expect(held.index.size).toBe(1000)
    for (let id = 19_001; id <= 20_000; id++) remove(held, id * 3, id)
    expect(held.index).toEqual(createSpidIndex())
  })

  it('finds chosen SPIDs, all of which hash to one bucket of two tables, in a few tables more', () => {
    const held = book()
    // Others make the first table so large that the chosen ones meet in it, too.
    for (let id = 1; id <= 300; id++) add(held, 2 ** 31 + id, id)
    for (const [place, spid] of COLLIDING.entries()) add(held, spid, 1000 + place)
    expect(tables(held.index).length).toBeGreaterThan(2)
    expect(tables(held.index).length).toBeLessThanOrEqual(6)
    for (const [place, spid] of COLLIDING.entries()) {
      expect(idOfSpid(held.index, held.table, spid)).toBe(1000 + place)
      remove(held, spid, 1000 + place)
      expect(idOfSpid(held.index, held.table, spid)).toBe(undefined)
    }
    expect(indexed(held.index)).toHaveLength(300)
  })

  it('forgets in one sweep all that have no SPID any longer', () => {
    const held = book()
    for (let id = 1; id <= 1000; id++) add(held, id, id)
    for (let id = 1; id <= 1000; id++) if (id % 100 !== 0) write(held, id, NO_SPID)
    sweepSpids(held.index, held.table)
    const left = [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]
    expect(indexed(held.index)).toEqual(left)
    expect(held.index.size).toBe(10)
    expect(left.map((spid) => idOfSpid(held.index, held.table, spid))).toEqual(left)
    expect(idOfSpid(held.index, held.table, 101)).toBe(undefined)
    expect(tables(held.index)).toEqual([16])
  })

  it('throws rather than remove a SPID that does not lead to the id', () => {
    const held = book()
    add(held, 5, 1)
    add(held, 6, 2)
    expect(() => removeSpid(held.index, held.table, 5, 2)).toThrow('SPID 5 does not lead to IOASID 2')
    expect(() => removeSpid(held.index, held.table, 7, 1)).toThrow('SPID 7 does not lead to IOASID 1')
  })
})
