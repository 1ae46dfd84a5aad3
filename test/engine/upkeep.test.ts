import { describe, expect, it } from 'vitest'
import { controlStore } from '../support/controlled-store.ts'
import {
  command,
  createSet,
  makeRevisions,
  memoryStore,
  must,
  type RunOptions,
  request,
  run,
  subscribe,
  subscription,
} from '../support/engine.ts'
import { settle } from '../support/manual-clock.ts'

async function start(limits: RunOptions['limits'], store = memoryStore()) {
  const running = await run({ store, limits: limits ?? {} })
  const setId = await createSet(running.engine, 'vm')
  /** One second of a daemon that serves. */
  const second = async () => {
    running.clock.advance(1000)
    await settle(20)
  }
  return { ...running, setId, second }
}

describe('snapshots', () => {
  it('are written when a start would have to replay so many entries', async () => {
    const { engine, store, setId, second } = await start({ snapshotEvery: 10 })
    await makeRevisions(engine, setId, 8)
    await second()
    expect((await store.load()).base).toBeUndefined()
    await makeRevisions(engine, setId, 1)
    await second()
    expect((await store.load()).base?.revision).toBe(10)
    await makeRevisions(engine, setId, 9)
    await second()
    expect((await store.load()).base?.revision).toBe(10)
  })

  it('hold nothing that is not on disk', async () => {
    const store = controlStore(memoryStore())
    const { engine, setId, second } = await start({ snapshotEvery: 3 }, store)
    await settle()
    store.hold()
    const changes = makeRevisions(engine, setId, 10)
    await second()
    expect((await store.load()).base).toBeUndefined()
    store.release()
    await changes
    await second()
    expect((await store.load()).base?.revision).toBe(11)
  })

  it('are of one revision, whatever changes while they are written', async () => {
    const store = memoryStore()
    const { engine, clock, setId } = await start({ snapshotEvery: 3 }, store)
    await makeRevisions(engine, setId, 3)
    clock.advance(500)
    for (let turn = 0; turn < 10; turn++) {
      await engine.submit(command.adjustQuota(setId, 900 + turn), undefined)
      await settle(1)
    }
    const { base } = await store.load()
    expect(base?.revision).toBe(4)
    expect(base?.sets.get(setId)?.quota).toBeLessThan(900)
  })

  it('are not written twice at a time', async () => {
    const inner = memoryStore()
    let writing = 0
    let most = 0
    const store = {
      ...inner,
      writeSnapshot: async (state: Parameters<typeof inner.writeSnapshot>[0]) => {
        writing += 1
        most = Math.max(most, writing)
        await settle(30)
        await inner.writeSnapshot(state)
        writing -= 1
      },
    }
    const { engine, clock, setId } = await start({ snapshotEvery: 3 }, store)
    for (let beat = 0; beat < 20; beat++) {
      await makeRevisions(engine, setId, 4)
      clock.advance(500)
      await settle(3)
    }
    expect(most).toBe(1)
  })
})

