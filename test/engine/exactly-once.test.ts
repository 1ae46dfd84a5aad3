import { describe, expect, it } from 'vitest'
import type { Command } from '../../server/core/command.ts'
import { controlStore } from '../support/controlled-store.ts'
import {
  answerOf,
  command,
  createSet,
  makeRevisions,
  memoryStore,
  must,
  type RunOptions,
  request,
  run,
} from '../support/engine.ts'
import { settle } from '../support/manual-clock.ts'

async function start(options: RunOptions = {}) {
  const store = controlStore(options.store ?? memoryStore())
  const running = await run({ ...options, store })
  const setId = await createSet(running.engine, 'vm')
  const send = async (asked: Command, requestId: string) => running.engine.submit(asked, request(requestId))
  return { ...running, store, setId, send }
}

describe('a request_id sent again', () => {
  it('gets the first answer, its revision and its ids, and changes nothing', async () => {
    const { engine, setId, send } = await start()
    const first = must(await send(command.allocate(setId, 3), 'r'))
    await engine.submit(command.allocate(setId), undefined)
    expect(await send(command.allocate(setId, 3), 'r')).toEqual(first)
    expect(must(await engine.status())).toMatchObject({ allocated: 4, revision: 3 })
  })

  it('gets it while the first is on its way to the disk, however often it is sent', async () => {
    const { engine, store, setId, send } = await start()
    store.hold()
    const sent = Array.from({ length: 20 }, () => send(command.allocate(setId), 'r'))
    await settle()
    sent.push(send(command.allocate(setId), 'r'))
    store.release()
    const [first, ...others] = await Promise.all(sent)
    for (const other of others) expect(other).toEqual(first)
    expect(must(await engine.status()).allocated).toBe(1)
  })

  it('gets the answer of a request that had nothing to change, at the revision of then', async () => {
    const { engine, setId, send } = await start()
    const first = must(await send(command.adjustQuota(setId, 0), 'r'))
    expect(first.revision).toBe(1)
    must(await engine.submit(command.adjustQuota(setId, 7), undefined))
    expect(await send(command.adjustQuota(setId, 0), 'r')).toEqual(first)
    expect(must(await engine.status())).toMatchObject({ revision: 2, reserved: 7 })
  })

  it('gets it after the set is gone', async () => {
    const { engine, setId, send } = await start()
    const first = must(await send(command.deleteSet(setId), 'r'))
    expect(await send(command.deleteSet(setId), 'r')).toEqual(first)
    expect(await engine.submit(command.deleteSet(setId), undefined)).toMatchObject({ reason: 'SET_NOT_FOUND' })
  })

  it('with another meaning or another method is refused, also while the first is in flight', async () => {
    const { store, setId, send } = await start()
    store.hold()
    const first = send(command.allocate(setId, 2), 'r')
    const others = [
      send(command.allocate(setId, 3), 'r'),
      send({ ...command.allocate(setId, 2), max: 9 }, 'r'),
      send(command.allocate(setId, 2, [4, 5]), 'r'),
      send(command.adjustQuota(setId, 2), 'r'),
      send(command.createSet('other'), 'r'),
    ]
    store.release()
    must(await first)
    for (const other of await Promise.all(others)) {
      expect(other).toMatchObject({ reason: 'REQUEST_ID_REUSED', metadata: { request_id: 'r' } })
    }
  })

  it('is known before anything else of the request is looked at', async () => {
    const { setId, send } = await start()
    must(await send(command.allocate(setId), 'r'))
    expect(await send(command.allocate(must({ setId }).setId, 5000), 'r')).toMatchObject({
      reason: 'REQUEST_ID_REUSED',
    })
  })

  it('is a new request when the first was refused', async () => {
    const { engine, setId, send } = await start()
    expect(await send(command.allocate(setId, 5000), 'r')).toMatchObject({ reason: 'CAPACITY_EXCEEDED' })
    must(await send(command.allocate(setId, 2), 'r'))
    expect(must(await engine.status()).allocated).toBe(2)
  })

  it('is told apart from every other by its bytes', async () => {
    const { engine, setId, send } = await start()
    for (const id of ['a', 'A', 'a ', 'é', 'e\u0301']) must(await send(command.allocate(setId), id))
    expect(must(await engine.status()).allocated).toBe(5)
  })
})

