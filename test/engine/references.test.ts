import { describe, expect, it } from 'vitest'
import { getIoasid, getSet } from '../../server/core/query.ts'
import type { Engine } from '../../server/engine/engine.ts'
import {
  allocate,
  answerOf,
  command,
  createSet,
  grantLease,
  memoryStore,
  must,
  type RunOptions,
  request,
  run,
} from '../support/engine.ts'

async function start(options: RunOptions & { quota?: number } = {}) {
  const store = options.store ?? memoryStore()
  const running = await run({ ...options, store })
  const setId = await createSet(running.engine, 'vm', options.quota)
  const kvm = await grantLease(running.engine, 60_000)
  const iommu = await grantLease(running.engine, 60_000)
  const send = (...asked: Parameters<Engine['submit']>) => running.engine.submit(...asked)
  return { ...running, store, setId, kvm, iommu, send }
}

const info = async (engine: Engine, id: number) => must(await engine.read((state) => getIoasid(state, id, undefined)))

describe('an id that is freed while somebody holds it', () => {
  it('is pending, and not handed out again until the last reference is gone, though the space is full', async () => {
    const { engine, setId, kvm, iommu, send } = await start({ space: { capacity: 4 } })
    expect(await allocate(engine, setId, 3)).toEqual([1, 2, 3])
    for (const lease of [kvm, iommu, kvm]) must(await send(command.acquire(setId, 2, lease), undefined))
    const freed = await answerOf(engine, { kind: 'free_all', setId }, 'freed_all')
    expect(freed.answer).toMatchObject({ reclaimed: 2, pending: 1 })
    const wanted = { ...command.allocate(setId), max: 3 }
    expect((await allocate(engine, setId, 2)).toSorted()).toEqual([1, 3])
    const full = { reason: 'CAPACITY_EXCEEDED', metadata: { limit: '0' } }
    for (const lease of [kvm, iommu]) {
      const { answer } = await answerOf(engine, command.release(setId, 2, lease), 'released')
      expect(answer.reclaimed).toBe(false)
      expect(await send(wanted, undefined)).toMatchObject(full)
    }
    const { answer } = await answerOf(engine, command.release(setId, 2, kvm), 'released')
    expect(answer).toEqual({ kind: 'released', references: 0, reclaimed: true })
    expect(await allocate(engine, setId)).toEqual([2])
  })

  it('is not handed out to who asks for just this one either', async () => {
    const { engine, setId, kvm, send } = await start()
    await allocate(engine, setId)
    must(await send(command.acquire(setId, 1, kvm), undefined))
    must(await send(command.free(setId, [1]), undefined))
    const exact = { ...command.allocate(setId), min: 1, max: 1 }
    expect(await send(exact, undefined)).toMatchObject({ reason: 'RANGE_EXHAUSTED' })
    must(await send(command.release(setId, 1, kvm), undefined))
    must(await send(exact, undefined))
  })

  it('begins its reuse delay when it is reclaimed, not when it was freed', async () => {
    const { engine, clock, setId, kvm, send } = await start({ space: { capacity: 2, reuseDelayMs: 10_000 } })
    await allocate(engine, setId)
    must(await send(command.acquire(setId, 1, kvm), undefined))
    must(await send(command.free(setId, [1]), undefined))
    clock.advance(9000)
    must(await send(command.release(setId, 1, kvm), undefined))
    const wanted = { ...command.allocate(setId), max: 1 }
    clock.advance(10_000)
    expect(await send(wanted, undefined)).toMatchObject({
      reason: 'RANGE_EXHAUSTED',
      metadata: { retry_after_ms: '1' },
    })
    clock.advance(1)
    must(await send(wanted, undefined))
  })

  it('stays pending over a restart, whoever holds it', async () => {
    const { engine, store, setId, kvm, send } = await start()
    must(await send(command.allocate(setId, 1, [7]), undefined))
    must(await send(command.acquire(setId, 1, kvm), undefined))
    must(await send(command.free(setId, [1]), undefined))
    const before = await info(engine, 1)
    expect(before).toMatchObject({
      state: 'FREE_PENDING',
      references: 1,
      spid: 7,
      devices: [],
      holders: [{ count: 1 }],
    })
    const { engine: again } = await run({ store })
    expect(await info(again, 1)).toEqual(before)
    expect(must(await again.status())).toMatchObject({ freePending: 1, leases: 2 })
    must(await again.submit(command.release(setId, 1, kvm), undefined))
    expect(must(await again.status())).toMatchObject({ freePending: 0, allocated: 0 })
  })

  it('freed again succeeds, with no event', async () => {
    const { engine, setId, kvm, send } = await start()
    await allocate(engine, setId)
    must(await send(command.acquire(setId, 1, kvm), undefined))
    const first = await answerOf(engine, command.free(setId, [1]), 'freed')
    const again = await answerOf(engine, command.free(setId, [1]), 'freed')
    expect(again).toEqual(first)
  })
})

