import { afterEach, describe, expect, it } from 'vitest'
import { makeClient } from '../../client/client.ts'
import type { Interruption, SubscribeOptions, Subscription, SubscriptionItem } from '../../client/subscription-types.ts'
import { type FakeStream, fakeTransport } from './fake-transport.ts'
import { grpcError } from './grpc-error.ts'
import { manualClock, settle } from './manual-clock.ts'
import { events, header, heartbeat, SPACE, snapshotEnd } from './messages.ts'

const open: Subscription[] = []

/** A reader in the background, and a daemon that says what the test says. */
function setUp(options: Partial<SubscribeOptions> = {}) {
  const manual = manualClock(1)
  const fake = fakeTransport()
  const client = makeClient(() => fake.transport, manual.clock)
  const interruptions: Interruption[] = []
  const onInterrupted = (interruption: Interruption) => interruptions.push(interruption)
  // The filter's union does not survive Partial.
  const all = { all: true, start: 'now', progress: true, onInterrupted, ...options } as SubscribeOptions
  const subscription = client.subscribe(all)
  open.push(subscription)
  const stream = (index: number): FakeStream => {
    const found = fake.streams[index]
    if (found === undefined) throw new Error(`only ${fake.streams.length} streams were opened`)
    return found
  }
  return { ...manual, ...fake, client, subscription, interruptions, stream }
}

/** Reads on until the end; what was read, and how it ended. */
function reading(subscription: Subscription) {
  const items: string[] = []
  let end: unknown = 'reading'
  const run = async () => {
    for await (const item of subscription) items.push(brief(item))
  }
  run().then(
    () => {
      end = 'ended'
    },
    (error: unknown) => {
      end = error
    },
  )
  return { items, end: () => end }
}

function brief(item: SubscriptionItem): string {
  const ids = 'notifications' in item ? ` ${item.notifications.map(({ ioasid }) => ioasid).join(',')}` : ''
  return `${item.kind} ${item.revision}${ids}`
}

const now = { start: 'now', now: true }
const startAfter = (revision: string) => ({ start: 'after_revision', after_revision: revision })

afterEach(async () => {
  for (const subscription of open.splice(0)) await subscription.return()
})

