import { describe, expect, it } from 'vitest'
import { createSet, grantLease, must, run } from '../support/engine.ts'
import { changesOf, faultsOf, infoOf, leaseOf, openHold, startHolders } from '../support/holders.ts'
import { settle } from '../support/manual-clock.ts'

describe('a holder that is gone', () => {
  const TTL_MS = 3000

  /** It was told of one teardown, holds one bound id, and is heard of no more. */
  async function startDead(onExpiry: 'RELEASE' | 'HOLD') {
    const running = await startHolders()
    const { engine, bind, free } = running
    const leaseId = await grantLease(engine, TTL_MS, onExpiry)
    const opened = await openHold(engine, leaseId, 'CPU')
    const [freed, bound] = [await bind(70), await bind(71)]
    const revision = await free(freed)
    opened.close()
    return { ...running, leaseId, freed, bound, revision }
  }

  it('with RELEASE gives its ids back when its time is over, at most a second late, and not earlier', async () => {
    const { engine, clock, leaseId, freed, bound, free } = await startDead('RELEASE')
    clock.advance(TTL_MS)
    expect(await infoOf(engine, freed)).toMatchObject({ state: 'FREE_PENDING' })
    clock.advance(1000)
    await settle()
    expect(await infoOf(engine, freed)).toMatchObject({ reason: 'IOASID_NOT_FOUND' })
    expect(await infoOf(engine, bound)).toMatchObject({ references: 0, holders: [] })
    expect(await leaseOf(engine, leaseId)).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
    await free(bound)
    expect(await infoOf(engine, bound)).toMatchObject({ reason: 'IOASID_NOT_FOUND' })
    expect(await faultsOf(engine)).toEqual([])
  })

  it('with HOLD keeps them; their owner sees who and which revision is awaited, and the operator lets go of them', async () => {
    const { engine, clock, leaseId, freed, bound, revision, free, revoke } = await startDead('HOLD')
    clock.advance(100 * TTL_MS)
    await settle()
    const holder = { leaseId, count: 1 }
    const shown = { state: 'FREE_PENDING', holders: [{ ...holder, awaiting: revision, sinceRevision: 7 }] }
    expect(await infoOf(engine, freed)).toMatchObject(shown)
    expect(await infoOf(engine, bound)).toMatchObject({
      state: 'ACTIVE',
      holders: [{ ...holder, awaiting: undefined }],
    })
    expect(await leaseOf(engine, leaseId)).toMatchObject({ state: 'HELD', references: 2, hold: undefined })
    // What is torn down later waits for it as well; what is bound later does not.
    const later = await free(bound)
    expect(await infoOf(engine, bound)).toMatchObject({
      state: 'FREE_PENDING',
      holders: [{ ...holder, awaiting: later }],
    })
    const third = await changesOf(engine, await createSet(engine, 'next')).bind(70)
    expect(await infoOf(engine, third)).toMatchObject({ references: 0 })
    expect(await faultsOf(engine)).toEqual([])
    await revoke(leaseId)
    expect(must(await engine.status())).toMatchObject({ freePending: 0, allocated: 1 })
    expect(await faultsOf(engine)).toEqual([])
  })

  it.each([90, 700, 4999])('a hundred starts, %d ms each, keep it no longer than a hundred graces', async (ms) => {
    const graceMs = 1000
    const limits = { leaseGraceMs: graceMs }
    const first = await startHolders({ limits })
    const { store, vm } = first
    const leaseId = await grantLease(first.engine, TTL_MS)
    await openHold(first.engine, leaseId, 'CPU')
    const id = await first.bind(70)
    await changesOf(first.engine, vm).free(id)
    let { engine, clock } = first
    let servedMs = 0
    const serve = async (forMs: number) => {
      clock.advance(forMs)
      servedMs += forMs
      await settle(3)
      return must(await engine.status()).freePending === 1
    }
    let isPending = true
    for (let start = 0; start < 100 && isPending; start++) {
      isPending = await serve(ms)
      ;({ engine, clock } = await run({ store, limits }))
    }
    while (isPending) isPending = await serve(100)
    expect(servedMs).toBeGreaterThanOrEqual(TTL_MS)
    expect(servedMs).toBeLessThanOrEqual(TTL_MS + 100 * graceMs + 1000)
    expect(await leaseOf(engine, leaseId)).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
  })
})
