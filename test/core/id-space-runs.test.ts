import { describe, expect, it } from 'vitest'
import type { Policy } from '../../server/core/id-space.ts'
import { idSpaceOf } from '../support/id-space.ts'

describe.each<Policy>(['rested', 'lowest'])(
  'a run of the id space, policy %s, that reaches over many words',
  (policy) => {
    it('is found when it has come back, in whole, from any place in it and behind the ends of it not', () => {
      const space = idSpaceOf(policy, 5000, () => undefined)
      space.give(100, 3000, 1)
      expect(space.find(5000, 0, 4999)).toEqual([100, 3000])
      expect(space.find(1, 0, 4999)).toEqual([100, 1])
      expect(space.find(1, 2000, 4999)).toEqual([2000, 1])
      expect(space.find(1, 3100, 4999)).toEqual([])
    })

    it.each([
      ['first', 100],
      ['last', 3099],
      ['in its middle', 2000],
    ])('is not taken if one id of it is not available, %s, nor given if one is', (_where, id) => {
      const taken = idSpaceOf(policy, 5000, (other) => (other === id ? undefined : 0))
      expect(() => taken.take(100, 3000)).toThrow('available')
      expect(taken.available).toBe(4999)
      const given = idSpaceOf(policy, 5000, (other) => (other === id ? 0 : undefined))
      expect(() => given.give(100, 3000, 1)).toThrow('available')
      expect(given.find(5000, 0, 4999)).toEqual([id, 1])
    })
  },
)
