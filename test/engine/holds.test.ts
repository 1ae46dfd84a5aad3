import { describe, expect, it } from 'vitest'
import type { SubscribeRequest } from '../../server/engine/subscribe.ts'
import { controlStore } from '../support/controlled-store.ts'
import {
  command,
  createSet,
  grantLease,
  makeRevisions,
  memoryStore,
  must,
  namesOf,
  peek,
  request,
  run,
  subscribe,
  subscription,
} from '../support/engine.ts'
import { changesOf, faultsOf, hold, infoOf, LONG_MS, leaseOf, openHold, startHolders } from '../support/holders.ts'
import { settle } from '../support/manual-clock.ts'
import { listen } from '../support/told.ts'

const HELD_VM = { names: { tokens: ['vm'], setIds: [] }, priority: 'CPU', registerRevision: 5, acknowledged: 0 }

describe('a registration', () => {
  it('is a change with a revision of its own, which nobody is notified of, and its lease shows it', async () => {
    const { engine, cpu } = await startHolders()
    const { told } = await listen(engine)
    const { opened } = await hold(engine, cpu, 'CPU')
    expect(opened.revision).toBe(4)
    expect(must(await engine.status()).revision).toBe(5)
    expect(await leaseOf(engine, cpu)).toMatchObject({ hold: HELD_VM, references: 0 })
    expect(await told()).toEqual([])
  })

  it('is what a snapshot counts from: nothing lies between the references and what is told', async () => {
    const { engine, cpu, bind } = await startHolders()
    const id = await bind(70)
    const { opened } = await hold(engine, cpu, 'CPU', { start: { kind: 'snapshot' } })
    expect(opened.revision).toBe(6)
    expect([...(opened.snapshot?.items() ?? [])]).toMatchObject([{ kind: 'set' }, { ioasid: id }])
    expect(await infoOf(engine, id)).toMatchObject({ references: 1, holders: [{ leaseId: cpu, sinceRevision: 6 }] })
  })

  it('is on disk before its stream begins', async () => {
    const store = controlStore(memoryStore())
    const { engine, cpu } = await startHolders({ store })
    await settle()
    store.hold()
    const request = subscription({ start: { kind: 'snapshot' }, hold: { leaseId: cpu, priority: 'CPU' } })
    const opening = engine.subscribe(request)
    expect(await peek(opening)).toBe('waiting')
    expect(store.batches.at(-1)?.entries).toMatchObject([{ events: [{ kind: 'REGISTER', leaseId: cpu }] }])
    store.release()
    expect(must(await opening).revision).toBe(5)
  })

  it.each([
    ['the log alone', 100_000],
    ['a snapshot', 1],
  ])('survives a restart, from %s', async (_name, snapshotEvery) => {
    const store = memoryStore()
    const first = await startHolders({ store, limits: { snapshotEvery } })
    const old = await first.bind(70)
    await openHold(first.engine, first.cpu, 'CPU')
    await first.detach(old)
    for (let beat = 0; beat < 2; beat++) {
      first.clock.advance(500)
      await settle(20)
    }
    if (snapshotEvery === 1) expect((await store.load()).base?.revision).toBe(7)
    const before = must(await leaseOf(first.engine, first.cpu))
    const { engine } = await run({ store })
    expect(await leaseOf(engine, first.cpu)).toEqual(before)
    expect(before).toMatchObject({ references: 1, hold: { registerRevision: 6 } })
    // It holds what is bound before anybody has come back for its stream.
    const id = await changesOf(engine, first.vm).bind(71)
    expect(await infoOf(engine, id)).toMatchObject({ holders: [{ leaseId: first.cpu, sinceRevision: 8 }] })
    const { told } = await hold(engine, first.cpu, 'CPU', { start: { kind: 'after', revision: 6 } })
    expect(await told()).toEqual(['7 UNBIND vm 1', '8 ALLOC vm 2, BIND vm 2'])
    expect(must(await engine.status()).revision).toBe(8)
    expect(await faultsOf(engine)).toEqual([])
  })

  it('outlives its stream: what is bound meanwhile is held, and told when it is resumed', async () => {
    const { engine, cpu, bind, detach } = await startHolders()
    const opened = await openHold(engine, cpu, 'CPU')
    opened.close()
    const id = await bind(70)
    await detach(id)
    expect(await infoOf(engine, id)).toMatchObject({ state: 'ACTIVE', references: 1, holders: [{ awaiting: 7 }] })
    const { told } = await hold(engine, cpu, 'CPU', { start: { kind: 'after', revision: opened.revision } })
    expect(await told()).toEqual(['6 ALLOC vm 1, BIND vm 1', '7 UNBIND vm 1'])
    expect(await infoOf(engine, id)).toMatchObject({ references: 1 })
  })

  it('that the disk never saw is none', async () => {
    const inner = memoryStore()
    const store = controlStore(inner)
    const { engine, cpu } = await startHolders({ store })
    await settle()
    store.hold()
    const opening = engine.subscribe(
      subscription({ start: { kind: 'snapshot' }, hold: { leaseId: cpu, priority: 'CPU' } }),
    )
    await settle()
    store.fail(new Error('the disk is gone'))
    expect(await opening).toMatchObject({ reason: 'STORE_FAILED' })
    const { engine: again } = await run({ store: inner })
    expect(await leaseOf(again, cpu)).toMatchObject({ hold: undefined })
  })

  it('of a token holds the next set of that token, too, also where there was none yet', async () => {
    const { engine, cpu, vm } = await startHolders()
    await openHold(engine, cpu, 'CPU', { sets: namesOf(['later', 'vm']) })
    must(await engine.submit(command.deleteSet(vm), undefined))
    for (const token of ['later', 'vm']) {
      const id = await changesOf(engine, await createSet(engine, token)).bind(7)
      expect(await infoOf(engine, id), token).toMatchObject({ token, references: 1 })
    }
  })

  it('by set handles stays until its lease ends, though its sets have ended', async () => {
    const { engine, cpu, vm, bind, acknowledge } = await startHolders()
    await openHold(engine, cpu, 'CPU', { sets: namesOf([], [vm]) })
    const id = await bind(70)
    must(await engine.submit(command.deleteSet(vm), undefined))
    await acknowledge(cpu, 7)
    expect(await infoOf(engine, id)).toMatchObject({ reason: 'IOASID_NOT_FOUND' })
    expect(await leaseOf(engine, cpu)).toMatchObject({ hold: { names: { tokens: [], setIds: [vm] } }, references: 0 })
    const other = await openHold(engine, cpu, 'CPU', { sets: namesOf([], [vm]) })
    expect(other.revision).toBe(8)
    expect(must(await engine.status()).revision).toBe(8)
  })
})

