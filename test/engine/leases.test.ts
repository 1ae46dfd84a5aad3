import { describe, expect, it } from 'vitest'
import { isFailure } from '../../server/core/failure.ts'
import type { LeaseId } from '../../server/core/ids.ts'
import { violations } from '../../server/core/invariants.ts'
import { getIoasid, getLease, getSet } from '../../server/core/query.ts'
import type { Engine } from '../../server/engine/engine.ts'
import {
  allocate,
  answerOf,
  command,
  createSet,
  grantLease,
  memoryStore,
  must,
  peek,
  request,
  run,
  subscribe,
} from '../support/engine.ts'
import { settle } from '../support/manual-clock.ts'
import { words } from '../support/told.ts'

const TTL_MS = 2000
const LATE_MS = 1000

async function ownedSet(engine: Engine, token: string, leaseId: LeaseId, quota = 0) {
  return (await answerOf(engine, command.createSet(token, quota, leaseId), 'set')).answer.set.setId
}

/** A VM's set with three ids, the first with SPID 70, and a lease that holds the first two. */
async function start(onExpiry: 'RELEASE' | 'HOLD') {
  const store = memoryStore()
  const running = await run({ store })
  const { engine } = running
  const vm = await createSet(engine, 'vm')
  must(await engine.submit(command.allocate(vm, 1, [70]), undefined))
  await allocate(engine, vm, 2)
  const leaseId = await grantLease(engine, TTL_MS, onExpiry)
  for (const id of [1, 2]) must(await engine.submit(command.acquire(vm, id, leaseId), undefined))
  const expire = async () => {
    running.clock.advance(TTL_MS + LATE_MS)
    await settle()
  }
  return { ...running, store, vm, leaseId, expire }
}

const lease = async (engine: Engine, leaseId: LeaseId) => engine.read((state) => getLease(state, leaseId))
const info = async (engine: Engine, id: number) => engine.read((state) => getIoasid(state, id, undefined))

/** Tells what it was told since it was asked last, a list for each revision. */
async function listen(engine: Engine): Promise<() => Promise<string[][]>> {
  const { subscription } = await subscribe(engine)
  let next = subscription.next()
  return async () => {
    const revisions: string[][] = []
    for (;;) {
      const item = await peek(next)
      if (item === 'waiting') return revisions
      if (item.kind === 'entry') revisions.push(item.events.map((event) => words(event)))
      if (item.kind === 'ended') throw new Error(item.failure?.message)
      next = subscription.next()
    }
  }
}

async function isSound(engine: Engine): Promise<void> {
  expect(must(await engine.read((state) => ({ found: violations(state) }))).found).toEqual([])
}

describe('the end of a lease by time, with RELEASE', () => {
  it('drops its references and returns what was only waiting for them, in one revision', async () => {
    const { engine, vm, leaseId, expire } = await start('RELEASE')
    must(await engine.submit(command.free(vm, [1]), undefined))
    expect(await info(engine, 1)).toMatchObject({ state: 'FREE_PENDING', spid: 70, references: 1 })
    const told = await listen(engine)
    const { revision } = must(await engine.status())
    await expire()
    expect(await told()).toEqual([['RECLAIM vm 1']])
    expect(await info(engine, 1)).toMatchObject({ reason: 'IOASID_NOT_FOUND' })
    expect(await info(engine, 2)).toMatchObject({ state: 'IDLE', references: 0, holders: [] })
    expect(await lease(engine, leaseId)).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
    expect(must(await engine.status())).toMatchObject({
      leases: 0,
      freePending: 0,
      allocated: 2,
      revision: revision + 1,
    })
    await isSound(engine)
  })

  it('deletes its sets with force, in the same revision: per id UNBIND, FREE, RECLAIM, and SET_FREE last of all', async () => {
    const { engine, vm, leaseId, expire } = await start('RELEASE')
    const first = await ownedSet(engine, 'first', leaseId)
    must(await engine.submit(command.allocate(first, 1, [5]), undefined))
    await allocate(engine, await ownedSet(engine, 'second', leaseId))
    await ownedSet(engine, 'empty', leaseId)
    must(await engine.submit(command.free(vm, [1]), undefined))
    const told = await listen(engine)
    await expire()
    expect(await told()).toEqual([
      [
        'UNBIND first 4',
        'FREE first 4',
        'RECLAIM first 4',
        'FREE second 5',
        'RECLAIM second 5',
        'RECLAIM vm 1',
        'SET_FREE first',
        'SET_FREE second',
        'SET_FREE empty',
      ],
    ])
    expect(must(await engine.status())).toMatchObject({ sets: 1, leases: 0 })
    await isSound(engine)
  })

  it('leaves a set of its own draining while another lease holds an id of it', async () => {
    const { engine, leaseId, expire } = await start('RELEASE')
    const own = await ownedSet(engine, 'own', leaseId, 4)
    must(await engine.submit(command.allocate(own, 2, [5, 6]), undefined))
    const other = await grantLease(engine, 60_000)
    must(await engine.submit(command.acquire(own, 5, other), undefined))
    const told = await listen(engine)
    await expire()
    expect(await told()).toEqual([['UNBIND own 4', 'UNBIND own 5', 'FREE own 4', 'FREE own 5', 'RECLAIM own 4']])
    expect(must(await engine.status())).toMatchObject({ reserved: 4, sets: 2, leases: 1, freePending: 1 })
    await isSound(engine)
    const { answer } = await answerOf(engine, command.release(own, 5, other), 'released')
    expect(answer).toEqual({ kind: 'released', references: 0, reclaimed: true })
    expect(await told()).toEqual([['RECLAIM own 5', 'SET_FREE own']])
    expect(must(await engine.status())).toMatchObject({ reserved: 0, sets: 1, freePending: 0 })
    await isSound(engine)
  })

  it('is told to who asks with its handle from then on', async () => {
    const { engine, vm, leaseId, expire } = await start('RELEASE')
    await expire()
    const gone = { reason: 'LEASE_NOT_FOUND' }
    for (const asked of [
      command.acquire(vm, 1, leaseId),
      command.acquireBySpid(vm, 70, leaseId),
      command.release(vm, 1, leaseId),
      command.createSet('late', 0, leaseId),
      command.revokeLease(leaseId),
    ]) {
      expect(await engine.submit(asked, undefined), asked.kind).toMatchObject(gone)
    }
    expect(await engine.renew(leaseId)).toMatchObject(gone)
  })

  it('gives its number to no later lease', async () => {
    const { engine, store, leaseId, expire } = await start('RELEASE')
    await expire()
    expect(await grantLease(engine, TTL_MS)).toBe(leaseId + 1)
    const { engine: again } = await run({ store })
    expect(await grantLease(again, TTL_MS)).toBe(leaseId + 2)
  })
})