describe('a subscription', () => {
  it('asks for what was wanted when it is first read, and not before', async () => {
    const { subscription, streams, stream } = setUp({
      all: undefined,
      tokens: ['vm-a'],
      types: ['BIND'],
      heartbeatMs: 200,
    })
    await settle()
    expect(streams).toHaveLength(0)
    reading(subscription)
    await settle()
    expect(stream(0).request).toMatchObject({
      tokens: ['vm-a'],
      set_handles: [],
      all: false,
      types: ['BIND'],
      heartbeat_ms: 200,
      space_id: '',
      ...now,
    })
  })

  it('goes on after the last revision that was told in whole, in the history that it knows', async () => {
    const { subscription, stream, advance } = setUp()
    const { items } = reading(subscription)
    await settle()
    stream(0).send(header(10))
    stream(0).send(events(12, 10, [1]))
    stream(0).send(events(13, 12, [2], true))
    stream(0).end(grpcError('UNAVAILABLE'))
    await advance(100)
    expect(stream(1).request).toMatchObject({ ...startAfter('12'), space_id: SPACE })
    stream(1).send(header(12))
    stream(1).send(events(13, 12, [2], true))
    stream(1).send(events(13, 13, [3]))
    await settle()
    expect(items).toEqual(['progress 10', 'revision 12 1', 'progress 12', 'revision 13 2,3'])
    expect(subscription.cursor).toEqual({ revision: 13n, spaceId: SPACE })
    expect(subscription).toMatchObject({ interruptions: 1, gaps: 0 })
  })

  it.each(['UNAVAILABLE', 'CANCELLED', 'INTERNAL'] as const)('survives %s', async (code) => {
    const { subscription, streams, stream, advance } = setUp()
    reading(subscription)
    await settle()
    stream(0).send(header(10))
    stream(0).end(grpcError(code))
    await advance(100)
    expect(streams).toHaveLength(2)
    expect(stream(1).request).toMatchObject(startAfter('10'))
  })

  it('survives an end without an error', async () => {
    const { subscription, stream, advance } = setUp()
    reading(subscription)
    await settle()
    stream(0).send(header(10))
    stream(0).end()
    await advance(100)
    expect(stream(1).request).toMatchObject(startAfter('10'))
  })

  it('goes on after a heartbeat though nothing matched', async () => {
    const { subscription, stream, advance } = setUp()
    reading(subscription)
    await settle()
    stream(0).send(header(10))
    stream(0).send(heartbeat(4_000, 10))
    stream(0).end(grpcError('UNAVAILABLE'))
    await advance(100)
    expect(stream(1).request).toMatchObject(startAfter('4000'))
  })

  it('that has not begun begins as it was meant to', async () => {
    const { subscription, stream, advance } = setUp({ start: { afterRevision: 3n }, spaceId: 'mine' })
    reading(subscription)
    await settle()
    stream(0).end(grpcError('UNAVAILABLE'))
    await advance(100)
    expect(stream(1).request).toMatchObject({ ...startAfter('3'), space_id: 'mine' })
  })

  it('takes a stream for dead that is silent for three heartbeats and a second', async () => {
    const { subscription, stream, streams, advance, interruptions } = setUp({ heartbeatMs: 1_000 })
    reading(subscription)
    await settle()
    stream(0).send(header(10))
    await advance(3_000)
    stream(0).send(heartbeat(11, 10))
    await advance(3_999)
    expect(streams).toHaveLength(1)
    await advance(1 + 50)
    expect(stream(0).isCancelled()).toBe(true)
    expect(stream(1).request).toMatchObject(startAfter('11'))
    expect(interruptions[0]).toMatchObject({ why: 'The daemon was silent', error: undefined })
  })

  it('does not take a slow reader for a silent daemon', async () => {
    const { subscription, stream, streams, advance } = setUp({ heartbeatMs: 1_000 })
    const first = subscription.next()
    await settle()
    stream(0).send(header(10))
    stream(0).send(events(11, 10, [1]))
    await first
    await advance(60_000)
    expect(await subscription.next()).toMatchObject({ value: { revision: 11n } })
    expect(streams).toHaveLength(1)
  })

  it('reads nothing ahead of its reader', async () => {
    const { subscription, stream } = setUp()
    const first = subscription.next()
    await settle()
    stream(0).send(header(10))
    for (let revision = 11; revision < 100; revision += 1) stream(0).send(events(revision, revision - 1, [1]))
    await first
    await settle()
    expect(stream(0).unread()).toBe(89)
  })

  it('notices that a message is missing, tells nothing of what follows, and asks again', async () => {
    const { subscription, stream, advance, interruptions } = setUp()
    const { items } = reading(subscription)
    await settle()
    stream(0).send(header(10))
    stream(0).send(events(12, 11, [1]))
    await advance(100)
    expect(stream(0).isCancelled()).toBe(true)
    expect(stream(1).request).toMatchObject(startAfter('10'))
    expect(items).toEqual(['progress 10'])
    expect(subscription.gaps).toBe(1)
    expect(interruptions[0]?.why).toMatch(/^A message is missing/)
  })

  it('waits longer and longer for a daemon that is away, and for one whose streams break at once', async () => {
    const { subscription, stream, streams, advance, interruptions } = setUp()
    reading(subscription)
    await settle()
    for (let index = 0; index < 8; index += 1) {
      if (index % 2 === 0) stream(index).send(header(10))
      stream(index).end(grpcError('UNAVAILABLE'))
      await advance(2_000)
    }
    expect(interruptions.map(({ delayMs }) => delayMs)).toEqual([50, 100, 200, 400, 800, 1_000, 1_000, 1_000])
    stream(8).send(header(10))
    stream(8).send(events(11, 10, [1]))
    stream(8).end(grpcError('UNAVAILABLE'))
    await advance(50)
    expect(streams).toHaveLength(10)
  })

  it('fails where going on would lose something, with the daemon’s own error', async () => {
    const { subscription, stream } = setUp()
    const { end } = reading(subscription)
    await settle()
    const metadata = { compact_revision: '40' }
    stream(0).end(grpcError('OUT_OF_RANGE', 'compacted', { reason: 'COMPACTED', metadata }))
    await settle()
    expect(end()).toMatchObject({ code: 'OUT_OF_RANGE', reason: 'COMPACTED', metadata })
    expect(await subscription.next()).toEqual({ done: true, value: undefined })
  })
})

