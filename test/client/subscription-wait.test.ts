import { describe, expect, it } from 'vitest'
import { failureOf } from './failure-of.ts'
import { grpcError } from './grpc-error.ts'
import { settle } from './manual-clock.ts'
import { change, events, header, heartbeat, snapshotEnd } from './messages.ts'
import { reading, setUp } from './subscriber.ts'

/** How a promise stands, after everything that waits for nothing but the event loop. */
function standing(promise: Promise<unknown>): () => string {
  let state = 'waiting'
  promise.then(
    () => {
      state = 'come'
    },
    () => {
      state = 'over'
    },
  )
  return () => state
}

describe('waitForRevision of a subscription', () => {
  it('resolves when the reader is through with the revision, not when he is given it', async () => {
    const { subscription, stream } = setUp({ progress: false })
    const first = subscription.next()
    await settle()
    const wait = standing(subscription.waitForRevision(5n))
    stream(0).send(header(3))
    stream(0).send(events(5, 3, [1]))
    expect(await first).toMatchObject({ value: { kind: 'revision', revision: 5n } })
    await settle()
    expect(subscription.cursor?.revision).toBe(5n)
    expect(wait()).toBe('waiting')
    void subscription.next()
    await settle()
    expect(wait()).toBe('come')
    await subscription.waitForRevision(4n)
  })

  it('resolves by a heartbeat where nothing matches, though progress is not asked for', async () => {
    const { subscription, stream } = setUp({ progress: false })
    reading(subscription)
    await settle()
    const wait = standing(subscription.waitForRevision(9n))
    stream(0).send(header(3))
    stream(0).send(heartbeat(8, 3))
    await settle()
    expect(wait()).toBe('waiting')
    stream(0).send(heartbeat(9, 8))
    await settle()
    expect(wait()).toBe('come')
  })

  it('does not take a part of a snapshot for its revision', async () => {
    const { subscription, stream } = setUp({ start: 'snapshot' })
    reading(subscription)
    await settle()
    const wait = standing(subscription.waitForRevision(2n))
    stream(0).send(header(3))
    stream(0).send(change(3, 3, []))
    await settle()
    expect(wait()).toBe('waiting')
    stream(0).send(snapshotEnd(3))
    await settle()
    expect(wait()).toBe('come')
  })

  it('is given up by its signal, which leaves the subscription alone', async () => {
    const { subscription, stream } = setUp()
    const { items } = reading(subscription)
    const user = new AbortController()
    const wait = subscription.waitForRevision(5n, { signal: user.signal })
    user.abort('enough')
    expect(await failureOf(wait)).toMatchObject({ code: 'CANCELLED', cause: 'enough' })
    expect(await failureOf(subscription.waitForRevision(5n, { signal: user.signal }))).toMatchObject({
      cause: 'enough',
    })
    await settle()
    stream(0).send(header(3))
    await settle()
    expect(items).toEqual(['progress 3'])
    expect(await failureOf(subscription.waitForRevision(-1n))).toMatchObject({ metadata: { field: 'revision' } })
    const noSignal = subscription.waitForRevision(1n, { signal: 5 as never })
    expect(await failureOf(noSignal)).toMatchObject({ metadata: { field: 'signal' } })
  })

  it('rejects with what the subscription ends with', async () => {
    const failed = setUp()
    reading(failed.subscription)
    await settle()
    const wait = failureOf(failed.subscription.waitForRevision(5n))
    failed.stream(0).end(grpcError('NOT_FOUND', 'gone', { reason: 'SET_NOT_FOUND' }))
    expect(await wait).toMatchObject({ reason: 'SET_NOT_FOUND' })
    expect(await failureOf(failed.subscription.waitForRevision(5n))).toMatchObject({ reason: 'SET_NOT_FOUND' })

    const left = setUp()
    const leaving = failureOf(left.subscription.waitForRevision(5n))
    await left.subscription.return()
    expect(await leaving).toMatchObject({ code: 'CANCELLED' })

    const closed = setUp()
    const { end } = reading(closed.subscription)
    const closing = failureOf(closed.subscription.waitForRevision(5n))
    await settle()
    await closed.client.close()
    expect(await closing).toMatchObject({ code: 'CANCELLED' })
    expect(end()).toBe('ended')
    const user = AbortSignal.abort()
    const never = setUp({ signal: user })
    reading(never.subscription)
    expect(await failureOf(never.subscription.waitForRevision(5n))).toMatchObject({ code: 'CANCELLED' })
  })
})

it('a subscription ends with the block that uses it', async () => {
  const { subscription, stream } = setUp()
  reading(subscription)
  await settle()
  await subscription[Symbol.asyncDispose]()
  expect(stream(0).isCancelled()).toBe(true)
  expect(await subscription.next()).toEqual({ done: true, value: undefined })
})