describe('the end of a lease by time, with HOLD', () => {
  it('keeps its references; what is freed waits for them', async () => {
    const { engine, vm, leaseId, expire } = await start('HOLD')
    const told = await listen(engine)
    await expire()
    expect(await told()).toEqual([])
    expect(await lease(engine, leaseId)).toMatchObject({ state: 'HELD', references: 2, sets: 0 })
    expect(engine.remainingMs(leaseId)).toBe(0)
    const { answer } = await answerOf(engine, command.free(vm, [1, 3]), 'freed')
    expect(answer.references).toEqual([1, 0])
    expect(await info(engine, 1)).toMatchObject({ state: 'FREE_PENDING', holders: [{ leaseId, count: 1 }] })
    await isSound(engine)
  })

  it('deletes its sets all the same; their ids wait for it like any other', async () => {
    const { engine, leaseId, expire } = await start('HOLD')
    const own = await ownedSet(engine, 'own', leaseId)
    await allocate(engine, own, 2)
    must(await engine.submit(command.acquire(own, 4, leaseId), undefined))
    const told = await listen(engine)
    await expire()
    expect(await told()).toEqual([['FREE own 5', 'FREE own 4', 'RECLAIM own 5']])
    expect(must(await engine.read((state) => getSet(state, { setId: own })))).toMatchObject({ state: 'DRAINING' })
    await isSound(engine)
    must(await engine.submit(command.release(own, 4, leaseId), undefined))
    expect(await told()).toEqual([['RECLAIM own 4', 'SET_FREE own']])
    await isSound(engine)
  })

  it('leaves what a HELD lease may do: be looked at, release, be revoked and revive; nothing else', async () => {
    const { engine, vm, leaseId, expire } = await start('HOLD')
    await expire()
    const gone = { reason: 'LEASE_NOT_FOUND' }
    for (const asked of [
      command.acquire(vm, 1, leaseId),
      command.acquireBySpid(vm, 70, leaseId),
      command.createSet('late', 0, leaseId),
    ]) {
      expect(await engine.submit(asked, undefined), asked.kind).toMatchObject(gone)
    }
    const { answer } = await answerOf(engine, command.release(vm, 1, leaseId), 'released')
    expect(answer).toEqual({ kind: 'released', references: 0, reclaimed: false })
    expect(await engine.submit(command.release(vm, 1, leaseId), undefined)).toMatchObject({ reason: 'NOT_HELD' })
    expect(await lease(engine, leaseId)).toMatchObject({ state: 'HELD', references: 1 })
  })

  it('ends for good with its last reference', async () => {
    const { engine, vm, leaseId, expire } = await start('HOLD')
    await expire()
    must(await engine.submit(command.free(vm, [2]), undefined))
    must(await engine.submit(command.release(vm, 1, leaseId), undefined))
    const told = await listen(engine)
    must(await engine.submit(command.release(vm, 2, leaseId), undefined))
    expect(await told()).toEqual([['RECLAIM vm 2']])
    expect(await lease(engine, leaseId)).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
    expect(must(await engine.status()).leases).toBe(0)
    await isSound(engine)
  })

  it('ends it at once where it holds nothing', async () => {
    const { engine, vm, leaseId, expire } = await start('HOLD')
    for (const id of [1, 2]) must(await engine.submit(command.release(vm, id, leaseId), undefined))
    await expire()
    expect(await lease(engine, leaseId)).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
  })

  it('is undone by a renewal, which is a change then; its sets stay gone, and its time can be over again', async () => {
    const { engine, clock, vm, leaseId, expire } = await start('HOLD')
    await ownedSet(engine, 'own', leaseId)
    await expire()
    const { revision } = must(await engine.status())
    const revived = must(await engine.renew(leaseId))
    expect(revived).toMatchObject({
      revision: revision + 1,
      answer: { lease: { state: 'ALIVE', references: 2, sets: 0 } },
    })
    expect(engine.remainingMs(leaseId)).toBe(TTL_MS)
    must(await engine.submit(command.acquire(vm, 3, leaseId), undefined))
    clock.advance(TTL_MS - 1)
    expect(await lease(engine, leaseId)).toMatchObject({ state: 'ALIVE', references: 3 })
    clock.advance(1 + LATE_MS)
    expect(await lease(engine, leaseId)).toMatchObject({ state: 'HELD', references: 3 })
    expect(must(await engine.status()).sets).toBe(1)
    await isSound(engine)
  })

  it('survives a restart: HELD it was, HELD it is, and revives', async () => {
    const { engine, store, leaseId, expire } = await start('HOLD')
    await expire()
    const held = must(await lease(engine, leaseId))
    const again = await run({ store })
    expect(await lease(again.engine, leaseId)).toEqual(held)
    must(await again.engine.renew(leaseId))
    const third = await run({ store })
    expect(await lease(third.engine, leaseId)).toMatchObject({ state: 'ALIVE' })
    third.clock.advance(5000 + LATE_MS)
    expect(await lease(third.engine, leaseId)).toMatchObject({ state: 'HELD' })
  })
})

