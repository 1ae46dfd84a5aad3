import { describe, expect, it } from 'vitest'
import { controlStore } from '../support/controlled-store.ts'
import {
  allocate,
  command,
  createSet,
  makeRevisions,
  memoryStore,
  must,
  peek,
  request,
  run,
  subscribe,
  subscription,
} from '../support/engine.ts'
import { settle } from '../support/manual-clock.ts'

async function start(limits: Parameters<typeof run>[0] = {}) {
  const store = controlStore(memoryStore())
  const running = await run({ ...limits, store })
  const setId = await createSet(running.engine, 'vm')
  await settle()
  return { ...running, store, setId }
}

describe('a store that fails', () => {
  it('fails all that wait, whatever they wait for, and tells the owner once', async () => {
    const { engine, store, setId, failures } = await start()
    store.hold()
    const waiting = [
      engine.submit(command.allocate(setId), undefined),
      engine.submit(command.allocate(setId), request('r')),
      engine.submit(command.allocate(setId), request('r')),
      engine.submit(command.allocate(setId, 5000), undefined),
      engine.read((state) => ({ revision: state.revision })),
      engine.subscribe(subscription()),
    ]
    await settle()
    const behind = [engine.submit(command.allocate(setId), undefined), engine.status()]
    const cause = new Error('no space left')
    store.fail(cause)
    for (const outcome of await Promise.all([...waiting, ...behind]))
      expect(outcome).toMatchObject({ reason: 'STORE_FAILED' })
    expect(failures).toEqual([cause])
  })

  it('serves nothing afterwards', async () => {
    const { engine, clock, store, setId, failures } = await start()
    store.fail(new Error('gone'))
    await engine.submit(command.allocate(setId), undefined)
    const written = store.batches.length
    expect(await engine.submit(command.allocate(setId), undefined)).toMatchObject({ reason: 'STORE_FAILED' })
    expect(await engine.read((state) => ({ revision: state.revision }))).toMatchObject({ reason: 'STORE_FAILED' })
    expect(await engine.subscribe(subscription())).toMatchObject({ reason: 'STORE_FAILED' })
    expect(await engine.status()).toMatchObject({ reason: 'STORE_FAILED' })
    clock.advance(10_000)
    await settle()
    expect(store.batches).toHaveLength(written)
    expect(failures).toHaveLength(1)
  })

  it('ends every subscription, and what was not written is never told', async () => {
    const { engine, clock, store, setId } = await start()
    const { subscription: following } = await subscribe(engine, { heartbeatMs: 100 })
    const next = following.next()
    store.fail(new Error('gone'))
    await engine.submit(command.allocate(setId), undefined)
    clock.advance(1000)
    expect(await next).toMatchObject({ kind: 'ended', failure: { reason: 'STORE_FAILED' } })
    expect(following.signal.aborted).toBe(true)
  })

  it('a snapshot that cannot be written ends serving, too', async () => {
    const store = { ...memoryStore(), writeSnapshot: () => Promise.reject(new Error('full')) }
    const { engine, clock, failures } = await run({ store, limits: { snapshotEvery: 3 } })
    const setId = await createSet(engine, 'vm')
    await makeRevisions(engine, setId, 3)
    clock.advance(1000)
    await settle()
    expect(failures).toEqual([new Error('full')])
    expect(await engine.submit(command.allocate(setId), undefined)).toMatchObject({ reason: 'STORE_FAILED' })
  })

  it('a state that breaks while a batch is waiting to be written keeps it from being written and told', async () => {
    const { engine, store, setId } = await start()
    const [id = 0] = await allocate(engine, setId)
    await settle()
    const { subscription: following } = await subscribe(engine)
    const told = following.next()
    const written = store.batches.length
    const before = engine.submit(command.allocate(setId), undefined)
    void engine.read((state) => {
      state.space = { ...state.space, find: () => [id, 1], take: () => undefined }
      return {}
    })
    await expect(engine.submit(command.allocate(setId), undefined)).rejects.toThrow('is handed out')
    expect(await before).toMatchObject({ reason: 'STORE_FAILED' })
    await settle()
    expect(store.batches).toHaveLength(written)
    expect(await told).toMatchObject({ kind: 'ended' })
  })
})

