import { describe, expect, it } from 'vitest'
import { violations } from '../../server/core/invariants.ts'
import { freeze } from '../../server/core/state.ts'
import { startEngine } from '../../server/engine/engine.ts'
import type { Store } from '../../server/store/store.ts'
import {
  allocate,
  command,
  createSet,
  LIMITS,
  makeRevisions,
  memoryStore,
  must,
  namesOf,
  type RunOptions,
  run,
  SPACE,
  subscribe,
  subscription,
} from '../support/engine.ts'
import { createManualClock, settle } from '../support/manual-clock.ts'
import { contentOf } from '../support/space.ts'

/** Everything that an engine knows, in a form that can be compared. */
async function contentsOf({ engine }: Awaited<ReturnType<typeof run>>): Promise<object> {
  return must(await engine.read((state) => ({ ...contentOf(freeze(state)), violations: violations(state) })))
}

async function fill(store: Store, options: RunOptions = {}) {
  const running = await run({ ...options, store })
  const { engine } = running
  const setId = await createSet(engine, 'vm', 20)
  const anonymous = await createSet(engine)
  const ids = await allocate(engine, setId, 10)
  must(await engine.submit(command.allocate(anonymous, 3, [7, 8, 0]), undefined))
  must(await engine.submit(command.attachData(setId, ids[0] ?? 0, new Uint8Array([1, 2, 3])), undefined))
  must(await engine.submit(command.free(setId, ids.slice(5)), undefined))
  const gone = await createSet(engine, 'gone')
  must(await engine.submit(command.deleteSet(gone), undefined))
  return { ...running, setId, gone }
}

describe('a restart', () => {
  it('gives back what there was, from the log alone', async () => {
    const store = memoryStore()
    const first = await fill(store)
    const second = await run({ store })
    expect(await contentsOf(second)).toEqual(await contentsOf(first))
    expect(second.engine.spaceId).toBe(first.engine.spaceId)
    expect(second.engine.handles.ofSet(first.setId)).toBe(first.engine.handles.ofSet(first.setId))
  })

  it('gives it back from a snapshot and the log after it', async () => {
    const store = memoryStore()
    const first = await fill(store, { limits: { snapshotEvery: 5 } })
    first.clock.advance(500)
    await settle(20)
    must(await first.engine.submit(command.allocate(first.setId, 2), undefined))
    const { base } = await store.load()
    expect(base?.revision).toBe(8)
    expect(await contentsOf(await run({ store }))).toEqual(await contentsOf(first))
  })

  it('goes on with the numbers where they were', async () => {
    const store = memoryStore()
    const { gone } = await fill(store)
    const { engine } = await run({ store })
    expect(await createSet(engine, 'next')).toBe(gone + 1)
    expect(must(await engine.status()).revision).toBe(9)
  })

  it('lets subscribers resume where they were, as if nothing had been', async () => {
    const store = memoryStore()
    const { setId } = await fill(store)
    const { engine } = await run({ store })
    const { subscription: resumed, revision } = await subscribe(engine, {
      sets: namesOf(['vm']),
      start: { kind: 'after', revision: 3 },
      spaceId: engine.spaceId,
    })
    expect(revision).toBe(3)
    must(await engine.submit(command.allocate(setId), undefined))
    const told = [await resumed.next(), await resumed.next()]
    expect(told).toMatchObject([{ revision: 6 }, { revision: 9 }])
  })

  it('knows the handle of an ended set while its SET_FREE is kept, and no longer', async () => {
    const store = memoryStore()
    const { gone } = await fill(store)
    const after = subscription({ sets: namesOf([], [gone]), start: { kind: 'after', revision: 6 } })
    const second = await run({ store, limits: { historyRevisions: 10, snapshotEvery: 3 } })
    expect(must(await second.engine.subscribe(after)).revision).toBe(6)
    for (const start of [{ kind: 'now' }, { kind: 'snapshot' }] as const) {
      expect(await second.engine.subscribe({ ...after, start })).toMatchObject({ reason: 'SET_NOT_FOUND' })
    }
    await makeRevisions(second.engine, await createSet(second.engine), 20)
    for (let beat = 0; beat < 4; beat++) {
      second.clock.advance(500)
      await settle(20)
    }
    const compacted = must(await second.engine.status()).compactRevision
    expect(compacted).toBeGreaterThan(8)
    const late = { ...after, start: { kind: 'after', revision: compacted } } as const
    expect(await second.engine.subscribe(late)).toMatchObject({ reason: 'SET_NOT_FOUND' })
    const third = await run({ store })
    expect(await third.engine.subscribe(late)).toMatchObject({ reason: 'SET_NOT_FOUND' })
  })

  it('may be under another policy, capacity or set of reserved ids, as long as the data fit', async () => {
    const store = memoryStore()
    const first = await fill(store)
    const allocated = must(await first.engine.status()).allocated
    for (const space of [
      { policy: 'lowest' },
      { capacity: 64 },
      { reserved: [[40, 50]] },
      { capacity: 2048 },
    ] as const) {
      const { engine } = await run({ store, space })
      expect(must(await engine.status())).toMatchObject({ allocated, capacity: space.capacity ?? SPACE.capacity })
      expect(must(await engine.read((state) => ({ found: violations(state) }))).found).toEqual([])
    }
  })

  it('replays ids that today cannot be there, though it was started smaller before', async () => {
    const store = memoryStore()
    const wide = await run({ store, space: { capacity: 100_000 } })
    const setId = await createSet(wide.engine)
    must(await wide.engine.submit({ ...command.allocate(setId), min: 90_000, max: 90_000 }, undefined))
    must(await wide.engine.submit(command.free(setId, [90_000]), undefined))
    for (const space of [{ capacity: 64 }, { capacity: 64 }, { capacity: 64, reserved: [[1, 9]] }] as const) {
      const { engine } = await run({ store, space })
      expect(must(await engine.status())).toMatchObject({ allocated: 0, capacity: 64 })
    }
  })

  it('refuses a capacity or a reserved range that the data contradict', async () => {
    const store = memoryStore()
    await fill(store)
    for (const space of [{ capacity: 12 }, { reserved: [[2, 3]] }, { capacity: 21 }] as const) {
      const started = await startEngine({
        store,
        clock: createManualClock(),
        space: { ...SPACE, ...space },
        limits: LIMITS,
        onFailure: () => undefined,
      })
      expect(started).toHaveProperty('contradiction')
    }
  })
})

describe('handles', () => {
  it('name their set and no other, and nothing else names one', async () => {
    const { engine } = await run()
    const { ofSet, toSet } = engine.handles
    const setId = await createSet(engine)
    const handle = ofSet(setId)
    expect(toSet(handle)).toBe(setId)
    const tampered = Array.from(
      handle,
      (letter, at) => handle.slice(0, at) + (letter === 'A' ? 'B' : 'A') + handle.slice(at + 1),
    )
    const wrong = [
      '',
      'set-',
      handle.slice(0, -1),
      `${handle}A`,
      `${handle}=`,
      ` ${handle}`,
      handle.toUpperCase(),
      '\u{1F600}'.repeat(18),
    ]
    for (const guess of [...tampered, ...wrong]) expect(toSet(guess)).toBe(0)
  })

  it('differ between spaces with different keys', async () => {
    const { engine } = await run()
    const setId = await createSet(engine)
    const other = memoryStore()
    const load = async () => ({ ...(await other.load()), handleKey: new Uint8Array(32).fill(8) })
    const { engine: foreign } = await run({ store: { ...other, load } })
    expect(foreign.handles.toSet(engine.handles.ofSet(setId))).toBe(0)
  })
})
