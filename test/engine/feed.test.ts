import { describe, expect, it } from 'vitest'
import type { FeedItem } from '../../server/engine/subscription.ts'
import { controlStore } from '../support/controlled-store.ts'
import {
  command,
  createSet,
  makeRevisions,
  memoryStore,
  must,
  namesOf,
  peek,
  type RunOptions,
  run,
  subscribe,
} from '../support/engine.ts'
import { createManualClock, settle } from '../support/manual-clock.ts'

async function start(limits: RunOptions['limits'] = {}, clock?: RunOptions['clock']) {
  const store = controlStore(memoryStore())
  const running = await run({ store, limits, ...(clock === undefined ? {} : { clock }) })
  const setId = await createSet(running.engine, 'vm')
  return { ...running, store, setId }
}

interface Reader {
  next(): Promise<FeedItem>
}

/** The revisions of the next items, which must be entries. */
async function revisions(reader: Reader, count: number): Promise<number[]> {
  const told: number[] = []
  while (told.length < count) {
    const item = await reader.next()
    if (item.kind !== 'entry') throw new Error(`${item.kind} instead of an entry`)
    told.push(item.revision)
  }
  return told
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)
/** Of a ring that holds nothing, of a queue that holds one entry. */
const TINY = { ringBytes: 0, maxQueuedBytes: 0 }

describe('a subscriber', () => {
  it('that follows is told every revision, in order, once', async () => {
    const { engine, setId } = await start()
    const { subscription } = await subscribe(engine)
    await makeRevisions(engine, setId, 100)
    expect(await revisions(subscription, 100)).toEqual(range(2, 101))
    expect(await peek(subscription.next())).toBe('waiting')
  })

  it('is told everything that ever was, from the ring', async () => {
    const { engine, setId, store } = await start()
    await makeRevisions(engine, setId, 3000)
    const { subscription } = await subscribe(engine, { start: { kind: 'after', revision: 0 } })
    expect(await revisions(subscription, 3001)).toEqual(range(1, 3001))
    expect(store.tails).toBe(0)
  })

  it('is told everything that ever was, from the store', async () => {
    const { engine, setId, store } = await start(TINY)
    await makeRevisions(engine, setId, 3000)
    const { subscription } = await subscribe(engine, { start: { kind: 'after', revision: 0 } })
    expect(await revisions(subscription, 3001)).toEqual(range(1, 3001))
    expect(store.tails).toBeGreaterThan(1)
  })

  it('goes from the store to the ring and from there to following while others go on changing', async () => {
    const { engine, setId } = await start({ ringBytes: 20_000, maxQueuedBytes: 2000 })
    await makeRevisions(engine, setId, 2000)
    const { subscription } = await subscribe(engine, { start: { kind: 'after', revision: 0 } })
    const told = await revisions(subscription, 500)
    for (let round = 0; round < 20; round++) {
      const [more] = await Promise.all([revisions(subscription, 150), makeRevisions(engine, setId, 100)])
      told.push(...more)
    }
    told.push(...(await revisions(subscription, 4001 - told.length)))
    expect(told).toEqual(range(1, 4001))
    await makeRevisions(engine, setId, 1)
    expect(await revisions(subscription, 1)).toEqual([4002])
  })

  it('that reads nothing falls behind, costs a bounded queue, and recovers with nothing missing', async () => {
    const { engine, setId, store } = await start({ ringBytes: 5000, maxQueuedBytes: 2000 })
    const { subscription: slow } = await subscribe(engine)
    const { subscription: fast } = await subscribe(engine)
    for (let round = 0; round < 20; round++) {
      await makeRevisions(engine, setId, 5)
      expect(await revisions(fast, 5)).toEqual(range(2 + round * 5, 6 + round * 5))
    }
    expect(store.tails).toBe(0)
    expect(await revisions(slow, 100)).toEqual(range(2, 101))
    expect(store.tails).toBeGreaterThan(0)
    await makeRevisions(engine, setId, 1)
    expect(await revisions(slow, 1)).toEqual([102])
  })

  it('that is always a little behind is not taken for one that fell behind', async () => {
    const { engine, setId, store } = await start({ ringBytes: 0, maxQueuedBytes: 2000 })
    const { subscription } = await subscribe(engine)
    await makeRevisions(engine, setId, 2)
    for (let read = 0; read < 100; read++) {
      expect(await revisions(subscription, 1)).toEqual([2 + read])
      await makeRevisions(engine, setId, 1)
    }
    expect(store.tails).toBe(0)
  })

  it('that falls behind and recovers again and again is told each revision once', async () => {
    const { engine, setId } = await start(TINY)
    const { subscription } = await subscribe(engine)
    const told: number[] = []
    for (let round = 1; round <= 30; round++) {
      await makeRevisions(engine, setId, round % 4)
      const { revision } = must(await engine.status())
      told.push(...(await revisions(subscription, Math.max(0, revision - 1 - told.length - (round % 3)))))
    }
    const { revision } = must(await engine.status())
    told.push(...(await revisions(subscription, revision - 1 - told.length)))
    expect(told).toEqual(range(2, revision))
  })

  it('with one entry that is larger than its queue may be still follows', async () => {
    const { engine, setId, store } = await start({ ringBytes: 0, maxQueuedBytes: 10 })
    const { subscription } = await subscribe(engine)
    await makeRevisions(engine, setId, 1)
    expect(await revisions(subscription, 1)).toEqual([2])
    expect(store.tails).toBe(0)
  })

  it('hears of a change that becomes durable in the very step in which it has caught up', async () => {
    // Catching up is put into each of the microtasks around publishing, one after another.
    for (let step = 0; step < 12; step++) {
      const { engine, setId, store } = await start()
      const { subscription } = await subscribe(engine, { start: { kind: 'after', revision: 0 } })
      expect(await revisions(subscription, 1)).toEqual([1])
      store.hold()
      void engine.submit(command.adjustQuota(setId, 5), undefined)
      await settle()
      store.release()
      for (let waited = 0; waited < step; waited++) await Promise.resolve()
      expect(await peek(subscription.next()), `after ${step} microtasks`).toMatchObject({ kind: 'entry', revision: 2 })
    }
  })

  it('lets others run while it looks through a long log for what is not there', async () => {
    let turns = 0
    const clock = createManualClock((callback) => {
      turns += 1
      setImmediate(callback)
    })
    const { engine, setId, store } = await start({}, clock)
    await makeRevisions(engine, setId, 5000)
    const { subscription } = await subscribe(engine, {
      sets: namesOf(['nobody']),
      start: { kind: 'after', revision: 0 },
    })
    turns = 0
    void subscription.next()
    await settle(20)
    expect(turns).toBe(4)
    expect(store.tails).toBe(0)
  })

  it('that leaves is forgotten, and leaving twice is no fault', async () => {
    const { engine, clock } = await start()
    const timers = clock.timers
    const opened = await subscribe(engine)
    const next = opened.subscription.next()
    await settle()
    expect(must(await engine.status()).subscriptions).toBe(1)
    opened.close()
    opened.close()
    expect(await next).toEqual({ kind: 'ended', failure: undefined })
    expect(must(await engine.status()).subscriptions).toBe(0)
    expect(clock.timers).toBe(timers)
  })

  it('is one of so many at most', async () => {
    const { engine } = await start({ maxSubscriptions: 2 })
    const first = await subscribe(engine)
    await subscribe(engine)
    await expect(subscribe(engine)).rejects.toThrow('TOO_MANY')
    first.close()
    await subscribe(engine)
  })
})
