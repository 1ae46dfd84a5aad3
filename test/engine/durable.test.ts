import { describe, expect, it } from 'vitest'
import { getSet } from '../../server/core/query.ts'
import { controlStore } from '../support/controlled-store.ts'
import {
  command,
  createSet,
  memoryStore,
  must,
  namesOf,
  peek,
  request,
  run,
  subscribe,
  subscription,
} from '../support/engine.ts'
import { settle } from '../support/manual-clock.ts'

async function start() {
  const store = controlStore(memoryStore())
  const running = await run({ store })
  const setId = await createSet(running.engine, 'vm')
  await settle()
  return { ...running, store, setId }
}

describe('durable, then visible', () => {
  it('an answer waits for the disk', async () => {
    const { engine, store, setId } = await start()
    store.hold()
    const answer = engine.submit(command.allocate(setId), undefined)
    expect(await peek(answer)).toBe('waiting')
    store.release()
    expect(must(await answer)).toMatchObject({ revision: 2 })
  })

  it('a refusal that follows from a change that is not on disk waits with it', async () => {
    const { engine, store, setId } = await start()
    store.hold()
    const deleted = engine.submit(command.deleteSet(setId), undefined)
    const refused = engine.submit(command.allocate(setId), undefined)
    expect(await peek(refused)).toBe('waiting')
    store.release()
    expect(must(await deleted)).toMatchObject({ revision: 2 })
    expect(await refused).toMatchObject({ reason: 'SET_NOT_FOUND' })
  })

  it('a refusal waits for a batch that is being written, though nothing came after it', async () => {
    const { engine, store, setId } = await start()
    store.hold()
    void engine.submit(command.deleteSet(setId), undefined)
    await settle()
    expect(store.batches.at(-1)?.entries).toHaveLength(1)
    const refused = engine.submit(command.allocate(setId), undefined)
    expect(await peek(refused)).toBe('waiting')
    store.release()
    expect(await refused).toMatchObject({ reason: 'SET_NOT_FOUND' })
  })

  it('a read that saw a change waits for it, and tells what it saw then', async () => {
    const { engine, store, setId } = await start()
    store.hold()
    void engine.submit(command.adjustQuota(setId, 5), undefined)
    const read = engine.read((state) => getSet(state, { setId }))
    const status = engine.status()
    void engine.submit(command.adjustQuota(setId, 9), undefined)
    expect(await peek(read)).toBe('waiting')
    expect(await peek(status)).toBe('waiting')
    store.release()
    expect(await read).toMatchObject({ quota: 5 })
    expect(await status).toMatchObject({ revision: 2, reserved: 5 })
  })

  it('a read with nothing on its way to the disk is answered while the disk stands still', async () => {
    const { engine, store, setId } = await start()
    store.hold()
    expect(await peek(engine.read((state) => getSet(state, { setId })))).toMatchObject({ quota: 0 })
  })

  it('a subscription is opened only when the revision that it counts from is on disk', async () => {
    const { engine, store, setId } = await start()
    store.hold()
    void engine.submit(command.allocate(setId), undefined)
    const opened = engine.subscribe(subscription())
    const snapshot = engine.subscribe(subscription({ start: { kind: 'snapshot' } }))
    expect(await peek(opened)).toBe('waiting')
    expect(await peek(snapshot)).toBe('waiting')
    store.release()
    expect(must(await opened).revision).toBe(2)
    expect(must(await snapshot).revision).toBe(2)
  })

  it('a refusal of a subscription waits for the change that it tells of', async () => {
    const { engine, store, setId } = await start()
    store.hold()
    void engine.submit(command.deleteSet(setId), undefined)
    const refused = engine.subscribe(subscription({ sets: namesOf([], [setId]) }))
    expect(await peek(refused)).toBe('waiting')
    store.release()
    expect(await refused).toMatchObject({ reason: 'SET_NOT_FOUND' })
  })

  it('a notification waits for the disk', async () => {
    const { engine, store, setId } = await start()
    const { subscription: following } = await subscribe(engine)
    const next = following.next()
    store.hold()
    void engine.submit(command.allocate(setId), undefined)
    expect(await peek(next)).toBe('waiting')
    store.release()
    expect(await next).toMatchObject({ kind: 'entry', revision: 2 })
  })

  it('a subscriber that reads from the log is not told of what is on its way to the disk', async () => {
    const { engine, store, setId } = await start()
    store.hold()
    void engine.submit(command.allocate(setId), undefined)
    const opened = engine.subscribe(subscription({ start: { kind: 'after', revision: 0 } }))
    await settle()
    store.release()
    const { subscription: reading } = must(await opened)
    expect(await reading.next()).toMatchObject({ kind: 'entry', revision: 1 })
    store.hold()
    void engine.submit(command.allocate(setId), undefined)
    expect(await reading.next()).toMatchObject({ kind: 'entry', revision: 2 })
    expect(await peek(reading.next())).toBe('waiting')
  })

  it('a heartbeat carries no revision that is not on disk', async () => {
    const { engine, clock, store, setId } = await start()
    const { subscription: following } = await subscribe(engine, { sets: namesOf(['nobody']), heartbeatMs: 100 })
    store.hold()
    void engine.submit(command.allocate(setId), undefined)
    const next = following.next()
    await settle()
    clock.advance(100)
    expect(await next).toEqual({ kind: 'heartbeat', revision: 1 })
    store.release()
    await settle()
    const later = following.next()
    clock.advance(100)
    expect(await later).toEqual({ kind: 'heartbeat', revision: 2 })
  })

  it('who is answered finds the change in the stream already', async () => {
    const { engine, setId } = await start()
    const { subscription: following } = await subscribe(engine)
    await engine.submit(command.allocate(setId), undefined)
    let seen: unknown
    void following.next().then((item) => {
      seen = item
    })
    // Two steps of the microtask queue, and no turn of the event loop.
    await Promise.resolve()
    await Promise.resolve()
    expect(seen).toMatchObject({ kind: 'entry', revision: 2 })
  })

  it('a repeated request_id waits for the answer that is on its way to the disk', async () => {
    const { engine, store, setId } = await start()
    store.hold()
    const first = engine.submit(command.allocate(setId), request('r'))
    const again = engine.submit(command.allocate(setId), request('r'))
    const other = engine.submit(command.allocate(setId, 2), request('r'))
    expect(await peek(again)).toBe('waiting')
    expect(await peek(other)).toBe('waiting')
    store.release()
    expect(await again).toEqual(await first)
    expect(await other).toMatchObject({ reason: 'REQUEST_ID_REUSED' })
  })
})

