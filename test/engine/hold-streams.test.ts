import { describe, expect, it } from 'vitest'
import { controlStore } from '../support/controlled-store.ts'
import {
  command,
  createSet,
  grantLease,
  isThere,
  memoryStore,
  must,
  namesOf,
  peek,
  subscription,
} from '../support/engine.ts'
import { changesOf, faultsOf, hold, leaseOf, openHold, startHolders } from '../support/holders.ts'
import { settle } from '../support/manual-clock.ts'
import { listen, listenTo } from '../support/told.ts'

const TTL_MS = 2000
const LATE_MS = 1000

/** A CPU holder that never acknowledges has been told of a teardown, and an IOMMU holder waits for its turn. */
async function startWave(onExpiry: 'RELEASE' | 'HOLD' = 'RELEASE') {
  const running = await startHolders({ limits: { teardownTimeoutMs: 600_000 } })
  const { engine, cpu, bind, detach } = running
  const leaseId = await grantLease(engine, TTL_MS, onExpiry)
  const first = await hold(engine, cpu, 'CPU')
  const waiting = await hold(engine, leaseId, 'IOMMU')
  const id = await bind(70)
  const revision = await detach(id)
  expect((await first.told()).at(-1)).toBe(`${revision} UNBIND vm 1`)
  expect((await waiting.told()).at(-1)).toBe(`${revision - 1} ALLOC vm 1, BIND vm 1`)
  return { ...running, leaseId, first, waiting, id, revision }
}

describe('the earlier stream of a registration', () => {
  it('ends at once with SUPERSEDED, whatever it waits for; the later one is told what it was not', async () => {
    const { engine, cpu, acknowledge, leaseId, waiting, revision } = await startWave()
    const start = { kind: 'after', revision: revision - 1 } as const
    const later = await hold(engine, leaseId, 'IOMMU', { start })
    const failure = {
      reason: 'SUPERSEDED',
      metadata: { subscription_id: String(later.opened.subscription.subscriptionId) },
    }
    expect(await waiting.told()).toEqual(['ended SUPERSEDED'])
    expect(await waiting.opened.subscription.next()).toMatchObject({ kind: 'ended', failure })
    expect(await later.told()).toEqual([])
    await acknowledge(cpu, revision)
    expect(await later.told()).toEqual([`${revision} UNBIND vm 1`])
    expect(await waiting.told()).toEqual([])
  })

  it('ends though nobody reads it, and leaves its place to others', async () => {
    const { engine, cpu } = await startHolders()
    for (let opened = 0; opened < 5; opened++) await openHold(engine, cpu, 'CPU')
    expect(must(await engine.status()).subscriptions).toBe(1)
  })

  it('is no one else’s: other leases and who only watches go on', async () => {
    const { engine, cpu, device, bind } = await startHolders()
    const plain = await listen(engine, { sets: namesOf(['vm']) })
    const other = await hold(engine, device, 'DEVICE')
    const superseded = await hold(engine, cpu, 'CPU')
    const { told } = await hold(engine, cpu, 'CPU')
    await bind(70)
    for (const { told: alike } of [plain, other, { told }]) expect(await alike()).toEqual(['7 ALLOC vm 1, BIND vm 1'])
    expect(await superseded.told()).toEqual(['ended SUPERSEDED'])
  })
})

describe('the stream of a lease that ends', () => {
  it.each(['RELEASE', 'HOLD'] as const)(
    'by time, with %s, ends at once with LEASE_NOT_FOUND, whatever wave it waits for',
    async (onExpiry) => {
      const { engine, clock, waiting, first } = await startWave(onExpiry)
      clock.advance(TTL_MS - 500)
      expect(await waiting.told()).toEqual([])
      clock.advance(500 + LATE_MS)
      expect(await waiting.told()).toEqual(['ended LEASE_NOT_FOUND'])
      expect(await first.told()).toEqual([])
      expect(must(await engine.status()).subscriptions).toBe(1)
      expect(await faultsOf(engine)).toEqual([])
    },
  )

  it('by RevokeLease ends in the same moment', async () => {
    const { leaseId, revoke, waiting } = await startWave()
    await revoke(leaseId)
    expect(await waiting.told()).toEqual(['ended LEASE_NOT_FOUND'])
  })

  it('ends although its reader is behind and has yet to read', async () => {
    const { engine, cpu, bind, revoke } = await startHolders()
    const { subscription } = await openHold(engine, cpu, 'CPU')
    for (let spid = 0; spid < 5; spid++) await bind(spid)
    expect(await subscription.next()).toMatchObject({ kind: 'entry', revision: 6 })
    await revoke(cpu)
    expect(subscription.signal.aborted).toBe(true)
    expect(await subscription.next()).toMatchObject({ kind: 'ended', failure: { reason: 'LEASE_NOT_FOUND' } })
  })

  it('ends when the end is on disk, not before', async () => {
    const store = controlStore(memoryStore())
    const { engine, cpu } = await startHolders({ store })
    const { told } = await hold(engine, cpu, 'CPU')
    await settle()
    store.hold()
    const revoked = engine.submit(command.revokeLease(cpu), undefined)
    await settle()
    expect(await told()).toEqual([])
    store.release()
    must(await revoked)
    expect(await told()).toEqual(['ended LEASE_NOT_FOUND'])
  })

  it('that was revived goes on, if it was opened after the revival, in whichever batch that is written', async () => {
    const store = controlStore(memoryStore())
    const { engine, clock, vm, bind } = await startHolders({ store })
    const leaseId = await grantLease(engine, TTL_MS, 'HOLD')
    const id = await bind(70)
    must(await engine.submit(command.acquire(vm, id, leaseId), undefined))
    await settle()
    store.hold()
    clock.advance(TTL_MS + LATE_MS)
    const revived = engine.renew(leaseId)
    const opening = engine.subscribe(subscription({ start: { kind: 'snapshot' }, hold: { leaseId, priority: 'CPU' } }))
    await settle()
    store.release()
    expect(must(await revived).answer).toMatchObject({ lease: { state: 'ALIVE' } })
    const { told } = listenTo(must(await opening))
    await bind(71)
    expect(await told()).toEqual(['11 ALLOC vm 2, BIND vm 2'])
    expect(must(await engine.status()).subscriptions).toBe(1)
  })
})