describe('a snapshot', () => {
  it('has a beginning, parts and an end, and is followed by what comes after it', async () => {
    const { subscription, stream } = setUp({ start: 'snapshot' })
    const { items } = reading(subscription)
    await settle()
    expect(stream(0).request).toMatchObject({ start: 'snapshot', snapshot: true })
    for (const message of [header(10), events(10, 10, [1, 2], true), snapshotEnd(10), events(11, 10, [3])]) {
      stream(0).send(message)
    }
    await settle()
    expect(items).toEqual(['snapshotBegin 10', 'snapshot 10 1,2', 'snapshotEnd 10', 'revision 11 3'])
  })

  it('that is cut off is told again from its beginning', async () => {
    const { subscription, stream, advance } = setUp({ start: 'snapshot' })
    const { items } = reading(subscription)
    await settle()
    stream(0).send(header(10))
    stream(0).send(events(10, 10, [1], true))
    await settle()
    expect(subscription.cursor).toBeUndefined()
    stream(0).end(grpcError('UNAVAILABLE'))
    await advance(100)
    expect(stream(1).request).toMatchObject({ start: 'snapshot', space_id: '' })
    stream(1).send(header(12, 'space-2'))
    stream(1).send({ ...snapshotEnd(12), space_id: 'space-2' })
    await settle()
    expect(items).toEqual(['snapshotBegin 10', 'snapshot 10 1', 'snapshotBegin 12', 'snapshotEnd 12'])
    expect(subscription.cursor).toEqual({ revision: 12n, spaceId: 'space-2' })
  })

  it('that is complete is not told again', async () => {
    const { subscription, stream, advance } = setUp({ start: 'snapshot' })
    reading(subscription)
    await settle()
    stream(0).send(header(10))
    stream(0).send(snapshotEnd(10))
    stream(0).end(grpcError('UNAVAILABLE'))
    await advance(100)
    expect(stream(1).request).toMatchObject(startAfter('10'))
  })

  it.each(['COMPACTED', 'HISTORY_CHANGED', 'FUTURE_REVISION'])(
    'replaces what is lost by %s, if that is wanted',
    async (reason) => {
      const { subscription, stream, advance } = setUp({ onLost: 'snapshot' })
      const { items } = reading(subscription)
      await settle()
      stream(0).send(header(10))
      stream(0).end(grpcError('UNAVAILABLE'))
      await advance(100)
      stream(1).end(grpcError('OUT_OF_RANGE', 'lost', { reason }))
      await advance(200)
      expect(stream(2).request).toMatchObject({ start: 'snapshot', space_id: '' })
      stream(2).send(header(2, 'space-2'))
      await settle()
      expect(items).toEqual(['progress 10', 'snapshotBegin 2'])
    },
  )
})

describe('the end of a subscription', () => {
  it('comes with break, and ends the call', async () => {
    const { subscription, stream, timers } = setUp()
    const done = (async () => {
      for await (const item of subscription) if (item.kind === 'revision') break
    })()
    await settle()
    stream(0).send(header(10))
    stream(0).send(events(11, 10, [1]))
    await done
    expect(stream(0).isCancelled()).toBe(true)
    expect(timers()).toBe(0)
  })

  it('comes with an error of the reader, and ends the call', async () => {
    const { subscription, stream } = setUp()
    const done = (async () => {
      for await (const item of subscription) throw new Error(item.kind)
    })()
    const failed = expect(done).rejects.toThrow('progress')
    await settle()
    stream(0).send(header(10))
    await failed
    expect(stream(0).isCancelled()).toBe(true)
  })

  it('comes with its signal, without an error, wherever it is', async () => {
    for (const isDown of [false, true]) {
      const user = new AbortController()
      const { subscription, stream, timers } = setUp({ signal: user.signal })
      const { end } = reading(subscription)
      await settle()
      if (isDown) stream(0).end(grpcError('UNAVAILABLE'))
      await settle()
      user.abort()
      await settle()
      expect(end()).toBe('ended')
      expect(stream(0).isCancelled()).toBe(true)
      expect(timers()).toBe(0)
    }
  })

  it('comes with the client', async () => {
    const { subscription, client } = setUp()
    const { end } = reading(subscription)
    await settle()
    await client.close()
    await settle()
    expect(end()).toBe('ended')
    expect(await client.subscribe({ all: true, start: 'now' }).next()).toEqual({ done: true, value: undefined })
  })

  it('comes with return while a read waits', async () => {
    const { subscription, stream } = setUp()
    const waiting = subscription.next()
    await settle()
    await subscription.return()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(stream(0).isCancelled()).toBe(true)
  })

  it('tells nothing more of what had come already', async () => {
    const user = new AbortController()
    const { subscription, stream } = setUp({ signal: user.signal })
    const first = subscription.next()
    await settle()
    stream(0).send(header(10))
    stream(0).send(events(11, 10, [1]))
    await first
    user.abort()
    expect(await subscription.next()).toEqual({ done: true, value: undefined })
  })

  it('comes when no daemon is there in time, with the reason why', async () => {
    const { subscription, stream, advance } = setUp({ connectTimeoutMs: 1_000 })
    const { end } = reading(subscription)
    await settle()
    stream(0).end(grpcError('UNAVAILABLE', 'connect ENOENT'))
    await advance(1_000)
    expect(end()).toMatchObject({ code: 'UNAVAILABLE', message: 'connect ENOENT' })
  })

  it('does not come when a daemon that was there is away for longer', async () => {
    const { subscription, stream, advance } = setUp({ connectTimeoutMs: 1_000 })
    const { end } = reading(subscription)
    await settle()
    stream(0).send(header(10))
    await settle()
    stream(0).end(grpcError('UNAVAILABLE'))
    await advance(5_000)
    expect(end()).toBe('reading')
  })
})
