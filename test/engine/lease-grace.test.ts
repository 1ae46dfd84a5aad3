import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isFailure } from '../../server/core/failure.ts'
import { createLeaseTimes } from '../../server/engine/lease-times.ts'
import {
  allocate,
  command,
  createSet,
  grantLease,
  isThere,
  leaseMarks,
  memoryStore,
  must,
  run,
} from '../support/engine.ts'
import { createManualClock, settle } from '../support/manual-clock.ts'

describe('the grace after a start', () => {
  it('ends no lease before it, and ends it then', async () => {
    const store = memoryStore()
    const first = await run({ store })
    const leaseId = await grantLease(first.engine, 500)
    first.clock.advance(499)
    await settle()
    const { engine, clock } = await run({ store })
    clock.advance(4999)
    expect(await isThere(engine, leaseId)).toBe(true)
    clock.advance(1001)
    expect(await isThere(engine, leaseId)).toBe(false)
  })

  it('is what a lease has whose time was not kept: it ends all the same', async () => {
    const { engine, clock } = await run({ store: memoryStore() })
    const leaseId = await grantLease(engine, 60_000)
    const times = await engine.read((state) => createLeaseTimes(state, [], 5000))
    if (isFailure(times)) throw new Error(times.message)
    const nowMs = clock.monotonicMs()
    expect(times.remainingMs(leaseId, nowMs)).toBeLessThanOrEqual(5000)
    expect(times.due(nowMs + 5000)).toEqual([leaseId])
  })

  it('takes nothing of what was left, and adds no more than itself', async () => {
    const property = async (ttlMs: number, share: number, graceMs: number) => {
      const store = memoryStore()
      const limits = { leaseGraceMs: graceMs }
      const first = await run({ store, limits })
      const leaseId = await grantLease(first.engine, ttlMs)
      first.clock.advance(Math.floor(ttlMs * share))
      const leftMs = first.engine.remainingMs(leaseId)
      await settle()
      const { engine } = await run({ store, limits })
      const nowLeftMs = engine.remainingMs(leaseId)
      expect(nowLeftMs).toBeGreaterThanOrEqual(Math.max(leftMs, graceMs))
      expect(nowLeftMs).toBeLessThanOrEqual(leftMs + graceMs)
    }
    const ttl = fc.integer({ min: 500, max: 20_000 })
    const share = fc.double({ min: 0, max: 0.99, noNaN: true })
    await fc.assert(fc.asyncProperty(ttl, share, fc.integer({ min: 200, max: 6000 }), property), { numRuns: 60 })
  })

  it.each([
    [90, 200],
    [450, 1000],
    [700, 5000],
    [4999, 5000],
  ])(
    'a hundred starts keep no dead lease for more than a hundred graces: %d ms each, %d ms of grace',
    async (ms, graceMs) => {
      const store = memoryStore()
      const limits = { leaseGraceMs: graceMs }
      const ttlMs = 3000
      let { engine, clock } = await run({ store, limits })
      const leaseId = await grantLease(engine, ttlMs)
      let servedMs = 0
      const serve = async (forMs: number) => {
        clock.advance(forMs)
        servedMs += forMs
        await settle(3)
      }
      for (let start = 0; start < 100; start++) {
        await serve(ms)
        ;({ engine, clock } = await run({ store, limits }))
      }
      while (await isThere(engine, leaseId)) await serve(100)
      expect(servedMs).toBeGreaterThanOrEqual(ttlMs)
      expect(servedMs).toBeLessThanOrEqual(ttlMs + 100 * graceMs + 1000)
    },
  )

  it('downtime itself ends nothing: serving time goes on where it was', async () => {
    const store = memoryStore()
    const first = await run({ store, limits: { leaseGraceMs: 200 } })
    const leaseId = await grantLease(first.engine, 30_000)
    first.clock.advance(1000)
    await settle()
    const clock = createManualClock()
    clock.advance(60_000)
    const { engine } = await run({ store, clock, limits: { leaseGraceMs: 200 } })
    expect(engine.remainingMs(leaseId)).toBeGreaterThanOrEqual(29_000)
  })

  it('holds also where a snapshot stands for the log', async () => {
    const store = memoryStore()
    const first = await run({ store, limits: { snapshotEvery: 1 } })
    const setId = await createSet(first.engine, 'vm')
    const [id = 0] = await allocate(first.engine, setId)
    const leaseId = await grantLease(first.engine, 20_000, 'HOLD')
    must(await first.engine.submit(command.acquire(setId, id, leaseId), undefined))
    for (let beat = 0; beat < 4; beat++) {
      first.clock.advance(500)
      await settle(20)
    }
    expect((await store.load()).base?.revision).toBe(4)
    const { engine, clock } = await run({ store })
    expect(engine.remainingMs(leaseId)).toBeGreaterThanOrEqual(18_000)
    expect(engine.remainingMs(leaseId)).toBeLessThanOrEqual(18_500)
    clock.advance(19_500)
    expect(must(await engine.read((state) => ({ lease: state.leases.get(leaseId) }))).lease).toMatchObject({
      isHeld: true,
      references: 1,
    })
    await settle()
    // A HELD one has no time that could be over, in no later start either.
    expect(await leaseMarks(store)).toBe(0)
    const third = await run({ store })
    expect(third.engine.remainingMs(leaseId)).toBe(0)
    third.clock.advance(60_000)
    expect(third.engine.remainingMs(leaseId)).toBe(0)
    expect(await isThere(third.engine, leaseId)).toBe(true)
  })
})
