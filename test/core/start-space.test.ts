import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PAGE_IDS } from '../../server/core/id-pages.ts'
import { violations } from '../../server/core/invariants.ts'
import { createState } from '../../server/core/reindex.ts'
import { idsOf } from '../../server/core/runs.ts'
import { isReserved } from '../../server/core/state.ts'
import { CONFIG } from '../support/space.ts'

describe('a start', () => {
  it('makes available what no range reserves, in whichever order these come and overlap', () => {
    const id = fc.oneof(fc.nat(20), fc.nat(3 * PAGE_IDS))
    const range = fc.tuple(id, fc.nat(9)).map(([first, length]) => [first, first + length] as const)
    const capacity = fc.oneof(fc.integer({ min: 2, max: 30 }), fc.integer({ min: 2, max: 2 * PAGE_IDS + 9 }))
    const policy = fc.constantFrom('rested' as const, 'lowest' as const)
    fc.assert(
      fc.property(capacity, policy, fc.array(range, { maxLength: 6 }), (capacity, policy, reserved) => {
        const config = { ...CONFIG, capacity, policy, reserved }
        const state = createState(config)
        const free = Array.from({ length: capacity }, (_, id) => id).filter((id) => !isReserved(config, id))
        expect(state.usable).toBe(free.length)
        expect(idsOf(state.space.find(capacity, 0, capacity - 1))).toEqual(free)
        expect(violations(state)).toEqual([])
      }),
    )
  })
})