describe('group commit', () => {
  it('what comes in one turn is one batch', async () => {
    const { engine, store, setId } = await start()
    const before = store.batches.length
    await Promise.all([1, 2, 3].map((count) => engine.submit(command.allocate(setId, count), undefined)))
    expect(store.batches.slice(before).map(({ entries }) => entries.length)).toEqual([3])
  })

  it('what comes while a batch is being written is the next batch', async () => {
    const { engine, store, setId } = await start()
    const before = store.batches.length
    store.hold()
    const outcomes = [engine.submit(command.allocate(setId), undefined)]
    await settle()
    for (let turn = 0; turn < 5; turn++) {
      outcomes.push(engine.submit(command.allocate(setId), request(`r${turn}`)))
      await settle()
    }
    store.release()
    const revisions = (await Promise.all(outcomes)).map((outcome) => must(outcome).revision)
    expect(revisions).toEqual([2, 3, 4, 5, 6, 7])
    const written = store.batches.slice(before)
    expect(written.map(({ entries }) => entries.length)).toEqual([1, 5])
    // Answers that become durable together share a mark.
    expect(written[1]?.marks).toHaveLength(1)
  })

  it('nobody waits for a batch that is not needed: a change that changes nothing writes nothing', async () => {
    const { engine, store, setId } = await start()
    const before = store.batches.length
    store.hold()
    expect(await peek(engine.submit(command.adjustQuota(setId, 0), undefined))).toMatchObject({ revision: 1 })
    expect(store.batches).toHaveLength(before)
  })
})
