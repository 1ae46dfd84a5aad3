import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  AGED,
  appendAged,
  appendBound,
  appendId,
  appendRun,
  appendUnbound,
  assertRun,
  BOUND,
  countIds,
  eachId,
  forEachAged,
  forEachBound,
  forEachId,
  forEachRun,
  forEachUnbound,
  idsOf,
  PLAIN,
  type Stride,
  UNBOUND,
} from '../../server/core/runs.ts'

/** Few values, so that what is drawn continues what was drawn before about as often as not. */
const few = fc.nat({ max: 3 })
/** Mostly the id after the last one, with its attributes going on likewise. */
const steps = fc.array(fc.record({ id: few, spid: few, generation: few, bindRevision: few, follows: fc.boolean() }))

type Row = [id: number, spid: number, generation: number, bindRevision: number]

function rowsOf(
  drawn: readonly { id: number; spid: number; generation: number; bindRevision: number; follows: boolean }[],
) {
  const rows: Row[] = []
  for (const step of drawn) {
    const last = rows.at(-1)
    if (last !== undefined && step.follows) rows.push([last[0] + 1, last[1] + 1, last[2], last[3]])
    else rows.push([step.id, step.spid, step.generation, step.bindRevision])
  }
  return rows
}

/** The fewest runs that rows can be cut into, with what must hold for one row to go on from the one before. */
function stretches(rows: readonly Row[], goesOn: (before: Row, row: Row) => boolean): number {
  return rows.filter((row, index) => {
    const before = rows[index - 1]
    return before === undefined || !goesOn(before, row)
  }).length
}

const idGoesOn = (before: Row, row: Row) => row[0] === before[0] + 1
const spidGoesOn = (before: Row, row: Row) => row[1] === before[1] + 1

