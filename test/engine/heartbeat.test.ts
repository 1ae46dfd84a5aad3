import { describe, expect, it } from 'vitest'
import { createSet, makeRevisions, must, namesOf, peek, type RunOptions, run, subscribe } from '../support/engine.ts'
import { settle } from '../support/manual-clock.ts'

async function start(limits: RunOptions['limits'] = {}) {
  const running = await run({ limits })
  return { ...running, setId: await createSet(running.engine, 'vm') }
}

const strangers = namesOf(['nobody'])

describe('a heartbeat', () => {
  it('comes after the time without anything else, again and again', async () => {
    const { engine, clock } = await start()
    const { subscription } = await subscribe(engine, { heartbeatMs: 300 })
    for (let beat = 0; beat < 3; beat++) {
      const next = subscription.next()
      await settle()
      clock.advance(299)
      expect(await peek(next)).toBe('waiting')
      clock.advance(1)
      expect(await next).toEqual({ kind: 'heartbeat', revision: 1 })
    }
  })

  it('carries what nothing matched, so that the subscriber can resume from there', async () => {
    const { engine, clock, setId } = await start()
    const { subscription } = await subscribe(engine, { sets: strangers, heartbeatMs: 300 })
    const next = subscription.next()
    await makeRevisions(engine, setId, 50)
    clock.advance(300)
    expect(await next).toEqual({ kind: 'heartbeat', revision: 51 })
  })

  it('is put off by everything that is told', async () => {
    const { engine, clock, setId } = await start()
    const { subscription } = await subscribe(engine, { heartbeatMs: 300 })
    for (let change = 0; change < 3; change++) {
      const next = subscription.next()
      await settle()
      clock.advance(200)
      await makeRevisions(engine, setId, 1)
      expect(await next).toMatchObject({ kind: 'entry', revision: 2 + change })
    }
    const next = subscription.next()
    await settle()
    clock.advance(299)
    expect(await peek(next)).toBe('waiting')
    clock.advance(1)
    expect(await next).toEqual({ kind: 'heartbeat', revision: 4 })
  })

  it('never overtakes what waits to be told', async () => {
    const { engine, clock, setId } = await start()
    const { subscription } = await subscribe(engine, { heartbeatMs: 100 })
    await makeRevisions(engine, setId, 3)
    clock.advance(10_000)
    expect(await subscription.next()).toMatchObject({ kind: 'entry', revision: 2 })
    clock.advance(10_000)
    expect(await subscription.next()).toMatchObject({ kind: 'entry', revision: 3 })
    expect(await subscription.next()).toMatchObject({ kind: 'entry', revision: 4 })
    clock.advance(100)
    expect(await subscription.next()).toEqual({ kind: 'heartbeat', revision: 4 })
  })

  it('comes while a long log is looked through, with the revision that was reached', async () => {
    const { engine, clock, setId } = await start({ ringBytes: 0 })
    await makeRevisions(engine, setId, 5000)
    const { subscription } = await subscribe(engine, {
      sets: strangers,
      heartbeatMs: 100,
      start: { kind: 'after', revision: 0 },
    })
    const reached: number[] = []
    while (reached.at(-1) !== 5001) {
      const next = subscription.next()
      clock.advance(100)
      const item = await next
      if (item.kind !== 'heartbeat') throw new Error(item.kind)
      reached.push(item.revision)
    }
    expect(reached).toEqual([...reached].sort((a, b) => a - b))
    expect(reached.length).toBeGreaterThan(3)
  })

  it('is a cursor: what is resumed from it is what comes after it', async () => {
    const { engine, clock, setId } = await start()
    const { subscription } = await subscribe(engine, { sets: strangers, heartbeatMs: 100 })
    await makeRevisions(engine, setId, 5)
    clock.advance(100)
    const item = await subscription.next()
    if (item.kind !== 'heartbeat') throw new Error(item.kind)
    const resumed = await subscribe(engine, { start: { kind: 'after', revision: item.revision } })
    await makeRevisions(engine, setId, 1)
    expect(await resumed.subscription.next()).toMatchObject({ kind: 'entry', revision: 7 })
  })

  it('costs one timer for each who waits, and none for who was closed', async () => {
    const { engine, clock } = await start()
    const idle = clock.timers
    const opened = await Promise.all(Array.from({ length: 50 }, () => subscribe(engine)))
    for (const { subscription } of opened) void subscription.next()
    await settle()
    expect(clock.timers).toBe(idle + 50)
    for (const { close } of opened) close()
    expect(clock.timers).toBe(idle)
    expect(must(await engine.status()).subscriptions).toBe(0)
  })
})
