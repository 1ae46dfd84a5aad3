import { afterEach, describe, expect, it } from 'vitest'
import { controlStore } from '../support/controlled-store.ts'
import { createSet, makeRevisions, memoryStore, must } from '../support/engine.ts'
import { settle } from '../support/manual-clock.ts'
import { endOf, type Served, type ServeOptions, serve } from '../support/rpc.ts'
import type { WireStream } from '../support/wire.ts'

const running: Served[] = []
afterEach(() => {
  for (const served of running.splice(0)) served.stop()
})

async function start(options: ServeOptions = {}) {
  const served = await serve(options)
  running.push(served)
  const handle = ((await served.set('CreateSet', { token: 'vm', quota: 9 })) as { set: { set_handle: string } }).set
    .set_handle
  const open = (request: object) => served.wire.open('ioasid.v1.NotificationService', 'Subscribe', request)
  return { ...served, handle, open }
}

interface Told {
  kind: string
  revision: string
  prev_revision: string
  more: boolean
  subscription_id: string
  space_id: string
  notifications: Record<string, unknown>[]
}

async function read(stream: WireStream, count: number): Promise<Told[]> {
  const told: Told[] = []
  while (told.length < count) {
    const message = await stream.next()
    if (message === undefined) throw new Error(`the stream ended after ${told.length} messages`)
    told.push(message as unknown as Told)
  }
  return told
}

/** Waits for the event loop until it is true. */
async function until(isTrue: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    if (await isTrue()) return
    await settle(1)
  }
  throw new Error('it never came true')
}

const subscriptions = async (served: Pick<Served, 'engine'>) => must(await served.engine.status()).subscriptions