describe('runs', () => {
  it('give back ids in the order in which they were appended, in as few runs as that order allows', () => {
    fc.assert(
      fc.property(steps, (drawn) => {
        const rows = rowsOf(drawn)
        const runs: number[] = []
        for (const [id] of rows) appendId(runs, id)
        expect(idsOf(runs)).toEqual(rows.map(([id]) => id))
        expect(runs.length).toBe(PLAIN * stretches(rows, idGoesOn))
        expect(countIds(runs)).toBe(rows.length)
      }),
    )
  })

  it('give back each id with its generation', () => {
    fc.assert(
      fc.property(steps, (drawn) => {
        const rows = rowsOf(drawn)
        const runs: number[] = []
        for (const [id, , generation] of rows) appendAged(runs, id, generation)
        const read: number[][] = []
        forEachAged(runs, (...row) => read.push(row))
        expect(read).toEqual(rows.map(([id, , generation]) => [id, generation]))
        expect(runs.length).toBe(AGED * stretches(rows, (a, b) => idGoesOn(a, b) && a[2] === b[2]))
        expect(countIds(runs, AGED)).toBe(rows.length)
      }),
    )
  })

  it('give back each id with its SPID and generation', () => {
    fc.assert(
      fc.property(steps, (drawn) => {
        const rows = rowsOf(drawn)
        const runs: number[] = []
        for (const [id, spid, generation] of rows) appendBound(runs, id, spid, generation)
        const read: number[][] = []
        forEachBound(runs, (...row) => read.push(row))
        expect(read).toEqual(rows.map(([id, spid, generation]) => [id, spid, generation]))
        const goesOn = (a: Row, b: Row) => idGoesOn(a, b) && spidGoesOn(a, b) && a[2] === b[2]
        expect(runs.length).toBe(BOUND * stretches(rows, goesOn))
        expect(countIds(runs, BOUND)).toBe(rows.length)
      }),
    )
  })

  it('give back each id with its SPID, generation and bind revision', () => {
    fc.assert(
      fc.property(steps, (drawn) => {
        const rows = rowsOf(drawn)
        const runs: number[] = []
        for (const row of rows) appendUnbound(runs, ...row)
        const read: number[][] = []
        forEachUnbound(runs, (...row) => read.push(row))
        expect(read).toEqual(rows)
        const goesOn = (a: Row, b: Row) => idGoesOn(a, b) && spidGoesOn(a, b) && a[2] === b[2] && a[3] === b[3]
        expect(runs.length).toBe(UNBOUND * stretches(rows, goesOn))
        expect(idsOf(runs, UNBOUND)).toEqual(rows.map(([id]) => id))
      }),
    )
  })

  it('are one run for a million ids', () => {
    const runs: number[] = []
    for (let id = 1; id <= 1_000_000; id++) appendUnbound(runs, id, id + 7, 3, 5)
    expect(runs).toEqual([1, 1_000_000, 8, 3, 5])
  })

  it('take a stretch as one, and lengthen the last one by it where it goes on', () => {
    const runs: number[] = []
    appendRun(runs, 5, 3)
    appendRun(runs, 8, 2)
    appendRun(runs, 4, 1)
    appendId(runs, 5)
    expect(runs).toEqual([5, 5, 4, 2])
  })

  it('do not join a run that descends, repeats or leaves a gap', () => {
    const runs: number[] = []
    for (const id of [3, 2, 2, 4]) appendId(runs, id)
    expect(runs).toEqual([3, 1, 2, 1, 2, 1, 4, 1])
  })

  it('without ids are empty and visit nothing', () => {
    expect(idsOf([])).toEqual([])
    expect(countIds([])).toBe(0)
    forEachRun([], PLAIN, () => expect.unreachable())
    forEachId([], PLAIN, () => expect.unreachable())
  })

  it('tell a visitor where an id stands in its run, and where its run stands', () => {
    const visited: number[][] = []
    forEachId([7, 2, 90, 4, 1, 91], AGED, (...place) => visited.push(place))
    expect(visited).toEqual([
      [7, 0, 0],
      [8, 1, 0],
      [4, 0, 3],
    ])
    const runs: number[][] = []
    forEachRun([7, 2, 90, 4, 1, 91], AGED, (...run) => runs.push(run))
    expect(runs).toEqual([
      [7, 2, 0],
      [4, 1, 3],
    ])
  })

  it.each<[string, Stride]>([
    ['an aged run as bound', BOUND],
    ['an aged run as unbound', UNBOUND],
  ])('that are cut short are a bug and throw: %s', (_name, stride) => {
    const read = stride === BOUND ? forEachBound : forEachUnbound
    expect(() => read([7, 2, 90], () => {})).toThrow('runs of 3 numbers have none at 3')
  })
})

describe('a run within a space', () => {
  it('begins and ends in it', () => {
    expect(() => assertRun(0, 8, 8)).not.toThrow()
    expect(() => assertRun(7, 1, 8)).not.toThrow()
  })

  it.each([
    ['beyond its end', 7, 2],
    ['behind its end', 8, 1],
    ['before its beginning', -1, 2],
    ['of no ids', 3, 0],
    ['of fewer than no ids', 3, -1],
    ['of half an id', 3, 0.5],
    ['from half an id', 0.5, 1],
    ['from no number', Number.NaN, 1],
    ['without an end', 0, Number.POSITIVE_INFINITY],
    ['of 2^32 ids', 0, 2 ** 32],
    ['from 2^32', 2 ** 32, 1],
  ])('is none if %s', (_name, first, count) => {
    expect(() => assertRun(first, count, 8)).toThrow('is not within a space of 8')
  })
})

describe('ids read one after the other', () => {
  it('come with their place in the run and its attributes', () => {
    expect([...eachId([7, 2, 101, 5, 9, 1, 103, 6], BOUND)]).toEqual([
      { id: 7, index: 0, attributes: [101, 5] },
      { id: 8, index: 1, attributes: [101, 5] },
      { id: 9, index: 0, attributes: [103, 6] },
    ])
  })
})
