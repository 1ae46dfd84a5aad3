import { afterEach, describe, expect, it } from 'vitest'
import type { SubscribeRequest } from '../../proto/gen/ioasid/v1/SubscribeRequest.ts'
import type { SubscribeResponse__Output } from '../../proto/gen/ioasid/v1/SubscribeResponse.ts'
import { isFailure } from '../../server/core/failure.ts'
import { allocate, command, createSet, must } from '../support/engine.ts'
import { settle } from '../support/manual-clock.ts'
import { type Served, type ServeOptions, serve } from '../support/rpc.ts'
import { type StoppedReader, subscribeStopped } from '../support/stopped-reader.ts'

const running: Served[] = []
const readers: StoppedReader[] = []
afterEach(() => {
  for (const reader of readers.splice(0)) reader.cancel()
  for (const served of running.splice(0)) served.stop()
})

async function start(options: ServeOptions = {}) {
  const served = await serve({ ...options, space: { capacity: 60_000 } })
  running.push(served)
  const setId = await createSet(served.engine, 'x'.repeat(255))
  /** How many entries and heartbeats each subscription was handed, in the order in which they were opened. */
  const handed: number[] = []
  const { subscribe } = served.engine
  const counted: typeof subscribe = async (request) => {
    const opened = await subscribe(request)
    if (isFailure(opened)) return opened
    const index = handed.push(0) - 1
    const { next } = opened.subscription
    const counting = async () => {
      const item = await next()
      handed[index] = (handed[index] ?? 0) + 1
      return item
    }
    return { ...opened, subscription: { ...opened.subscription, next: counting } }
  }
  Object.assign(served.engine, { subscribe: counted })
  const open = async (request: SubscribeRequest) => {
    const reader = subscribeStopped(served.address, request)
    readers.push(reader)
    await reader.begun
    return reader
  }
  /** A snapshot of more than a megabyte. */
  const fill = async () => {
    for (let round = 0; round < 5; round++) await allocate(served.engine, setId, 1000)
  }
  const subscriptions = async () => must(await served.engine.status()).subscriptions
  return { ...served, setId, handed, open, fill, subscriptions }
}

const isEntry = (revision: number) => (message: SubscribeResponse__Output) =>
  message.kind === 'NOTIFICATIONS' && !message.more && message.revision === String(revision)
const isSnapshotEnd = ({ kind }: SubscribeResponse__Output) => kind === 'SNAPSHOT_END'

describe('a client that stops reading', () => {
  it('is handed no more than a message or two, delays nobody, and misses nothing when it reads again', async () => {
    const { engine, setId, handed, open } = await start({ limits: { ringBytes: 1000, maxQueuedBytes: 1000 } })
    const stopped = await open({ all: true, now: true })
    const reading = await open({ all: true, now: true })
    let revision = 1
    for (let round = 0; round < 8; round++) {
      const ids = await allocate(engine, setId, 500)
      must(await engine.submit(command.free(setId, ids), undefined))
      revision += 2
      // The other one is told of each change before the next is made.
      await reading.readUntil(isEntry(revision))
    }
    expect(handed[1]).toBe(16)
    expect(handed[0]).toBeLessThanOrEqual(3)
    await stopped.readUntil(isEntry(revision))
    const told = stopped.messages.filter(({ kind, more }) => kind === 'NOTIFICATIONS' && !more)
    expect(told.map((message) => Number(message.revision))).toEqual(Array.from({ length: 16 }, (_, at) => at + 2))
  })

  it('may have many small messages on their way', async () => {
    const { engine, setId, handed, open } = await start()
    const stopped = await open({ all: true, now: true, types: ['ALLOC'] })
    for (let round = 0; round < 100; round++) await allocate(engine, setId)
    await settle(20)
    expect(handed[0]).toBe(100)
    await stopped.readUntil(isEntry(101))
  })

  it('in the middle of a snapshot is waited for as long as was configured, then told COMPACTED', async () => {
    const { clock, open, fill, subscriptions } = await start({
      snapshotTimeoutMs: 7000,
      limits: { maxOpenSnapshots: 1 },
    })
    await fill()
    const stopped = await open({ all: true, snapshot: true, heartbeat_ms: 60_000 })
    await settle(20)
    clock.advance(6999)
    await settle(20)
    expect(await subscriptions()).toBe(1)
    clock.advance(1)
    await settle(20)
    // What it pinned is free again, though it has not read a word yet.
    expect(await subscriptions()).toBe(0)
    const next = await open({ all: true, snapshot: true })
    await next.readUntil(isSnapshotEnd)
    expect(next.messages.flatMap(({ notifications }) => notifications)).toHaveLength(5001)
    // `more` on all parts but the last.
    const parts = next.messages.slice(1, -1).map(({ more }) => more)
    expect(parts.length).toBeGreaterThan(1)
    expect(parts).toEqual([...parts.slice(1).map(() => true), false])
    void stopped.readUntil(isSnapshotEnd)
    expect(await stopped.ended).toMatchObject({ 'grpc-status': '11' })
    expect(stopped.messages.some(isSnapshotEnd)).toBe(false)
  })

  it('and leaves then frees what it had, in the middle of a snapshot or of a large entry', async () => {
    const { engine, setId, open, fill, subscriptions } = await start({ limits: { maxOpenSnapshots: 1 } })
    await fill()
    for (let round = 0; round < 3; round++) {
      const stopped = await open({ all: true, snapshot: round < 2, ...(round < 2 ? {} : { now: true }) })
      await allocate(engine, setId, 5000)
      await settle(20)
      stopped.cancel()
      while ((await subscriptions()) > 0) await settle(1)
    }
  })

  it('is told of a shutdown when it reads again', async () => {
    const { engine, setId, open } = await start()
    const stopped = await open({ all: true, now: true })
    for (let round = 0; round < 3; round++) await allocate(engine, setId, 1000)
    await settle(20)
    await engine.drain({ reason: 'DRAINING', message: 'Bye.', metadata: {} })
    void stopped.readUntil(isEntry(99))
    expect(await stopped.ended).toMatchObject({ 'grpc-status': '14', 'grpc-message': 'Bye.' })
  })
})
