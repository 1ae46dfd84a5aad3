import { describe, expect, it } from 'vitest'
import type { SetId } from '../../server/core/ids.ts'
import type { SnapshotItem } from '../../server/core/snapshot.ts'
import { controlStore } from '../support/controlled-store.ts'
import {
  allocate,
  command,
  createSet,
  memoryStore,
  must,
  namesOf,
  peek,
  type RunOptions,
  run,
  subscribe,
  subscription,
} from '../support/engine.ts'
import { settle } from '../support/manual-clock.ts'

const space = { capacity: 20_000 }
const fromSnapshot = { start: { kind: 'snapshot' } } as const

async function start(limits: RunOptions['limits'] = {}) {
  const store = controlStore(memoryStore())
  const running = await run({ store, space, limits })
  const setId = await createSet(running.engine, 'vm')
  const grow = async (count: number) => {
    must(await running.engine.submit({ ...command.allocate(setId, count), max: space.capacity - 1 }, undefined))
  }
  return { ...running, store, setId, grow }
}

function lines(items: Iterable<SnapshotItem>): string[] {
  return Array.from(items, (item) =>
    item.kind === 'set' ? `set ${item.set.setId}` : `id ${item.ioasid} of ${item.set.setId}`,
  )
}

function idsOf(items: Iterable<SnapshotItem>): number[] {
  return Array.from(items).flatMap((item) => (item.kind === 'ioasid' ? [item.ioasid] : []))
}

describe('a snapshot', () => {
  it('tells every set that was named, then every id, at one revision', async () => {
    const { engine, setId } = await start()
    const other = await createSet(engine, 'other')
    await allocate(engine, setId, 2)
    await allocate(engine, other, 1)
    const all = await subscribe(engine, fromSnapshot)
    expect(all.revision).toBe(4)
    expect(lines(all.snapshot?.items() ?? [])).toEqual(['set 1', 'set 2', 'id 1 of 1', 'id 2 of 1', 'id 3 of 2'])
    const one = await subscribe(engine, { ...fromSnapshot, sets: namesOf(['other', 'nobody'], [other]) })
    expect(lines(one.snapshot?.items() ?? [])).toEqual(['set 2', 'id 3 of 2'])
  })

  it('is followed by what comes after it, wherever a change falls: nothing missing, nothing twice', async () => {
    // The change becomes durable after so many microtasks or turns of the event loop from the request on.
    for (let step = 0; step < 16; step++) {
      const { engine, store, setId } = await start()
      await allocate(engine, setId, 2)
      store.hold()
      const early = engine.submit(command.allocate(setId), undefined)
      const opening = engine.subscribe(subscription(fromSnapshot))
      const late = engine.submit(command.allocate(setId), undefined)
      for (let waited = 0; waited < step; waited++) await (waited % 4 === 3 ? settle(1) : Promise.resolve())
      store.release()
      const { snapshot, subscription: reader, revision } = must(await opening)
      const after = engine.submit(command.allocate(setId), undefined)
      const told = idsOf(snapshot?.items() ?? [])
      expect(revision).toBe(3)
      for (const outcome of [early, late, after]) must(await outcome)
      for (let next = 4; next <= 5; next++) {
        const item = await reader.next()
        expect(item).toMatchObject({ kind: 'entry', revision: next })
        if (item.kind === 'entry')
          told.push(...item.events.flatMap((event) => ('runs' in event ? [event.runs[0] ?? 0] : [])))
      }
      expect(told).toEqual([1, 2, 3, 4, 5])
      expect(await peek(reader.next())).toBe('waiting')
    }
  })

  it('that is small is unaffected by what changes while it is read', async () => {
    const { engine, setId } = await start()
    const ids = await allocate(engine, setId, 100)
    const { snapshot } = await subscribe(engine, fromSnapshot)
    must(await engine.submit(command.deleteSet(setId), undefined))
    expect(idsOf(snapshot?.items() ?? [])).toEqual(ids)
  })

  it('that is large is unaffected by what changes while it is read', async () => {
    const { engine, setId, grow } = await start()
    await grow(6000)
    const { snapshot } = await subscribe(engine, fromSnapshot)
    const items = snapshot?.items()[Symbol.iterator]()
    const told: SnapshotItem[] = []
    const read = (count: number) => {
      for (let done = 0; done < count; done++) {
        const { value, done: isOver } = items?.next() ?? { value: undefined, done: true }
        if (isOver !== true && value !== undefined) told.push(value)
      }
    }
    read(1000)
    must(await engine.submit(command.free(setId, [2000, 4000, 5999]), undefined))
    must(await engine.submit(command.attachData(setId, 3000, new Uint8Array(1)), undefined))
    read(2000)
    await grow(3000)
    must(await engine.submit(command.deleteSet(setId), undefined))
    read(10_000)
    expect(idsOf(told)).toEqual(Array.from({ length: 6000 }, (_, index) => index + 1))
    expect(told.every((item) => item.kind === 'set' || item.record.data === undefined)).toBe(true)
  })

  it('that is large is one of so many, and makes room when it was told or left', async () => {
    const { engine, grow } = await start({ maxOpenSnapshots: 2 })
    await grow(5000)
    const first = await subscribe(engine, fromSnapshot)
    const second = await subscribe(engine, fromSnapshot)
    const third = subscription(fromSnapshot)
    expect(await engine.subscribe(third)).toMatchObject({
      reason: 'TOO_MANY',
      metadata: { what: 'snapshots', limit: '2', retry_after_ms: '1000' },
    })
    expect(must(await engine.status()).subscriptions).toBe(2)
    first.snapshot?.release()
    first.snapshot?.release()
    first.close()
    const again = must(await engine.subscribe(third))
    expect(await engine.subscribe(third)).toMatchObject({ reason: 'TOO_MANY' })
    second.close()
    again.close()
    for (let open = 0; open < 2; open++) must(await engine.subscribe(third))
  })

  it('that is released has nothing more to tell', async () => {
    const { engine, grow } = await start()
    await grow(5000)
    const { snapshot } = await subscribe(engine, fromSnapshot)
    snapshot?.release()
    expect([...(snapshot?.items() ?? [])]).toEqual([])
  })

  it('of many sets without ids is a large one, too', async () => {
    const { engine } = await start({ maxOpenSnapshots: 1 })
    const sets: Promise<SetId>[] = []
    for (let made = 0; made < 5000; made++) sets.push(createSet(engine))
    await Promise.all(sets)
    await subscribe(engine, fromSnapshot)
    expect(await engine.subscribe(subscription(fromSnapshot))).toMatchObject({ reason: 'TOO_MANY' })
  })

  it('of nothing is a snapshot all the same', async () => {
    const { engine } = await start()
    const { snapshot, revision } = await subscribe(engine, { ...fromSnapshot, sets: namesOf(['nobody']) })
    expect(revision).toBe(1)
    expect([...(snapshot?.items() ?? [1])]).toEqual([])
  })
})
