import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { IdSpace, Policy } from '../../server/core/id-space.ts'
import { countIds, forEachRun, idsOf, PLAIN } from '../../server/core/runs.ts'
import { idSpaceOf } from '../support/id-space.ts'
import { partOf } from './part-of-runs.ts'

const POLICIES: readonly Policy[] = ['rested', 'lowest']
const CAPACITIES = [2, 7, 8, 9, 31, 32, 33, 63, 64, 65, 1024] as const
const LARGEST_REVISION = 2 ** 53
const LARGEST_CAPACITY = 2 ** 24

/** The rule as the contract says it, and nothing else: ids with their reclaim revisions, sorted whenever asked. */
type Model = Map<number, number>

function expected(policy: Policy, model: Model, count: number, min: number, max: number): number[] {
  const inRange = [...model].filter(([id]) => min <= id && id <= max)
  inRange.sort(([a, restedSince], [b, otherSince]) => (policy === 'rested' ? restedSince - otherSince || a - b : a - b))
  return inRange.slice(0, count).map(([id]) => id)
}

/** Numbers are drawn as parts of 1 of whatever is there when their turn comes, so that every capacity draws the same way. */
type Operation =
  | {
      readonly kind: 'find'
      readonly count: number
      readonly from: number
      readonly to: number
      readonly take: boolean
    }
  | { readonly kind: 'take'; readonly at: number; readonly count: number }
  | { readonly kind: 'give'; readonly at: number; readonly count: number; readonly reclaimRevision: number }

const part = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const count = fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 40 }), fc.constant(2_000))
/** Few values, so that ties are frequent, and the ends of what is allowed. */
const revision = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constantFrom(LARGEST_REVISION - 1, LARGEST_REVISION))
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: fc.constant('find'), count, from: part, to: part, take: fc.boolean() }),
  fc.record({ kind: fc.constant('find'), count, from: fc.constant(0), to: fc.constant(1), take: fc.boolean() }),
  fc.record({ kind: fc.constant('take'), at: part, count }),
  fc.record({ kind: fc.constant('give'), at: part, count, reclaimRevision: revision }),
)
/** What an id is at the beginning; reserved, allocated and resting ids are all undefined. */
const beginnings = fc.array(fc.option(revision, { nil: undefined }), { minLength: 1, maxLength: 50 })

function isAvailableIn(space: IdSpace): boolean[] {
  return Array.from({ length: space.capacity }, (_, id) => space.isAvailable(id))
}

/** The stretch of ids that are all available, or all not, beginning with the first at or behind a place. */
function stretchAt(
  model: Model,
  capacity: number,
  place: number,
  length: number,
  available: boolean,
): [number, number] {
  let first = place
  while (first < capacity && model.has(first) !== available) first++
  let end = first
  while (end < capacity && end - first < length && model.has(end) === available) end++
  return [first, end - first]
}

function perform(policy: Policy, space: IdSpace, model: Model, operation: Operation): void {
  const { capacity } = space
  const place = (at: number) => Math.min(Math.floor(at * capacity), capacity - 1)
  switch (operation.kind) {
    case 'find': {
      const min = Math.min(place(operation.from), place(operation.to))
      const max = Math.max(place(operation.from), place(operation.to))
      const runs = space.find(operation.count, min, max)
      expect(idsOf(runs)).toEqual(expected(policy, model, operation.count, min, max))
      if (!operation.take) return
      forEachRun(runs, PLAIN, (first, length) => space.take(first, length))
      for (const id of idsOf(runs)) model.delete(id)
      return
    }
    case 'take': {
      const [first, length] = stretchAt(model, capacity, place(operation.at), operation.count, true)
      if (length === 0) return
      space.take(first, length)
      for (let id = first; id < first + length; id++) model.delete(id)
      return
    }
    case 'give': {
      const [first, length] = stretchAt(model, capacity, place(operation.at), operation.count, false)
      if (length === 0) return
      space.give(first, length, operation.reclaimRevision)
      for (let id = first; id < first + length; id++) model.set(id, operation.reclaimRevision)
      return
    }
    default:
      operation satisfies never
  }
}

function agree(policy: Policy, capacity: number, beginning: readonly (number | undefined)[], operations: Operation[]) {
  const revisionAt = (id: number) => beginning[id % beginning.length]
  const space = idSpaceOf(policy, capacity, revisionAt)
  const model: Model = new Map()
  for (let id = 0; id < capacity; id++) {
    const reclaimRevision = revisionAt(id)
    if (reclaimRevision !== undefined) model.set(id, reclaimRevision)
  }
  for (const next of operations) {
    perform(policy, space, model, next)
    expect(space.available).toBe(model.size)
    // One id and several are found in two ways, and a range in another one than the whole.
    const middle = Math.floor(capacity / 2)
    const order = expected(policy, model, capacity, 0, capacity - 1)
    expect(idsOf(space.find(capacity, 0, capacity - 1))).toEqual(order)
    expect(idsOf(space.find(1, 0, capacity - 1))).toEqual(order.slice(0, 1))
    expect(idsOf(space.find(1, 0, middle))).toEqual(order.filter((id) => id <= middle).slice(0, 1))
    expect(idsOf(space.find(1, middle, capacity - 1))).toEqual(order.filter((id) => id >= middle).slice(0, 1))
  }
  expect(isAvailableIn(space)).toEqual(Array.from({ length: capacity }, (_, id) => model.has(id)))
}