describe('the log', () => {
  it('is compacted to nine tenths within a second when it holds too many revisions', async () => {
    const { engine, setId, second, store } = await start({ historyRevisions: 100 })
    await makeRevisions(engine, setId, 99)
    await second()
    expect(must(await engine.status()).compactRevision).toBe(0)
    await makeRevisions(engine, setId, 1)
    await second()
    expect(must(await engine.status())).toMatchObject({ revision: 101, compactRevision: 11 })
    expect(store.size().entries).toBe(90)
  })

  it('is compacted to nine tenths when it holds too many bytes', async () => {
    const { engine, setId, second, store } = await start({ historyBytes: 20_000 })
    await makeRevisions(engine, setId, 1000)
    await second()
    expect(store.size().logBytes).toBeLessThanOrEqual(18_000)
    expect(store.size().logBytes).toBeGreaterThan(17_000)
  })

  it('may be compacted to nothing where one entry is more than it may hold', async () => {
    const { engine, setId, second, store } = await start({ historyBytes: 100 })
    await makeRevisions(engine, setId, 3)
    await second()
    expect(store.size().entries).toBe(0)
    expect(must(await engine.status())).toMatchObject({ revision: 4, compactRevision: 4 })
    const { subscription: following } = await subscribe(engine, { start: { kind: 'after', revision: 4 } })
    await makeRevisions(engine, setId, 1)
    expect(await following.next()).toMatchObject({ revision: 5 })
  })

  it('is never compacted beyond the newest snapshot', async () => {
    const { engine, setId, second, store } = await start({ historyRevisions: 10, snapshotEvery: 1_000_000 })
    for (let round = 0; round < 5; round++) {
      await makeRevisions(engine, setId, 7)
      await second()
      const { base, compactRevision } = await store.load()
      expect(base?.revision ?? 0).toBeGreaterThanOrEqual(compactRevision)
    }
    expect(store.size().entries).toBeLessThanOrEqual(10)
  })

  it('that is compacted below a cursor says where the oldest one is', async () => {
    const { engine, setId, second } = await start({ historyRevisions: 100 })
    await makeRevisions(engine, setId, 200)
    await second()
    const { compactRevision } = must(await engine.status())
    const from = (revision: number) => engine.subscribe(subscription({ start: { kind: 'after', revision } }))
    expect(await from(compactRevision - 1)).toMatchObject({
      reason: 'COMPACTED',
      metadata: { compact_revision: String(compactRevision) },
    })
    const { subscription: oldest } = must(await from(compactRevision))
    expect(await oldest.next()).toMatchObject({ kind: 'entry', revision: compactRevision + 1 })
  })

  it('that is being compacted piece by piece tells the new beginning, not the old one', async () => {
    const inner = memoryStore()
    const compact = async (revision: Parameters<typeof inner.compact>[0]) => {
      await inner.compact(revision)
      // Still busy with the last pieces.
      await settle(50)
    }
    const store = { ...inner, compact }
    const { engine, clock, setId } = await start({ historyRevisions: 100, ringBytes: 0 }, store)
    const { subscription: slow } = await subscribe(engine, { start: { kind: 'after', revision: 0 } })
    await makeRevisions(engine, setId, 200)
    clock.advance(500)
    await settle(20)
    expect(await slow.next()).toMatchObject({
      kind: 'ended',
      failure: { reason: 'COMPACTED', metadata: { compact_revision: '111' } },
    })
    expect(await engine.subscribe(subscription({ start: { kind: 'after', revision: 0 } }))).toMatchObject({
      reason: 'COMPACTED',
    })
  })
})

describe('the serving clock on disk', () => {
  const kept = (store: ReturnType<typeof controlStore>) =>
    store.batches.flatMap(({ marks }) =>
      marks.filter(({ key }) => key === 'clock').map(({ value }) => Number(Buffer.from(value ?? []).toString())),
    )

  it('is not kept while nothing waits for it', async () => {
    const store = controlStore(memoryStore())
    const { second } = await start({}, store)
    await second()
    await second()
    expect(kept(store)).toEqual([])
    expect(store.batches).toHaveLength(1)
  })

  it('is kept at most a second apart while an answer is kept, and no longer', async () => {
    const store = controlStore(memoryStore())
    const { engine, second, setId } = await start({ requestWindowMs: 10_000 }, store)
    must(await engine.submit(command.adjustQuota(setId, 0), request('r')))
    for (let seconds = 0; seconds < 30; seconds++) await second()
    const times = kept(store)
    expect(times.at(-1)).toBeGreaterThanOrEqual(9500)
    expect(times.at(-1)).toBeLessThanOrEqual(10_000)
    for (const [index, time] of times.entries()) expect(time - (times[index - 1] ?? 0)).toBeLessThanOrEqual(1000)
  })

  it('is kept every half lease grace where that is less', async () => {
    const store = controlStore(memoryStore())
    const { engine, second, setId } = await start({ leaseGraceMs: 200 }, store)
    must(await engine.submit(command.adjustQuota(setId, 0), request('r')))
    await second()
    expect(kept(store).length).toBeGreaterThanOrEqual(1)
    expect(kept(store).at(-1)).toBe(1000)
  })
})