describe('more than the disk can take', () => {
  const bound = { limits: { maxUndurableBytes: 10_000 } }

  it('is refused at once, and served again when the disk has caught up', async () => {
    const { engine, store, setId } = await start(bound)
    store.hold()
    const accepted: Promise<object>[] = []
    let refusal: object | 'waiting' = 'waiting'
    for (let sent = 0; sent < 1000 && refusal === 'waiting'; sent++) {
      const outcome = engine.submit(command.adjustQuota(setId, 1 + (sent % 2)), undefined)
      refusal = await peek(outcome)
      if (refusal === 'waiting') accepted.push(outcome)
    }
    expect(refusal).toMatchObject({ reason: 'OVERLOADED' })
    expect(accepted.length).toBeGreaterThan(10)
    store.release()
    for (const outcome of await Promise.all(accepted)) must(outcome)
    must(await engine.submit(command.allocate(setId), undefined))
  })

  it('counts answers that are kept, also of requests that change nothing', async () => {
    const { engine, store, setId } = await start(bound)
    store.hold()
    let refused = 0
    for (let sent = 0; sent < 1000 && refused === 0; sent++) {
      const outcome = await peek(engine.submit(command.adjustQuota(setId, 0), request(`r${sent}`)))
      if (outcome !== 'waiting') refused = sent
    }
    expect(refused).toBeGreaterThan(10)
    store.release()
  })

  it('a refusal for overload is not remembered', async () => {
    const { engine, store, setId } = await start({ limits: { maxUndurableBytes: 0 } })
    store.hold()
    const first = engine.submit(command.adjustQuota(setId, 1), undefined)
    expect(await peek(engine.submit(command.allocate(setId), request('r')))).toMatchObject({ reason: 'OVERLOADED' })
    store.release()
    must(await first)
    expect(must(await engine.submit(command.allocate(setId), request('r')))).toMatchObject({ revision: 3 })
  })
})

describe('a shutdown', () => {
  const draining = { reason: 'DRAINING', message: 'Bye.', metadata: {} } as const

  it('refuses what comes, keeps what was decided, and ends every subscription with what it was told', async () => {
    const { engine, store, setId } = await start()
    const { subscription: following } = await subscribe(engine)
    const next = following.next()
    store.hold()
    const decided = engine.submit(command.allocate(setId), undefined)
    const drained = engine.drain(draining)
    expect(await peek(drained.then(() => 'done'))).toBe('waiting')
    expect(await next).toEqual({ kind: 'ended', failure: draining })
    expect(await engine.submit(command.allocate(setId), undefined)).toMatchObject({ reason: 'DRAINING' })
    store.release()
    await drained
    expect(must(await decided)).toMatchObject({ revision: 2 })
    expect(await engine.read(() => ({}))).toMatchObject({ reason: 'DRAINING' })
  })

  it('writes nothing behind its end, so that the store can be closed', async () => {
    const inner = memoryStore()
    let writing = 0
    const append = async (batch: Parameters<typeof inner.append>[0]) => {
      writing += 1
      await settle(10)
      await inner.append(batch)
      writing -= 1
    }
    const { engine, clock, failures } = await run({ store: { ...inner, append } })
    const setId = await createSet(engine)
    // An answer is kept, so a beat has something to write.
    const decided = engine.submit(command.adjustQuota(setId, 1), request('r'))
    await settle()
    const drained = engine.drain(draining)
    clock.advance(2000)
    await drained
    expect(writing).toBe(0)
    await inner.close()
    must(await decided)
    clock.advance(2000)
    await settle(20)
    expect(failures).toEqual([])
  })
})