describe('to subscribe with the same ones again', () => {
  it('is to resume, whatever their order, and takes no revision; types and heartbeat are no part of them', async () => {
    const { engine, cpu } = await startHolders()
    const sets = namesOf(['b', 'vm', 'a'])
    await openHold(engine, cpu, 'CPU', { sets })
    const { revision } = must(await engine.status())
    const again: Partial<SubscribeRequest> = {
      sets: namesOf(['vm', 'a', 'b', 'a']),
      types: new Set(['BIND', 'UNBIND', 'FREE']),
      heartbeatMs: 100,
      start: { kind: 'snapshot' },
    }
    expect((await openHold(engine, cpu, 'CPU', again)).revision).toBe(revision)
    expect(must(await engine.status()).revision).toBe(revision)
  })

  it.each<[string, Partial<SubscribeRequest>, 'CPU' | 'DEVICE']>([
    ['one more token', { sets: namesOf(['vm', 'other']) }, 'CPU'],
    ['another token', { sets: namesOf(['other']) }, 'CPU'],
    ['the same set by its handle', { sets: namesOf([], [1]) }, 'CPU'],
    ['the same set by both', { sets: namesOf(['vm'], [1]) }, 'CPU'],
    ['every set', { sets: 'all' }, 'CPU'],
    ['another priority', {}, 'DEVICE'],
  ])('is refused with %s: HOLD_DIFFERS, and the stream goes on', async (_name, from, priority) => {
    const { engine, cpu, bind } = await startHolders()
    const { told } = await hold(engine, cpu, 'CPU')
    const asked = { sets: namesOf(['vm']), start: { kind: 'snapshot' }, ...from } as const
    const refused = await engine.subscribe(subscription({ ...asked, hold: { leaseId: cpu, priority } }))
    expect(refused).toMatchObject({ reason: 'HOLD_DIFFERS', metadata: { lease_id: String(cpu) } })
    expect(await leaseOf(engine, cpu)).toMatchObject({ hold: HELD_VM })
    await bind(70)
    expect(await told()).toEqual(['6 ALLOC vm 1, BIND vm 1'])
  })

  it('is each lease its own: two of the same filter hold each for itself', async () => {
    const { engine, cpu, device, bind } = await startHolders()
    const first = await hold(engine, cpu, 'CPU')
    const second = await hold(engine, device, 'DEVICE')
    const id = await bind(70)
    expect(await infoOf(engine, id)).toMatchObject({ references: 2, holders: [{ leaseId: cpu }, { leaseId: device }] })
    for (const { told } of [first, second]) expect(await told()).toEqual(['7 ALLOC vm 1, BIND vm 1'])
  })
})