const empty = (policy: Policy, capacity: number) => idSpaceOf(policy, capacity, () => 0)
const full = (policy: Policy, capacity: number) => idSpaceOf(policy, capacity, () => undefined)
const nextOf = (space: IdSpace, min = 0, max = space.capacity - 1) => idsOf(space.find(1, min, max))[0]

describe.each(POLICIES)('the id space, policy %s, and a naive model', (policy) => {
  it.each(CAPACITIES)('agree after every operation, %i ids', (capacity) => {
    const operations = fc.array(operation, { maxLength: 40 })
    const property = fc.property(beginnings, operations, (beginning, drawn) =>
      agree(policy, capacity, beginning, drawn),
    )
    fc.assert(property, { numRuns: partOf(capacity > 100 ? 30 : 100) })
  })

  it('agree after every operation, 4097 ids', () => {
    const operations = fc.array(operation, { maxLength: 15 })
    const property = fc.property(beginnings, operations, (beginning, drawn) => agree(policy, 4097, beginning, drawn))
    fc.assert(property, { numRuns: partOf(12) })
  })
})

describe.each(POLICIES)('the id space, policy %s', (policy) => {
  it('hands out never used ids ascending', () => {
    expect(idsOf(empty(policy, 100).find(5, 0, 99))).toEqual([0, 1, 2, 3, 4])
    expect(empty(policy, 70_000).find(65_536, 1, 69_999)).toEqual([1, 65_536])
  })

  it('never finds an id that was not available when it was built', () => {
    const reserved = new Set([0, 5, 6, 7, 99])
    const space = idSpaceOf(policy, 100, (id) => (reserved.has(id) ? undefined : 0))
    expect(space.available).toBe(95)
    expect(space.find(100, 0, 99)).toEqual([1, 4, 8, 91])
    expect(space.isAvailable(5)).toBe(false)
  })

  it('finds as many as qualify where that is fewer than asked for', () => {
    const space = empty(policy, 100)
    expect(space.find(10, 96, 99)).toEqual([96, 4])
    space.take(97, 2)
    expect(space.find(10, 96, 99)).toEqual([96, 1, 99, 1])
    expect(space.find(2, 97, 98)).toEqual([])
  })

  it('finds the one id that min = max names, if it is available', () => {
    const space = empty(policy, 100)
    for (const id of [0, 31, 32, 63, 64, 99]) expect(space.find(1, id, id)).toEqual([id, 1])
    space.take(32, 1)
    expect(space.find(1, 32, 32)).toEqual([])
    expect(space.find(2, 32, 32)).toEqual([])
  })

  it('finds nothing when it is full, and what comes back then', () => {
    const space = full(policy, 1000)
    expect(space.available).toBe(0)
    expect(space.find(1, 0, 999)).toEqual([])
    expect(space.find(7, 0, 999)).toEqual([])
    space.give(500, 1, 12)
    expect(space.find(7, 0, 999)).toEqual([500, 1])
    expect(space.find(7, 0, 499)).toEqual([])
    expect(space.find(1, 501, 999)).toEqual([])
  })

  it('is changed by finding in no way', () => {
    const space = idSpaceOf(policy, 100, (id) => (id % 3 === 0 ? undefined : id % 5))
    const before = space.find(100, 0, 99)
    for (let size = 1; size <= 100; size++) space.find(size, 0, 99)
    expect(space.find(100, 0, 99)).toEqual(before)
    expect(space.available).toBe(66)
  })

  it('lets any available run be taken, not only the one that it would hand out', () => {
    const space = empty(policy, 100)
    space.take(40, 20)
    expect(space.available).toBe(80)
    expect(space.find(100, 0, 99)).toEqual([0, 40, 60, 40])
  })

  it('refuses to take what is not available, and is as it was before', () => {
    const space = idSpaceOf(policy, 100, (id) => (id === 50 ? undefined : 0))
    expect(() => space.take(50, 1)).toThrow('available')
    expect(() => space.take(10, 80)).toThrow('available')
    expect(space.available).toBe(99)
    expect(space.find(100, 0, 99)).toEqual([0, 50, 51, 49])
  })

  it('refuses to be given what is available already, and is as it was before', () => {
    const space = idSpaceOf(policy, 100, (id) => (id === 50 ? 7 : undefined))
    expect(() => space.give(50, 1, 8)).toThrow('available')
    expect(() => space.give(10, 80, 8)).toThrow('available')
    expect(space.available).toBe(1)
    expect(space.find(100, 0, 99)).toEqual([50, 1])
  })

  it('refuses runs and ranges that are not within it', () => {
    const space = full(policy, 100)
    expect(() => space.give(99, 2, 1)).toThrow('not within')
    expect(() => space.give(-1, 1, 1)).toThrow('not within')
    expect(() => space.take(100, 1)).toThrow('not within')
    expect(() => space.find(1, 0, 100)).toThrow('not within')
    expect(() => space.find(1, 5, 4)).toThrow('not within')
  })

  it('has no id beyond its capacity', () => {
    for (const capacity of [2, 31, 32, 33, 4097]) {
      const space = empty(policy, capacity)
      expect(space.available).toBe(capacity)
      expect(countIds(space.find(capacity + 100, 0, capacity - 1))).toBe(capacity)
      for (const id of [-1, capacity, capacity + 1, 2 ** 31, 2 ** 32]) expect(space.isAvailable(id)).toBe(false)
    }
  })

  it.each([0, 1, LARGEST_CAPACITY + 1, 2.5, Number.NaN])('cannot be built with a capacity of %d', (capacity) => {
    expect(() => empty(policy, capacity)).toThrow('capacity')
  })

  it('of 2^20 ids agrees with the rule at the edges of its words, families and levels', () => {
    const capacity = 2 ** 20
    const edges = [0, 7, 8, 31, 32, 1023, 1024, 32_767, 32_768, 262_143, 262_144, 524_287, 524_288, capacity - 1]
    const space = full(policy, capacity)
    const model: Model = new Map()
    for (const [index, id] of edges.entries()) {
      const reclaimRevision = 10 + ((index * 5) % 7)
      space.give(id, 1, reclaimRevision)
      model.set(id, reclaimRevision)
    }
    for (const min of edges) {
      for (const max of edges.filter((id) => id >= min)) {
        for (const wanted of [1, 3, 20]) {
          expect(idsOf(space.find(wanted, min, max))).toEqual(expected(policy, model, wanted, min, max))
        }
      }
    }
  })
})

