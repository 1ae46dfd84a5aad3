import { describe, expect, it } from 'vitest'
import type { Policy } from '../../server/core/id-space.ts'
import { idsOf } from '../../server/core/runs.ts'
import { idSpaceOf } from '../support/id-space.ts'

const LARGEST_REVISION = 2 ** 53
const LARGEST_CAPACITY = 2 ** 24

describe.each<Policy>(['rested', 'lowest'])('the id space, policy %s', (policy) => {
  it('of the largest capacity is built, and works at its ends', () => {
    const last = LARGEST_CAPACITY - 1
    const space = idSpaceOf(policy, LARGEST_CAPACITY, (id) => (id === 0 ? undefined : 0))
    const first = (min: number) => idsOf(space.find(1, min, last))[0]
    expect(space.available).toBe(last)
    expect(first(0)).toBe(1)
    space.take(1, last)
    expect(space.find(2, 0, last)).toEqual([])
    space.give(last, 1, LARGEST_REVISION)
    expect(first(0)).toBe(last)
    space.give(1, last - 1, 9)
    expect(space.find(LARGEST_CAPACITY, 0, last)).toEqual([1, last])
    expect(first(last)).toBe(last)
  })
})