describe('a hold that is refused', () => {
  const cursor = { start: { kind: 'after', revision: 0 } } as const

  it.each<[string, Partial<SubscribeRequest>, string]>([
    ['COMPACTED', cursor, 'COMPACTED'],
    ['from the future', { start: { kind: 'after', revision: 10_000 } }, 'FUTURE_REVISION'],
    ['of another history', { spaceId: 'space-b' }, 'HISTORY_CHANGED'],
    ['of a set that is not there', { sets: namesOf([], [99]) }, 'SET_NOT_FOUND'],
  ])(
    '%s leaves nothing behind: no registration, no revision, no end of the stream there is',
    async (_name, from, reason) => {
      const { engine, clock, cpu, iommu, vm, bind } = await startHolders({
        limits: { historyRevisions: 10, snapshotEvery: 3 },
      })
      await bind(70)
      const sets = from.sets ?? namesOf(['vm'])
      // The one that has a stream asks for the same again, where it could be had at all.
      const own = await hold(engine, iommu, 'IOMMU', { sets: namesOf(['vm']) })
      await makeRevisions(engine, vm, 20)
      for (let beat = 0; beat < 4; beat++) {
        clock.advance(500)
        await settle(20)
      }
      const before = must(await engine.status())
      await own.told()
      const asked = { start: { kind: 'snapshot' }, ...from, sets } as const
      const fresh = await engine.subscribe(subscription({ ...asked, hold: { leaseId: cpu, priority: 'CPU' } }))
      expect(fresh).toMatchObject({ reason })
      const again = await engine.subscribe(subscription({ ...asked, hold: { leaseId: iommu, priority: 'IOMMU' } }))
      expect(again).toMatchObject({ reason })
      expect(await engine.status()).toEqual(before)
      expect(await leaseOf(engine, cpu)).toMatchObject({ hold: undefined, references: 0 })
      expect(await own.told()).toEqual([])
    },
  )

  it('because there are too many subscriptions, references or snapshots leaves nothing behind either', async () => {
    const limits = { maxSubscriptions: 1, maxOpenSnapshots: 0 }
    const { engine, vm, cpu, bind } = await startHolders({ limits, space: { capacity: 10_000, maxReferences: 1 } })
    await Promise.all([bind(70), bind(71)])
    const asked = subscription({ start: { kind: 'snapshot' }, hold: { leaseId: cpu, priority: 'CPU' } })
    const facts = (what: string) => ({ reason: 'TOO_MANY', metadata: { what } })
    expect(await engine.subscribe(asked)).toMatchObject(facts('references'))
    must(await engine.submit(command.free(vm, [1, 2]), undefined))
    const other = await subscribe(engine)
    expect(await engine.subscribe(asked)).toMatchObject(facts('subscriptions'))
    other.close()
    must(await engine.submit({ ...command.allocate(vm, 5000), max: 9999 }, undefined))
    expect(await engine.subscribe(asked)).toMatchObject(facts('snapshots'))
    expect(await leaseOf(engine, cpu)).toMatchObject({ hold: undefined, references: 0 })
    expect(must(await engine.status()).subscriptions).toBe(0)
  })

  it('is so in the order of the contract: the set, the lease, its state, and the cursor last', async () => {
    const { engine, cpu } = await startHolders()
    await openHold(engine, cpu, 'CPU')
    const gone = await grantLease(engine, LONG_MS)
    must(await engine.submit(command.revokeLease(gone), request('r')))
    const wrong = { spaceId: 'space-b', start: { kind: 'after', revision: 10_000 } } as const
    const ask = (leaseId: typeof cpu, sets: SubscribeRequest['sets']) =>
      engine.subscribe(subscription({ ...wrong, sets, hold: { leaseId, priority: 'DEVICE' } }))
    expect(await ask(gone, namesOf(['vm'], [99]))).toMatchObject({ reason: 'SET_NOT_FOUND' })
    expect(await ask(cpu, namesOf(['vm'], [99]))).toMatchObject({ reason: 'SET_NOT_FOUND' })
    expect(await ask(gone, namesOf(['vm']))).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
    expect(await ask(cpu, namesOf(['vm']))).toMatchObject({ reason: 'HOLD_DIFFERS' })
  })
})