describe('the id space, policy rested', () => {
  it('hands out what was never used before what was, wherever it is', () => {
    const space = idSpaceOf('rested', 100, (id) => (id < 90 ? 5 : 0))
    expect(space.find(12, 0, 99)).toEqual([90, 10, 0, 2])
  })

  it('hands out what has rested longest, and ids of one revision ascending', () => {
    const space = full('rested', 100)
    space.give(70, 2, 8)
    space.give(20, 2, 9)
    space.give(40, 1, 8)
    space.give(90, 1, 3)
    expect(idsOf(space.find(6, 0, 99))).toEqual([90, 40, 70, 71, 20, 21])
    expect(idsOf(space.find(6, 0, 39))).toEqual([20, 21])
    expect(nextOf(space, 41, 89)).toBe(70)
  })

  it('goes by the revision of the reclaim, not by the order in which ids are given', () => {
    const space = full('rested', 100)
    space.give(1, 1, 30)
    space.give(2, 1, 10)
    space.give(3, 1, 20)
    expect(idsOf(space.find(3, 0, 99))).toEqual([2, 3, 1])
  })

  it('hands out the same id again only after all others that are free', () => {
    const space = empty('rested', 10)
    const order: (number | undefined)[] = []
    for (let now = 1; now <= 25; now++) {
      const id = nextOf(space)
      order.push(id)
      if (id === undefined) break
      space.take(id, 1)
      space.give(id, 1, now)
    }
    expect(order).toEqual(Array.from({ length: 25 }, (_, index) => index % 10))
  })

  it('tells revisions apart up to 2^53', () => {
    const space = full('rested', 10)
    space.give(3, 1, LARGEST_REVISION)
    space.give(7, 1, LARGEST_REVISION - 1)
    expect(idsOf(space.find(2, 0, 9))).toEqual([7, 3])
  })

  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])('takes %d for no revision', (reclaimRevision) => {
    const space = full('rested', 10)
    expect(() => space.give(3, 1, reclaimRevision)).toThrow('no reclaim revision')
    expect(() => idSpaceOf('rested', 10, () => reclaimRevision)).toThrow('no reclaim revision')
    expect(space.available).toBe(0)
  })
})

describe('the id space, policy rested, after a run was given', () => {
  it.each([
    ['that fills many families', 5, 900],
    ['that touches two', 7, 2],
    ['that is one family', 16, 8],
  ])('finds its first id in every part of it: %s', (_name, first, length) => {
    const space = full('rested', 1024)
    space.give(first, length, 4)
    for (let min = 0; min < first + length; min++) expect(nextOf(space, min)).toBe(Math.max(min, first))
    expect(nextOf(space, first + length)).toBe(undefined)
    // Taken one after the other from the front, so that every node has to find a new lead.
    for (let id = first; id < first + length; id++) {
      expect(nextOf(space)).toBe(id)
      space.take(id, 1)
    }
    expect(space.available).toBe(0)
  })
})

describe('the id space, policy lowest', () => {
  it('hands out the lowest id, however recently it was reclaimed', () => {
    const space = empty('lowest', 100)
    space.take(0, 50)
    space.give(30, 2, 99)
    expect(idsOf(space.find(4, 0, 99))).toEqual([30, 31, 50, 51])
    expect(nextOf(space, 31)).toBe(31)
    expect(nextOf(space, 32)).toBe(50)
  })
})
