import { describe, expect, it } from 'vitest'
import { command, createSet, grantLease, makeRevisions, must, namesOf, subscribe } from '../support/engine.ts'
import { changesOf, faultsOf, hold, infoOf, openHold, startHolders } from '../support/holders.ts'
import { settle } from '../support/manual-clock.ts'

describe('a holder that comes back', () => {
  it('finds its place though there are as many subscriptions as there may be: it replaces its own', async () => {
    const { engine, cpu, iommu } = await startHolders({ limits: { maxSubscriptions: 2 } })
    const { told } = await hold(engine, cpu, 'CPU')
    await subscribe(engine)
    const again = await openHold(engine, cpu, 'CPU')
    expect(await told()).toEqual(['ended SUPERSEDED'])
    expect(must(await engine.status()).subscriptions).toBe(2)
    // Once its stream has gone, its place is anybody's.
    again.close()
    await subscribe(engine)
    await expect(openHold(engine, cpu, 'CPU')).rejects.toThrow('TOO_MANY')
    await expect(openHold(engine, iommu, 'IOMMU')).rejects.toThrow('TOO_MANY')
  })

  it('may start from a snapshot though one of its sets has ended so long ago that its handle is forgotten', async () => {
    const limits = { historyRevisions: 10, snapshotEvery: 3 }
    const { engine, clock, vm, cpu, bind, acknowledge } = await startHolders({ limits })
    const other = await createSet(engine, 'other')
    const named = { sets: namesOf([], [vm, other]), start: { kind: 'snapshot' } } as const
    await openHold(engine, cpu, 'CPU', named)
    const id = await bind(70)
    must(await engine.submit(command.deleteSet(vm), undefined))
    await makeRevisions(engine, other, 30)
    for (let beat = 0; beat < 4; beat++) {
      clock.advance(500)
      await settle(20)
    }
    // Its set is draining for its sake until it has come back.
    expect(await infoOf(engine, id)).toMatchObject({ state: 'FREE_PENDING' })
    const pending = await openHold(engine, cpu, 'CPU', named)
    await acknowledge(cpu, pending.revision)
    await makeRevisions(engine, other, 30)
    for (let beat = 0; beat < 4; beat++) {
      clock.advance(500)
      await settle(20)
    }
    const { revision, snapshot } = await openHold(engine, cpu, 'CPU', named)
    expect([...(snapshot?.items() ?? [])]).toMatchObject([{ kind: 'set', set: { setId: other } }])
    expect(must(await engine.status())).toMatchObject({ revision, sets: 1, freePending: 0 })
    const held = await changesOf(engine, other).bind(71)
    expect(await infoOf(engine, held)).toMatchObject({ references: 1 })
    expect(await faultsOf(engine)).toEqual([])
  })

  it('after a revival registers anew, also otherwise; what it has acknowledged stays so, and what it has stays its own', async () => {
    const { engine, clock, iommu, bind, attach, detach, acknowledge } = await startHolders()
    const leaseId = await grantLease(engine, 2000, 'HOLD')
    const first = await openHold(engine, leaseId, 'CPU')
    const id = await bind(70)
    const early = await detach(id)
    await attach(id, 71)
    const late = await detach(id)
    await acknowledge(leaseId, early)
    clock.advance(3000)
    await settle()
    expect(first.subscription.signal.aborted).toBe(true)
    const held = { leaseId, count: 1, awaiting: late, sinceRevision: 7 }
    expect(await infoOf(engine, id)).toMatchObject({ references: 1, holders: [held] })
    must(await engine.renew(leaseId))
    const bound = await bind(72)
    expect(await infoOf(engine, bound)).toMatchObject({ references: 0 })
    await openHold(engine, leaseId, 'CPU', { sets: 'all' })
    expect(await infoOf(engine, bound)).toMatchObject({ references: 1 })
    expect(await infoOf(engine, id)).toMatchObject({ references: 1, holders: [held] })
    // Who reads it all waits for what it has yet to acknowledge, and for nothing else.
    const start = { kind: 'after', revision: early - 1 } as const
    const { told } = await hold(engine, iommu, 'IOMMU', { start })
    expect(await told()).toEqual([`${early} UNBIND vm 1`, `${early + 1} BIND vm 1`])
    await acknowledge(leaseId, late)
    expect((await told())[0]).toBe(`${late} UNBIND vm 1`)
    expect(await infoOf(engine, id)).toMatchObject({ references: 0 })
    expect(await faultsOf(engine)).toEqual([])
  })
})
