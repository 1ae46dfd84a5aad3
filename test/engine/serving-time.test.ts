import { describe, expect, it } from 'vitest'
import { createServingClock } from '../../server/engine/clock.ts'
import { allocate, command, createSet, memoryStore, must, type Running, run } from '../support/engine.ts'
import { createManualClock, settle } from '../support/manual-clock.ts'

describe('serving time', () => {
  it('counts a gap between two looks for at most one second', () => {
    const clock = createManualClock()
    const serving = createServingClock(clock, 500)
    expect(serving.nowMs()).toBe(500)
    clock.advance(999)
    expect(serving.nowMs()).toBe(1499)
    clock.advance(3_600_000)
    expect(serving.nowMs()).toBe(2499)
    clock.advance(0.4)
    expect(serving.nowMs()).toBe(2499)
    clock.advance(0.7)
    expect(serving.nowMs()).toBe(2500)
  })

  it('loses nothing while timers are as late as a busy machine makes them', async () => {
    const clock = createManualClock()
    // Every timer comes 100 ms late.
    const late = { ...clock, after: (ms: number, callback: () => void) => clock.after(ms + 100, callback) }
    const { engine } = await run({ clock: late })
    const before = must(await engine.read((state) => ({ servingMs: state.servingMs }))).servingMs
    clock.advance(60_000)
    const after = must(await engine.read((state) => ({ servingMs: state.servingMs }))).servingMs
    expect(after - before).toBe(60_000)
  })
})

/** A space of one id that rests for 10 s after it was freed. */
const space = { capacity: 2, reuseDelayMs: 10_000 }

const isFree = async ({ engine }: Running) =>
  must(await engine.read((state) => ({ isFree: state.space.available === 1 }))).isFree

async function freed() {
  const store = memoryStore()
  const running = await run({ store, space })
  const setId = await createSet(running.engine)
  await allocateOnly(running, setId)
  must(await running.engine.submit(command.free(setId, [1]), undefined))
  return { ...running, store, setId }
}

async function allocateOnly({ engine }: Running, setId: Awaited<ReturnType<typeof createSet>>) {
  return must(await engine.submit({ ...command.allocate(setId), max: 1 }, undefined))
}

describe('the reuse delay', () => {
  it('is served in full, but for the millisecond in which it began, and no longer', async () => {
    const running = await freed()
    running.clock.advance(10_000)
    expect(await isFree(running)).toBe(false)
    running.clock.advance(1)
    expect(await isFree(running)).toBe(true)
  })

  it('goes on after a clean stop or a crash, at most the time between two keeps later, and never earlier', async () => {
    const first = await freed()
    first.clock.advance(4321)
    await settle()
    // Killed here: what the second one knows is on disk.
    const second = await run({ store: first.store, space })
    second.clock.advance(10_000 - 4321 - 1)
    expect(await isFree(second)).toBe(false)
    second.clock.advance(500)
    expect(await isFree(second)).toBe(true)
  })

  it('does not pass while nobody serves, however often the daemon is started', async () => {
    let running: Running = await freed()
    for (let start = 0; start < 100; start++) {
      running = await run({ store: running.store, space })
      running.clock.advance(90)
      await settle(2)
    }
    expect(await isFree(running)).toBe(false)
  })

  it('survives a snapshot and another delay', async () => {
    const first = await freed()
    first.clock.advance(3500)
    await settle()
    const shorter = await run({
      store: first.store,
      space: { ...space, reuseDelayMs: 3000 },
      limits: { snapshotEvery: 1 },
    })
    expect(await isFree(shorter)).toBe(true)
    shorter.clock.advance(500)
    await settle(20)
    expect((await first.store.load()).base?.revision).toBe(3)
    const longer = await run({ store: first.store, space: { ...space, reuseDelayMs: 20_000 } })
    longer.clock.advance(16_400)
    expect(await isFree(longer)).toBe(false)
    longer.clock.advance(1000)
    expect(await isFree(longer)).toBe(true)
  })

  it('keeps its clock on disk only as long as something rests', async () => {
    const { store, clock } = await freed()
    clock.advance(20_000)
    await settle()
    const marks: number[] = []
    for await (const { key, value } of (await store.load()).marks) {
      if (key === 'clock') marks.push(Number(Buffer.from(value).toString()))
    }
    expect(marks[0]).toBeGreaterThanOrEqual(9500)
    expect(marks[0]).toBeLessThanOrEqual(10_000)
  })

  it('is told with a refusal that only rest is the reason of', async () => {
    const { engine, clock, setId } = await freed()
    clock.advance(4000)
    expect(await engine.submit({ ...command.allocate(setId), max: 1 }, undefined)).toMatchObject({
      reason: 'RANGE_EXHAUSTED',
      metadata: { resting: '1', retry_after_ms: '6001' },
    })
    await expect(allocate(engine, setId)).rejects.toThrow()
  })
})