describe('a stream renews nothing', () => {
  it('however much is told, and however often it is opened again', async () => {
    const { engine, clock, bind } = await startHolders()
    const leaseId = await grantLease(engine, TTL_MS)
    const { told } = await hold(engine, leaseId, 'CPU', { heartbeatMs: 100 })
    let lastStream = told
    for (let passed = 0; passed < TTL_MS; passed += 200) {
      clock.advance(200)
      await bind(passed)
      await lastStream()
      lastStream = (await hold(engine, leaseId, 'CPU', { heartbeatMs: 100 })).told
      expect(engine.remainingMs(leaseId)).toBe(TTL_MS - passed - 200)
    }
    clock.advance(LATE_MS)
    expect((await lastStream()).at(-1)).toBe('ended LEASE_NOT_FOUND')
    expect(await isThere(engine, leaseId)).toBe(false)
  })
})

describe('Acknowledge', () => {
  it('gives its lease its whole time again, also where it changes nothing and takes no revision', async () => {
    const { engine, clock, bind, detach, acknowledge } = await startHolders()
    const leaseId = await grantLease(engine, TTL_MS)
    const revision = await detach(await bind(70))
    const bare = await grantLease(engine, TTL_MS)
    await openHold(engine, leaseId, 'CPU')
    const answers: number[] = []
    for (const asked of [revision, revision, 0]) {
      for (const each of [leaseId, bare]) {
        clock.advance(500)
        answers.push(await acknowledge(each, asked))
        expect(engine.remainingMs(each)).toBe(TTL_MS)
      }
    }
    expect(new Set(answers)).toEqual(new Set([revision + 2]))
  })

  it('gives it also with what it changes', async () => {
    const { engine, clock, bind, detach, acknowledge } = await startHolders()
    const leaseId = await grantLease(engine, TTL_MS)
    await openHold(engine, leaseId, 'CPU')
    const revision = await detach(await bind(70))
    clock.advance(1500)
    expect(await acknowledge(leaseId, revision)).toBe(revision + 1)
    expect(engine.remainingMs(leaseId)).toBe(TTL_MS)
  })

  it('is answered when the renewal is on disk', async () => {
    const store = controlStore(memoryStore())
    const { engine, cpu, acknowledge } = await startHolders({ store })
    await settle()
    store.hold()
    const acknowledged = acknowledge(cpu, 1)
    expect(await peek(acknowledged)).toBe('waiting')
    expect(store.batches.at(-1)).toMatchObject({ entries: [], marks: [{ key: expect.stringContaining('lease/') }] })
    store.release()
    expect(await acknowledged).toBe(4)
    expect(await isThere(engine, cpu)).toBe(true)
  })

  it('works on a HELD lease and does not revive it; with its last reference it is gone', async () => {
    const { engine, clock, leaseId, id, revision, acknowledge } = await startWave('HOLD')
    const other = await changesOf(engine, await createSet(engine, 'other')).bind(5)
    expect(other).toBe(2)
    clock.advance(TTL_MS + LATE_MS)
    await settle()
    expect(await leaseOf(engine, leaseId)).toMatchObject({ state: 'HELD', references: 1, hold: undefined })
    await acknowledge(leaseId, revision - 1)
    expect(await leaseOf(engine, leaseId)).toMatchObject({ state: 'HELD', references: 1 })
    expect(engine.remainingMs(leaseId)).toBe(0)
    await acknowledge(leaseId, revision)
    expect(await leaseOf(engine, leaseId)).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
    expect(await faultsOf(engine)).toEqual([])
    expect(id).toBe(1)
  })

  it('above the daemon’s revision is FUTURE_REVISION, and of a lease that is not there LEASE_NOT_FOUND', async () => {
    const { engine, cpu, iommu, revoke, acknowledge } = await startHolders()
    await openHold(engine, cpu, 'CPU')
    for (const leaseId of [cpu, iommu]) {
      const refused = await engine.submit(command.acknowledge(leaseId, 6), undefined)
      expect(refused).toMatchObject({ reason: 'FUTURE_REVISION', metadata: { revision: '5', requested: '6' } })
      expect(await acknowledge(leaseId, 5)).toBe(5)
    }
    await revoke(cpu)
    const refused = await engine.submit(command.acknowledge(cpu, 10_000), undefined)
    expect(refused).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
  })
})
