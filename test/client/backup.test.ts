import { describe, expect, it } from 'vitest'
import { makeClient } from '../../client/client.ts'
import { fakeTransport } from './fake-transport.ts'
import { manualClock, settle } from './manual-clock.ts'

function start() {
  const fake = fakeTransport(() => ({ version: '1', role: 'LEADER' }))
  const manual = manualClock()
  return { ...fake, ...manual, client: makeClient(() => fake.transport, manual.clock, {}) }
}

/** What comes of it in the end. */
function read(pieces: AsyncIterable<Uint8Array>) {
  const found: string[] = []
  const done = (async () => {
    for await (const piece of pieces) found.push(Buffer.from(piece).toString())
    return 'whole'
  })().catch((error: unknown) => error)
  return { found, done }
}

describe('client.backup', () => {
  it('gives the pieces as they come, to the end', async () => {
    const { client, streams } = start()
    const { found, done } = read(client.backup())
    await settle()
    streams[0]?.send({ data: Buffer.from('one') })
    streams[0]?.send({ data: Buffer.from('two') })
    await settle()
    expect(found).toEqual(['one', 'two'])
    streams[0]?.end()
    expect(await done).toBe('whole')
  })

  it('ends the stream when its reader has had enough, or its signal is aborted, or the client is closed', async () => {
    for (const way of ['break', 'abort', 'close'] as const) {
      const { client, streams } = start()
      const given = new AbortController()
      const pieces = client.backup({ signal: given.signal })
      const first = pieces.next()
      await settle()
      streams[0]?.send({ data: Buffer.from('one') })
      await first
      const next = way === 'break' ? pieces.return() : pieces.next().catch((error: unknown) => error)
      await settle()
      if (way === 'abort') given.abort()
      if (way === 'close') {
        await client.close()
        streams[0]?.end(Object.assign(new Error('cancelled'), { code: 1, details: 'cancelled' }))
      }
      if (way === 'break') await next
      else expect(await next).toMatchObject({ code: 'CANCELLED' })
      if (way !== 'close') expect(streams[0]?.isCancelled()).toBe(true)
    }
  })

  it('waits for a piece no longer than the deadline, and for its own reader as long as that takes', async () => {
    const { client, streams, advance } = start()
    const pieces = client.backup({ deadlineMs: 1000 })
    const first = pieces.next()
    await settle()
    streams[0]?.send({ data: Buffer.from('one') })
    await first
    await advance(60_000)
    expect(streams[0]?.isCancelled()).toBe(false)
    const second = pieces.next().catch((error: unknown) => error)
    await advance(3000)
    expect(await second).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    expect(streams[0]?.isCancelled()).toBe(true)
  })

  it('rejects with what the daemon says', async () => {
    const { client, streams } = start()
    const { done } = read(client.backup())
    await settle()
    streams[0]?.end(Object.assign(new Error('8 RESOURCE_EXHAUSTED: two'), { code: 8, details: 'two' }))
    expect(await done).toMatchObject({ code: 'RESOURCE_EXHAUSTED', message: 'two' })
  })
})