describe('answers that are kept', () => {
  it('outlive restarts, those of requests that changed nothing too', async () => {
    const { engine, store, setId, send } = await start()
    const allocated = must(await send(command.allocate(setId, 2), 'allocated'))
    const unchanged = must(await send(command.adjustQuota(setId, 0), 'unchanged'))
    await makeRevisions(engine, await createSet(engine), 3)
    for (let restart = 0; restart < 2; restart++) {
      const { engine: next } = await run({ store })
      expect(await next.submit(command.allocate(setId, 2), request('allocated'))).toEqual(allocated)
      expect(await next.submit(command.adjustQuota(setId, 0), request('unchanged'))).toEqual(unchanged)
      expect(await next.submit(command.allocate(setId, 3), request('allocated'))).toMatchObject({
        reason: 'REQUEST_ID_REUSED',
      })
    }
  })

  it('are those of the same request after a restart with another capacity', async () => {
    const { store, engine, setId, send } = await start()
    const first = must(await send(command.allocate(setId), 'r'))
    const { engine: wider } = await run({ store, space: { capacity: 2048 } })
    const again = { ...command.allocate(setId), max: wider.capacity - 1 }
    expect(engine.capacity).toBe(1024)
    expect(await wider.submit(again, request('r'))).toEqual(first)
    expect(await wider.submit({ ...again, max: 500 }, request('r'))).toMatchObject({ reason: 'REQUEST_ID_REUSED' })
  })

  it('are not known after a restart if they never reached the disk', async () => {
    const disk = memoryStore()
    const { store, setId, send } = await start({ store: disk })
    store.hold()
    void send(command.allocate(setId, 2), 'r')
    await settle()
    const { engine } = await run({ store: disk })
    expect(must(await engine.status()).allocated).toBe(0)
    must(await engine.submit(command.allocate(setId, 3), request('r')))
    expect(must(await engine.status()).allocated).toBe(3)
  })

  it('go when the window of serving time has passed, and not before', async () => {
    const { engine, clock, setId, send } = await start({ limits: { requestWindowMs: 10_000 } })
    must(await send(command.allocate(setId), 'r'))
    clock.advance(9900)
    await send(command.allocate(setId), 'r')
    expect(must(await engine.status()).allocated).toBe(1)
    clock.advance(100)
    await send(command.allocate(setId), 'r')
    expect(must(await engine.status()).allocated).toBe(2)
    clock.advance(9900)
    await send(command.allocate(setId), 'r')
    expect(must(await engine.status()).allocated).toBe(2)
  })

  it('leave the store when their time is over, though nobody asks for anything', async () => {
    const store = memoryStore()
    const { clock, setId, send } = await start({ store, limits: { requestWindowMs: 10_000 } })
    for (let sent = 0; sent < 500; sent++) must(await send(command.adjustQuota(setId, 0), `r${sent}`))
    expect(await countAnswers(store)).toBe(500)
    clock.advance(11_000)
    await settle()
    expect(await countAnswers(store)).toBe(0)
  })

  it('are at most so many, the oldest going first, in memory and on disk', async () => {
    const store = memoryStore()
    const { engine, clock, setId, send } = await start({ store, limits: { requestLimit: 3 } })
    for (const id of ['a', 'b', 'c', 'd', 'e']) {
      must(await send(command.allocate(setId), id))
      clock.advance(100)
    }
    expect(await countAnswers(store)).toBe(3)
    expect(must(await engine.status())).toMatchObject({ allocated: 5, requestWindowMs: 300 })
    for (const id of ['e', 'd', 'c']) await send(command.allocate(setId), id)
    expect(must(await engine.status()).allocated).toBe(5)
    for (const id of ['b', 'a']) await send(command.allocate(setId), id)
    expect(must(await engine.status()).allocated).toBe(7)
  })

  it('share a mark when they become durable together, and go one by one all the same', async () => {
    const limits = { requestLimit: 3 }
    const { engine, store, setId, send } = await start({ limits })
    const sent = ['a', 'b', 'c', 'd', 'e'].map((requestId) => send(command.allocate(setId), requestId))
    const outcomes = (await Promise.all(sent)).map(must)
    expect(await marksOf(store)).toBe(1)
    // The limit took the first two, here and after a restart, though their mark is there for the others.
    const { engine: next } = await run({ store, limits })
    for (const one of [engine, next]) {
      expect(must(await one.submit(command.allocate(setId), request('e')))).toEqual(outcomes[4])
      expect(must(await one.submit(command.allocate(setId), request('c')))).toEqual(outcomes[2])
    }
    expect(must(await next.submit(command.allocate(setId), request('b'))).revision).toBeGreaterThan(6)
    for (const requestId of ['f', 'g']) must(await next.submit(command.allocate(setId), request(requestId)))
    // The last of the five has made room: the mark went with it.
    expect(await marksOf(store)).toBe(3)
  })

  it('are found in data of format 1, where each has a mark of its own', async () => {
    const { store, setId, send } = await start()
    const outcomes = [must(await send(command.allocate(setId), 'a')), must(await send(command.allocate(setId), 'b'))]
    for await (const { key, value } of (await store.load()).marks) {
      if (!key.startsWith('answer/')) continue
      const [only] = JSON.parse(Buffer.from(value).toString())
      await store.append({ entries: [], marks: [{ key, value: Buffer.from(JSON.stringify(only)) }] })
    }
    const { engine } = await run({ store })
    for (const [index, requestId] of ['a', 'b'].entries()) {
      expect(must(await engine.submit(command.allocate(setId), request(requestId)))).toEqual(outcomes[index])
    }
  })

  it('are found in any number of marks', async () => {
    const { store, setId, send } = await start({ space: { capacity: 1024 } })
    const ids = Array.from({ length: 200 }, (_, index) => `r${index}`)
    const outcomes = await Promise.all(ids.map((requestId) => send(command.allocate(setId), requestId)))
    expect(await marksOf(store)).toBe(4)
    const { engine } = await run({ store, space: { capacity: 1024 } })
    const again = await Promise.all(ids.map((requestId) => engine.submit(command.allocate(setId), request(requestId))))
    expect(again).toEqual(outcomes)
  })

  it('that a lower limit leaves no room for go after the restart', async () => {
    const store = memoryStore()
    const { setId, send } = await start({ store })
    for (let sent = 0; sent < 300; sent++) must(await send(command.adjustQuota(setId, 0), `r${sent}`))
    const { clock } = await run({ store, limits: { requestLimit: 10 } })
    clock.advance(1000)
    await settle()
    expect(await countAnswers(store)).toBe(10)
  })

  it('are taken by no compaction', async () => {
    const { engine, clock, store, setId, send } = await start({ limits: { historyRevisions: 20 } })
    const first = must(await send(command.allocate(setId), 'r'))
    await makeRevisions(engine, await createSet(engine), 100)
    clock.advance(1000)
    await settle()
    expect(must(await engine.status()).compactRevision).toBeGreaterThan(first.revision)
    expect(await send(command.allocate(setId), 'r')).toEqual(first)
    const { engine: next } = await run({ store })
    expect(await next.submit(command.allocate(setId), request('r'))).toEqual(first)
  })

  it('reach back as far as the window says, while the limit takes none', async () => {
    const { engine, clock, setId, send } = await start({ limits: { requestWindowMs: 5000, requestLimit: 100 } })
    expect(must(await engine.status()).requestWindowMs).toBe(5000)
    must(await send(command.allocate(setId), 'r'))
    clock.advance(20_000)
    expect(must(await engine.status()).requestWindowMs).toBe(5000)
  })

  it('that are older than the clock that a crash left reach back to now, and no less', async () => {
    const { clock, store, setId, send } = await start({ limits: { requestLimit: 1 } })
    clock.advance(400)
    must(await send(command.adjustQuota(setId, 0), 'r'))
    const { engine } = await run({ store, limits: { requestLimit: 1 } })
    expect(must(await engine.status()).requestWindowMs).toBe(0)
  })

  it('hold large answers whole', async () => {
    const { engine, store } = await start({ space: { capacity: 140_000 } })
    const setId = await createSet(engine, 'large')
    // Every second id is free, so that an answer is no longer a few stretches.
    const { answer } = await answerOf(engine, { ...command.allocate(setId, 131_072), max: 139_999 }, 'allocated')
    expect(answer.runs).toEqual([1, 131_072])
    const odd = Array.from({ length: 65_536 }, (_, index) => 1 + 2 * index)
    const first = must(await engine.submit(command.free(setId, odd), request('r')))
    const { engine: next } = await run({ store, space: { capacity: 140_000 } })
    const again = must(await next.submit(command.free(setId, odd), request('r')))
    // As text: vitest takes seconds to compare arrays of this length.
    expect(JSON.stringify(again) === JSON.stringify(first)).toBe(true)
  })
})

type Loading = Pick<ReturnType<typeof memoryStore>, 'load'>

async function answersIn(store: Loading): Promise<readonly number[]> {
  const counts: number[] = []
  for await (const { key, value } of (await store.load()).marks) {
    if (key.startsWith('answer/')) counts.push(JSON.parse(Buffer.from(value).toString()).length)
  }
  return counts
}

async function countAnswers(store: Loading): Promise<number> {
  return (await answersIn(store)).reduce((sum, count) => sum + count, 0)
}

async function marksOf(store: Loading): Promise<number> {
  return (await answersIn(store)).length
}