describe('a stream', () => {
  it('begins with HEADER, and tells each event with what the contract says of it', async () => {
    const { open, set, ioasid, handle } = await start()
    const stream = open({ tokens: ['vm'], after_revision: '0' })
    const own = { set_handle: handle }
    await ioasid('Allocate', { ...own, count: 2, spids: [70, 71] })
    await set('AdjustQuota', { ...own, quota: 5 })
    await ioasid('Free', { ...own, ioasids: [1] })
    await set('DeleteSet', { ...own, force: true })
    const [header, ...told] = await read(stream, 6)
    expect(header).toMatchObject({ kind: 'HEADER', revision: '0', prev_revision: '0', notifications: [] })
    const of = (revision: string) => ({ revision, token: 'vm', set_id: '1', snapshot: false, overrun: false })
    const id = (ioasidOf: number, revision: string) => ({ ...of(revision), ioasid: ioasidOf, generation: '2' })
    const spid = (ioasidOf: number, revision: string) => ({
      ...id(ioasidOf, revision),
      spid: 69 + ioasidOf,
      bind_revision: '2',
    })
    expect(told.map(({ notifications }) => notifications.map(withoutOneofs))).toEqual([
      [{ type: 'SET_ALLOC', ...of('1'), quota: 9 }],
      [
        { type: 'ALLOC', ...id(1, '2') },
        { type: 'ALLOC', ...id(2, '2') },
        { type: 'BIND', ...spid(1, '2') },
        { type: 'BIND', ...spid(2, '2') },
      ],
      [{ type: 'SET_ADJUST', ...of('3'), quota: 5 }],
      [
        { type: 'UNBIND', ...spid(1, '4') },
        { type: 'FREE', ...id(1, '4') },
        { type: 'RECLAIM', ...id(1, '4') },
      ],
      [
        { type: 'UNBIND', ...spid(2, '5') },
        { type: 'FREE', ...id(2, '5') },
        { type: 'RECLAIM', ...id(2, '5') },
        { type: 'SET_FREE', ...of('5') },
      ],
    ])
    expect(told.every(({ kind, more, space_id }) => kind === 'NOTIFICATIONS' && !more && space_id === 'space-a')).toBe(
      true,
    )
  })

  it('says in each message what the one before it was, heartbeats included', async () => {
    const { open, engine, clock } = await start()
    const setId = await createSet(engine, 'other')
    const stream = open({ tokens: ['other'], now: true, heartbeat_ms: 100 })
    const chain = await read(stream, 1)
    for (let round = 0; round < 3; round++) {
      await makeRevisions(engine, setId, 2)
      chain.push(...(await read(stream, 2)))
      await createSet(engine)
      await settle(10)
      clock.advance(100)
      chain.push(...(await read(stream, 1)))
    }
    expect(chain.map(({ kind }) => kind[0])).toEqual([...'HNNHNNHNNH'])
    expect(chain.map(({ revision }) => Number(revision))).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    expect(chain.map(({ prev_revision }) => Number(prev_revision))).toEqual([0, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(new Set(chain.map(({ subscription_id }) => subscription_id)).size).toBe(1)
  })

  it('has a number of its own, never 0', async () => {
    const { open } = await start()
    const headers = await Promise.all([1, 2, 3].map(async () => (await read(open({ all: true, now: true }), 1))[0]))
    const ids = new Set(headers.map((header) => header?.subscription_id))
    expect(ids.size).toBe(3)
    expect(ids.has('0')).toBe(false)
  })

  it('cuts a revision that is too large for a message, with `more` on all but the last', async () => {
    const { open, engine, ioasid } = await start({ space: { capacity: 70_000 } })
    const token = 't'.repeat(255)
    const handle = engine.handles.ofSet(await createSet(engine, token))
    const stream = open({ tokens: [token], now: true })
    await read(stream, 1)
    const spids = Array.from({ length: 65_536 }, (_, index) => 65_536 - index)
    await ioasid('Allocate', { set_handle: handle, spids })
    const parts: Told[] = []
    do parts.push(...(await read(stream, 1)))
    while (parts.at(-1)?.more)
    expect(parts.length).toBeGreaterThan(4)
    expect(parts.map(({ prev_revision }) => prev_revision)).toEqual(['2', ...parts.slice(1).map(() => '3')])
    const told = parts.flatMap(({ notifications }) => notifications)
    expect(told).toHaveLength(2 * 65_536)
    const isInOrder = told.every(({ type, ioasid: id, spid, token: of }, at) => {
      if (at < 65_536) return type === 'ALLOC' && id === at + 1
      return type === 'BIND' && id === at - 65_535 && spid === spids[at - 65_536] && of === token
    })
    expect(isInOrder).toBe(true)
    await ioasid('Free', { set_handle: handle, ioasids: [1] })
    expect(await read(stream, 1)).toMatchObject([{ more: false, prev_revision: '3', revision: '4' }])
  })

  it('of some types has no other', async () => {
    const { open, ioasid, handle } = await start()
    const stream = open({ all: true, after_revision: '0', types: ['BIND'] })
    await ioasid('Allocate', { set_handle: handle, spids: [4] })
    const [, message] = await read(stream, 2)
    expect(message).toMatchObject({ revision: '2', prev_revision: '0', notifications: [{ type: 'BIND' }] })
    expect(message?.notifications).toHaveLength(1)
  })
})

describe('a snapshot on the wire', () => {
  it('is NOTIFICATIONS, marked, at one revision, and ends with SNAPSHOT_END', async () => {
    const { open, set, ioasid, handle } = await start()
    await ioasid('Allocate', { set_handle: handle })
    await ioasid('Allocate', { set_handle: handle, spids: [70] })
    await set('AdjustQuota', { set_handle: handle, quota: 7 })
    const stream = open({ all: true, snapshot: true })
    const [header, body, end] = await read(stream, 3)
    expect(header).toMatchObject({ kind: 'HEADER', revision: '4', prev_revision: '0' })
    expect(body).toMatchObject({ kind: 'NOTIFICATIONS', revision: '4', prev_revision: '4', more: false })
    const of = { revision: '4', token: 'vm', set_id: '1', snapshot: true, overrun: false }
    expect(body?.notifications.map(withoutOneofs)).toEqual([
      { type: 'SET_ALLOC', ...of, quota: 7 },
      { type: 'ALLOC', ...of, ioasid: 1, generation: '2' },
      { type: 'ALLOC', ...of, ioasid: 2, generation: '3' },
      { type: 'BIND', ...of, ioasid: 2, generation: '3', spid: 70, bind_revision: '3' },
    ])
    expect(end).toMatchObject({ kind: 'SNAPSHOT_END', revision: '4', prev_revision: '4', more: false })
    await ioasid('Allocate', { set_handle: handle })
    expect(await read(stream, 1)).toMatchObject([{ kind: 'NOTIFICATIONS', revision: '5', prev_revision: '4' }])
  })

  it('shows an id that is pending as freed, and not as bound: its UNBIND was told', async () => {
    const { open, lease, ioasid, handle } = await start()
    await ioasid('Allocate', { set_handle: handle, spids: [70] })
    const { lease_handle } = ((await lease('GrantLease', { ttl_ms: 1000 })) as { lease: { lease_handle: string } })
      .lease
    await ioasid('Acquire', { token: 'vm', ioasid: 1, lease_handle })
    await ioasid('Free', { set_handle: handle, ioasids: [1] })
    const [, body] = await read(open({ all: true, snapshot: true }), 3)
    const of = { revision: '5', token: 'vm', set_id: '1', snapshot: true, overrun: false, ioasid: 1, generation: '2' }
    expect(body?.notifications.slice(1).map(withoutOneofs)).toEqual([
      { type: 'ALLOC', ...of },
      { type: 'FREE', ...of },
    ])
    const [, filtered] = await read(open({ all: true, snapshot: true, types: ['BIND', 'SET_ALLOC'] }), 3)
    expect(filtered?.notifications).toMatchObject([{ type: 'SET_ALLOC' }])
  })

  it('of nothing is HEADER and SNAPSHOT_END, and types filter it like everything else', async () => {
    const { open, ioasid, handle } = await start()
    await ioasid('Allocate', { set_handle: handle })
    const nothing = open({ tokens: ['nobody'], snapshot: true })
    expect(await read(nothing, 2)).toMatchObject([{ kind: 'HEADER' }, { kind: 'SNAPSHOT_END', revision: '2' }])
    const some = open({ all: true, snapshot: true, types: ['ALLOC'] })
    const [, body] = await read(some, 3)
    expect(body?.notifications).toMatchObject([{ type: 'ALLOC' }])
  })
})

describe('the end of a stream', () => {
  it('by its reader frees the subscription', async () => {
    const served = await start()
    const streams = Array.from({ length: 20 }, (_, n) =>
      served.open(n % 2 === 0 ? { all: true, now: true } : { tokens: ['x'], snapshot: true }),
    )
    for (const stream of streams) await read(stream, 1)
    expect(await subscriptions(served)).toBe(20)
    for (const stream of streams) stream.cancel()
    await until(async () => (await subscriptions(served)) === 0)
    expect(served.errors).toEqual([])
  })

  it('by its reader before it has begun frees it, too', async () => {
    const store = controlStore(memoryStore())
    const served = await start({ store })
    await settle()
    store.hold()
    const change = served.ioasid('Allocate', { set_handle: served.handle })
    const subscribed = served.engine.subscribe
    let asked = 0
    Object.assign(served.engine, {
      subscribe: (request: Parameters<typeof subscribed>[0]) => {
        asked += 1
        return subscribed(request)
      },
    })
    await until(async () => store.batches.length === 2)
    const stream = served.open({ all: true, now: true })
    await until(async () => asked === 1)
    stream.cancel()
    await settle(50)
    store.release()
    await change
    await until(async () => (await subscriptions(served)) === 0)
  })

  it('by the daemon tells why', async () => {
    const { open, engine } = await start()
    const stream = open({ all: true, now: true })
    await read(stream, 1)
    await engine.drain({ reason: 'DRAINING', message: 'The daemon is shutting down.', metadata: {} })
    expect(await endOf(stream)).toMatchObject({ status: 'UNAVAILABLE', reason: 'DRAINING', retryMs: 1000 })
  })
})

function withoutOneofs(notification: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(notification).filter(([key]) => !key.startsWith('_')))
}