describe('a lease that is revoked', () => {
  it.each(['RELEASE', 'HOLD'] as const)('drops its references in any case, and its sets: %s', async (onExpiry) => {
    const { engine, vm, leaseId } = await start(onExpiry)
    await allocate(engine, await ownedSet(engine, 'own', leaseId))
    must(await engine.submit(command.free(vm, [1, 2]), undefined))
    const told = await listen(engine)
    must(await engine.submit(command.revokeLease(leaseId), undefined))
    expect(await told()).toEqual([['FREE own 4', 'RECLAIM own 4', 'RECLAIM vm 1 2', 'SET_FREE own']])
    expect(must(await engine.status())).toMatchObject({ leases: 0, freePending: 0, sets: 1 })
    expect(await engine.submit(command.revokeLease(leaseId), undefined)).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
    await isSound(engine)
  })

  it('while it is HELD lets go of everything, a draining set of its own too', async () => {
    const { engine, vm, leaseId, expire } = await start('HOLD')
    const own = await ownedSet(engine, 'own', leaseId)
    const [id = 0] = await allocate(engine, own)
    must(await engine.submit(command.acquire(own, id, leaseId), undefined))
    await expire()
    must(await engine.submit(command.free(vm, [1]), undefined))
    const told = await listen(engine)
    must(await engine.submit(command.revokeLease(leaseId), undefined))
    expect((await told()).map((events) => events.toSorted())).toEqual([
      ['RECLAIM own 4', 'RECLAIM vm 1', 'SET_FREE own'],
    ])
    expect(must(await engine.status())).toMatchObject({ leases: 0, freePending: 0, sets: 1 })
    await isSound(engine)
  })

  it('and revoked again by the same request gets the same answer', async () => {
    const { engine, leaseId } = await start('RELEASE')
    const done = must(await engine.submit(command.revokeLease(leaseId), request('r')))
    expect(await engine.submit(command.revokeLease(leaseId), request('r'))).toEqual(done)
    expect(await engine.submit(command.revokeLease(leaseId), undefined)).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
  })
})

describe('leases', () => {
  it('are at most so many, HELD ones among them', async () => {
    const { engine, clock } = await run({ space: { maxLeases: 2 } })
    const vm = await createSet(engine, 'vm')
    await allocate(engine, vm)
    const held = await grantLease(engine, 500, 'HOLD')
    must(await engine.submit(command.acquire(vm, 1, held), undefined))
    clock.advance(1500)
    await grantLease(engine, 60_000)
    const refused = await engine.submit(command.grantLease(500), undefined)
    expect(refused).toMatchObject({ reason: 'TOO_MANY', metadata: { what: 'leases', limit: '2' } })
    must(await engine.submit(command.revokeLease(held), undefined))
    expect(isFailure(await engine.submit(command.grantLease(500), undefined))).toBe(false)
  })

  it('a thousand that are over at once end on one beat', async () => {
    const { engine, clock } = await run()
    await Promise.all(Array.from({ length: 1000 }, () => grantLease(engine, 1000)))
    clock.advance(999)
    expect(must(await engine.status()).leases).toBe(1000)
    clock.advance(501)
    expect(must(await engine.status()).leases).toBe(0)
  })
})
