import { describe, expect, it } from 'vitest'
import { grpcError } from './grpc-error.ts'
import { settle } from './manual-clock.ts'
import { events, header, snapshotEnd } from './messages.ts'
import { reading, setUp } from './subscriber.ts'

const startAfter = (revision: string) => ({ start: 'after_revision', after_revision: revision })

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
