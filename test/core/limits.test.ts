import { describe, expect, it } from 'vitest'
import type { Command } from '../../server/core/command.ts'
import { isFailure } from '../../server/core/failure.ts'
import { asIoasid, asLeaseId, asSetId } from '../../server/core/ids.ts'
import type { SpaceConfig } from '../../server/core/state.ts'
import { type Running, start, submit } from '../support/space.ts'
import { changeLease, pageFor } from './lived-in-space.ts'

const setId = asSetId(1)
const leaseId = asLeaseId(1)

/** One lease, and a set with as many ids as are wanted. */
function space(quota: number, count: number, config: Partial<SpaceConfig> = {}): Running {
  const running = start(config)
  submit(running, { kind: 'grant_lease', terms: { name: '', ttlMs: 1000, onExpiry: 'HOLD' } })
  submit(running, { kind: 'create_set', token: 'vm-a', quota, leaseId: null })
  submit(running, { kind: 'allocate', setId, count, min: 0, max: 15, spids: null, privateData: null })
  return running
}

const acquire = (id: number): Command => ({ kind: 'acquire', set: { setId }, ioasid: asIoasid(id), leaseId })

describe('a quota', () => {
  it.each([
    ['what the set reserved', 10],
    ['what the set took without a quota', 0],
  ])('may grow to all that nobody else has reserved or taken, %s among it', (_what, quota) => {
    const running = space(quota, 3)
    expect(submit(running, { kind: 'adjust_quota', setId, quota: 16 })).toMatchObject({
      reason: 'CAPACITY_EXCEEDED',
      metadata: { limit: '15', requested: '16' },
    })
    expect(submit(running, { kind: 'adjust_quota', setId, quota: 15 })).toMatchObject({
      answer: { set: { quota: 15 } },
    })
  })
})

describe('references', () => {
  it('are limited as pairs of an id and a lease: one more of a pair is no further pair', () => {
    const running = space(0, 3, { maxReferences: 2 })
    for (const id of [1, 2, 2, 2, 1]) expect(isFailure(submit(running, acquire(id)))).toBe(false)
    expect(submit(running, acquire(3))).toMatchObject({ reason: 'TOO_MANY', metadata: { limit: '2' } })
  })

  it('of one pair are counted up to 2^31 - 1', () => {
    const running = space(0, 1)
    submit(running, acquire(1))
    const count = 2 ** 31 - 2
    const [reference] = pageFor(running.state, 1).references.get(1) ?? []
    if (reference === undefined) throw new Error('no reference')
    pageFor(running.state, 1).references.set(1, [{ ...reference, count }])
    changeLease(running.state, leaseId, { references: count })
    expect(submit(running, acquire(1))).toMatchObject({ answer: { references: 2 ** 31 - 1 } })
    expect(submit(running, acquire(1))).toMatchObject({ reason: 'TOO_MANY', metadata: { limit: '2147483647' } })
  })

  it('to an id are kept by lease, whoever came first', () => {
    const running = space(0, 1)
    submit(running, { kind: 'grant_lease', terms: { name: '', ttlMs: 1000, onExpiry: 'HOLD' } })
    submit(running, { kind: 'acquire', set: { setId }, ioasid: asIoasid(1), leaseId: asLeaseId(2) })
    submit(running, acquire(1))
    const kept = pageFor(running.state, 1).references.get(1) ?? []
    expect(kept.map((reference) => reference.leaseId)).toEqual([1, 2])
  })
})