describe('accounts', () => {
  it('count what is pending against the quota of its set', async () => {
    const { engine, setId, kvm, send } = await start({ quota: 2 })
    await allocate(engine, setId, 2)
    must(await send(command.acquire(setId, 1, kvm), undefined))
    must(await send(command.free(setId, [1]), undefined))
    expect(await send(command.allocate(setId), undefined)).toMatchObject({
      reason: 'QUOTA_EXCEEDED',
      metadata: { limit: '2', used: '2' },
    })
    expect(await send(command.adjustQuota(setId, 1), undefined)).toMatchObject({ reason: 'QUOTA_BELOW_USE' })
    must(await send(command.release(setId, 1, kvm), undefined))
    must(await send(command.allocate(setId), undefined))
  })

  it('keep the reservation and the token of a deleted set until its last id is reclaimed', async () => {
    const { engine, setId, kvm, iommu, send } = await start({ quota: 100 })
    await allocate(engine, setId, 3)
    for (const id of [1, 2]) must(await send(command.acquire(setId, id, kvm), undefined))
    must(await send(command.acquire(setId, 2, iommu), undefined))
    const before = must(await engine.status()).available
    const { answer } = await answerOf(engine, command.deleteSet(setId), 'set')
    const drained = { state: 'DRAINING', allocated: 2, freePending: 2, bound: 0, quota: 100 }
    expect(answer.set).toMatchObject(drained)
    expect(must(await engine.read((state) => getSet(state, { token: 'vm' })))).toMatchObject(drained)
    const { revision } = must(await engine.status())
    for (const force of [true, false]) must(await send({ kind: 'delete_set', setId, force }, undefined))
    for (const asked of [command.allocate(setId), command.adjustQuota(setId, 200)]) {
      expect(await send(asked, undefined)).toMatchObject({ reason: 'SET_DRAINING' })
    }
    expect(await send(command.createSet('vm'), undefined)).toMatchObject({
      reason: 'TOKEN_IN_USE',
      metadata: { free_pending: '2', references: '3' },
    })
    expect(must(await engine.status())).toMatchObject({ available: before, reserved: 100, revision })
    for (const [id, lease] of [
      [1, kvm],
      [2, kvm],
      [2, iommu],
    ] as const) {
      expect(must(await engine.status()).available).toBe(before)
      must(await send(command.release(setId, id, lease), undefined))
    }
    expect(must(await engine.status())).toMatchObject({ available: before + 100, reserved: 0, sets: 0 })
    must(await send(command.createSet('vm', 100), undefined))
  })

  it('know at most so many pairs of id and lease; one more reference of a pair is none', async () => {
    const { engine, setId, kvm, iommu, send } = await start({ space: { maxReferences: 2 } })
    await allocate(engine, setId, 2)
    for (const id of [1, 2, 1, 2]) must(await send(command.acquire(setId, id, kvm), undefined))
    const full = { reason: 'TOO_MANY', metadata: { what: 'references', limit: '2' } }
    expect(await send(command.acquire(setId, 1, iommu), undefined)).toMatchObject(full)
    must(await send(command.release(setId, 2, kvm), undefined))
    expect(await send(command.acquire(setId, 1, iommu), undefined)).toMatchObject(full)
    must(await send(command.release(setId, 2, kvm), undefined))
    must(await send(command.acquire(setId, 1, iommu), undefined))
  })
})

describe('a reference', () => {
  it('belongs to its lease: no other can drop it', async () => {
    const { engine, setId, kvm, iommu, send } = await start()
    await allocate(engine, setId)
    must(await send(command.acquire(setId, 1, kvm), undefined))
    expect(await send(command.release(setId, 1, iommu), undefined)).toMatchObject({ reason: 'NOT_HELD' })
    must(await send(command.acquire(setId, 1, iommu), undefined))
    expect((await info(engine, 1)).references).toBe(2)
  })

  it('is told with its holder and when its present run of references began', async () => {
    const { engine, clock, setId, kvm, iommu, send } = await start()
    await allocate(engine, setId)
    const take = async (lease: typeof kvm) => must(await send(command.acquire(setId, 1, lease), undefined)).revision
    const drop = async (lease: typeof kvm) => must(await send(command.release(setId, 1, lease), undefined)).revision
    await take(kvm)
    await drop(kvm)
    clock.advance(5)
    const sinceWallMs = clock.wallMs()
    const since = await take(kvm)
    clock.advance(5)
    await take(kvm)
    const other = await take(iommu)
    await drop(kvm)
    expect((await info(engine, 1)).holders).toMatchObject([
      { leaseId: kvm, count: 1, sinceRevision: since, sinceWallMs },
      { leaseId: iommu, count: 1, sinceRevision: other },
    ])
  })
})

