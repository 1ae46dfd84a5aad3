import { describe, expect, it } from 'vitest'
import { grpcError } from './grpc-error.ts'
import { settle } from './manual-clock.ts'
import { events, header, heartbeat, SPACE, snapshotEnd } from './messages.ts'
import { reading, setUp } from './subscriber.ts'

const now = { start: 'now', now: true }
const startAfter = (revision: string) => ({ start: 'after_revision', after_revision: revision })

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

  it('that holds says so whenever it asks, with the same lease and priority', async () => {
    const hold = { leaseHandle: 'key', priority: 'IOMMU' } as const
    const { subscription, stream, advance } = setUp({ hold, start: 'snapshot', onLost: 'snapshot' })
    reading(subscription)
    const held = { hold: true, lease_handle: 'key', priority: 'IOMMU' }
    await settle()
    expect(stream(0).request).toMatchObject({ ...held, start: 'snapshot' })
    stream(0).send(header(10))
    stream(0).send(snapshotEnd(10))
    stream(0).end(grpcError('UNAVAILABLE'))
    await advance(100)
    expect(stream(1).request).toMatchObject({ ...held, ...startAfter('10') })
    stream(1).end(grpcError('OUT_OF_RANGE', 'gone', { reason: 'COMPACTED' }))
    await advance(200)
    expect(stream(2).request).toMatchObject({ ...held, start: 'snapshot' })
  })

  it.each([
    ['ABORTED', 'SUPERSEDED'],
    ['NOT_FOUND', 'LEASE_NOT_FOUND'],
    ['FAILED_PRECONDITION', 'HOLD_DIFFERS'],
  ] as const)('that holds ends with %s %s, and is not resumed', async (code, reason) => {
    const { subscription, stream, streams, advance } = setUp({ hold: { leaseHandle: 'key' }, start: 'snapshot' })
    const { end } = reading(subscription)
    await settle()
    expect(stream(0).request).toMatchObject({ hold: true, lease_handle: 'key' })
    expect(stream(0).request).not.toHaveProperty('priority')
    stream(0).send(header(10))
    stream(0).end(grpcError(code, 'no', { reason }))
    await advance(60_000)
    expect(end()).toMatchObject({ code, reason })
    expect(streams).toHaveLength(1)
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