describe('a request sent again', () => {
  it('Acquire and Release: are done once, and answered as the first one was, also after a restart', async () => {
    const { engine, store, setId, kvm, iommu, send } = await start()
    await allocate(engine, setId)
    const taken = must(await send(command.acquire(setId, 1, kvm), request('a')))
    expect(taken.answer).toEqual({ kind: 'acquired', references: 1 })
    must(await send(command.acquire(setId, 1, iommu), undefined))
    expect(await send(command.acquire(setId, 1, kvm), request('a'))).toEqual(taken)
    const dropped = must(await send(command.release(setId, 1, kvm), request('b')))
    expect(dropped.answer).toEqual({ kind: 'released', references: 1, reclaimed: false })
    expect(await send(command.release(setId, 1, kvm), request('b'))).toEqual(dropped)
    must(await send(command.free(setId, [1]), undefined))
    must(await send(command.release(setId, 1, iommu), undefined))
    // The id is gone and the lease too: the answers stay.
    must(await send(command.revokeLease(kvm), undefined))
    const { engine: again } = await run({ store })
    expect(await again.submit(command.acquire(setId, 1, kvm), request('a'))).toEqual(taken)
    expect(await again.submit(command.release(setId, 1, kvm), request('b'))).toEqual(dropped)
    for (const other of [
      command.release(setId, 1, kvm),
      command.acquire(setId, 1, iommu),
      command.acquire(setId, 2, kvm),
    ]) {
      expect(await again.submit(other, request('a'))).toMatchObject({ reason: 'REQUEST_ID_REUSED' })
    }
  })

  it('FindBySpid with a lease: takes one reference, and shows the id as it was then', async () => {
    const { engine, store, setId, kvm, send } = await start()
    must(await send(command.allocate(setId, 1, [7]), undefined))
    const taken = must(await send(command.acquireBySpid(setId, 7, kvm), request('a')))
    expect(taken.answer).toMatchObject({ kind: 'found', view: { ioasid: 1, references: 1, state: 'ACTIVE', spid: 7 } })
    must(await send(command.acquire(setId, 1, kvm), undefined))
    const same = { revision: taken.revision, answer: { view: { ioasid: 1, references: 1, state: 'ACTIVE', spid: 7 } } }
    expect(must(await send(command.acquireBySpid(setId, 7, kvm), request('a')))).toMatchObject(same)
    expect((await info(engine, 1)).references).toBe(2)
    const { engine: again } = await run({ store })
    expect(must(await again.submit(command.acquireBySpid(setId, 7, kvm), request('a')))).toMatchObject(same)
    expect((await info(again, 1)).references).toBe(2)
  })

  it('Free: tells what was pending then, with its references of then', async () => {
    const { engine, store, setId, kvm, send } = await start()
    await allocate(engine, setId, 2)
    must(await send(command.acquire(setId, 2, kvm), undefined))
    const freed = must(await send(command.free(setId, [1, 2]), request('f')))
    expect(freed.answer).toEqual({ kind: 'freed', references: [0, 1] })
    must(await send(command.release(setId, 2, kvm), undefined))
    expect(await send(command.free(setId, [1, 2]), request('f'))).toEqual(freed)
    const { engine: again } = await run({ store })
    expect(await again.submit(command.free(setId, [1, 2]), request('f'))).toEqual(freed)
  })

  it('Free: is kept for as many ids as a request may name, wherever they lie and whoever holds them', async () => {
    const capacity = 1 << 20
    const { failures, setId, kvm, send } = await start({ space: { capacity } })
    const most = 65_536
    must(await send({ ...command.allocate(setId, 2 * most), min: capacity - 2 * most, max: capacity - 1 }, undefined))
    const ids = Array.from({ length: most }, (_, index) => capacity - 1 - 2 * index)
    await Promise.all(ids.map((id) => send(command.acquire(setId, id, kvm), undefined)))
    const freed = must(await send(command.free(setId, ids), request('f')))
    expect(await send(command.free(setId, ids), request('f'))).toEqual(freed)
    expect(failures).toEqual([])
  })
})
