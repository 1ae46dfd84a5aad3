import { createServer } from 'node:net'
import { status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { type Client, connect, type Interruption, IoasidError } from '../../client/index.ts'
import type { BatchRequest__Output } from '../../proto/gen/ioasid/v1/BatchRequest.ts'
import type { BatchResponse } from '../../proto/gen/ioasid/v1/BatchResponse.ts'
import type { BatchResult } from '../../proto/gen/ioasid/v1/BatchResult.ts'
import { type StreamCall, socketDirectory, startFake } from './grpc-daemon.ts'
import { richTrailer } from './grpc-error.ts'
import { events, header } from './messages.ts'

const cleanUps: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

function setUp() {
  const directory = socketDirectory()
  cleanUps.push(directory.remove)
  return directory
}

function client(endpoint: string | string[], deadlineMs = 5_000): Client {
  const connected = connect({ endpoint, deadlineMs, retry: { initialDelayMs: 5, maxDelayMs: 20 } })
  cleanUps.push(connected.close)
  return connected
}

async function start(...args: Parameters<typeof startFake>) {
  const fake = await startFake(...args)
  cleanUps.push(fake.stop)
  return fake
}

const version = (name: string) => ({
  getStatus: (_call: unknown, answer: (error: null, value: object) => void) =>
    answer(null, { version: name, role: 'LEADER' as const }),
})

describe('over grpc', () => {
  it('a client may be started before its daemon', async () => {
    const endpoint = setUp().endpoint('a')
    const early = client(endpoint)
    const status = early.getStatus()
    let first: Promise<unknown> = Promise.resolve()
    const interruption = await new Promise<Interruption>((onInterrupted) => {
      first = early.subscribe({ all: true, start: 'now', progress: true, onInterrupted }).next()
    })
    expect(interruption.error?.code).toBe('UNAVAILABLE')
    await start(endpoint, { ...version('1'), subscribe: (call) => call.write(header(3)) })
    expect(await first).toMatchObject({ value: { kind: 'progress', revision: 3n } })
    expect(await status).toMatchObject({ version: '1' })
  })

  it('a daemon that is not there in time is UNAVAILABLE, and says where it was looked for', async () => {
    const endpoint = setUp().endpoint('nobody')
    const error: unknown = await client(endpoint, 50)
      .getStatus()
      .catch((thrown) => thrown)
    expect(error).toBeInstanceOf(IoasidError)
    expect(error).toMatchObject({ code: 'UNAVAILABLE', reason: undefined })
    expect(String(error)).toContain('nobody')
  })

  it('a daemon that does not answer in time is DEADLINE_EXCEEDED', async () => {
    const endpoint = setUp().endpoint('a')
    await start(endpoint, { getStatus: () => {} })
    await expect(client(endpoint).getStatus({ deadlineMs: 50 })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
  })

  it('an answer that is no message is an error of its own', async () => {
    const endpoint = setUp().endpoint('a')
    await start(endpoint, { statusBytes: Buffer.from([0xff]) })
    await expect(client(endpoint).getStatus()).rejects.toMatchObject({
      code: 'INTERNAL',
      message: expect.stringContaining("The daemon's answer makes no sense"),
    })
  })

  it('the facts of a refusal arrive', async () => {
    const endpoint = setUp().endpoint('a')
    const metadata = richTrailer('PERMISSION_DENIED', 'no', { reason: 'NOT_PERMITTED', metadata: { identity: 'me' } })
    await start(endpoint, {
      getStatus: (_call, answer) => answer({ code: status.PERMISSION_DENIED, details: 'not for you', metadata }),
    })
    await expect(client(endpoint).getStatus()).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      reason: 'NOT_PERMITTED',
      message: 'not for you',
      metadata: { identity: 'me' },
    })
  })

  it('a call that is given up is ended at the daemon too', async () => {
    const endpoint = setUp().endpoint('a')
    const user = new AbortController()
    const cancelled = new Promise((resolve) => {
      void start(endpoint, {
        getStatus: (call) => {
          call.on('cancelled', resolve)
          user.abort('enough')
        },
      })
    })
    await expect(client(endpoint).getStatus({ signal: user.signal })).rejects.toMatchObject({
      code: 'CANCELLED',
      cause: 'enough',
    })
    await cancelled
  })

  it('the next endpoint is asked when one is away', async () => {
    const directory = setUp()
    await start(directory.endpoint('b'), version('b'))
    const both = client([directory.endpoint('a'), directory.endpoint('b')])
    expect(await both.getStatus()).toMatchObject({ version: 'b' })
    expect(await both.getStatus()).toMatchObject({ version: 'b' })
  })

  it('the next endpoint is asked when the first one accepts, and then is silent', async () => {
    const directory = setUp()
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(directory.endpoint('a').slice('unix://'.length), resolve))
    cleanUps.push(() => silent.close())
    await start(directory.endpoint('b'), {
      ...version('b'),
      subscribe: (call) => void call.write(header(3)),
    })
    const endpoints = [directory.endpoint('a'), directory.endpoint('b')]
    const options = { all: true, start: 'now', progress: true } as const
    const [status, item] = await Promise.all([
      client(endpoints, 20_000).getStatus(),
      client(endpoints).subscribe(options).next(),
    ])
    expect(status).toMatchObject({ version: 'b' })
    expect(item).toMatchObject({ value: { kind: 'progress', revision: 3n } })
  })

  it('the next endpoint is asked when the first one refuses what concurrent calls ask for as UNAVAILABLE', async () => {
    const directory = setUp()
    const daemon = (result: BatchResult) => ({
      batch: (call: { request: BatchRequest__Output }, answer: (error: null, value: BatchResponse) => void) =>
        answer(null, { results: call.request.items.map(() => result) }),
    })
    const draining = { failure: { code: status.UNAVAILABLE, reason: 'DRAINING', message: 'it stops', metadata: {} } }
    await start(directory.endpoint('a'), daemon(draining))
    await start(directory.endpoint('b'), daemon({ allocate: { ioasids: [7], revision: '1' } }))
    const both = client([directory.endpoint('a'), directory.endpoint('b')])
    const all = [1, 2, 3].map(() => both.allocate({ setHandle: 'handle' }))
    for (const { ioasids } of await Promise.all(all)) expect(ioasids).toEqual([7])
  })

  it('a closed client has ended what was open', async () => {
    const endpoint = setUp().endpoint('a')
    let reached = () => {}
    const isReached = new Promise<void>((resolve) => {
      reached = resolve
    })
    await start(endpoint, { getStatus: () => reached() })
    const closing = client(endpoint)
    const pending = expect(closing.getStatus()).rejects.toMatchObject({ code: 'CANCELLED' })
    await isReached
    await closing.close()
    await closing.close()
    await pending
    await expect(closing.getStatus()).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(closing[Symbol.asyncDispose]).toBeTypeOf('function')
  })
})

describe('a subscription over grpc', () => {
  it('that is left by break, return or abort ends at the daemon', async () => {
    const endpoint = setUp().endpoint('a')
    let ended = 0
    let onEnd = () => {}
    await start(endpoint, {
      subscribe: (call) => {
        call.on('cancelled', () => {
          ended += 1
          onEnd()
        })
        call.write(header(3))
      },
    })
    const endedTimes = (times: number) =>
      new Promise<void>((resolve) => {
        onEnd = () => ended === times && resolve()
        onEnd()
      })
    const subscriber = client(endpoint)
    const options = { all: true, start: 'now', progress: true } as const
    for await (const _item of subscriber.subscribe(options)) break
    await endedTimes(1)

    const returned = subscriber.subscribe(options)
    await returned.next()
    const waiting = returned.next()
    await returned.return()
    expect(await waiting).toMatchObject({ done: true })
    await endedTimes(2)

    const user = new AbortController()
    for await (const _item of subscriber.subscribe({ ...options, signal: user.signal })) user.abort()
    await endedTimes(3)
  })

  it('goes on when its daemon is replaced by another one', async () => {
    const endpoint = setUp().endpoint('a')
    const requests: unknown[] = []
    const daemon = (revision: number) => ({
      subscribe: (call: StreamCall) => {
        requests.push(call.request.start === 'now' ? 'now' : call.request.after_revision)
        call.write(header(revision))
        call.write(events(revision + 1, revision, [revision]))
      },
    })
    const first = await start(endpoint, daemon(3))
    const revisions: bigint[] = []
    for await (const item of client(endpoint).subscribe({ all: true, start: 'now' })) {
      revisions.push(item.revision)
      if (revisions.length === 2) break
      first.stop()
      await start(endpoint, daemon(4))
    }
    expect(revisions).toEqual([4n, 5n])
    expect(requests).toEqual(['now', '4'])
  })

  it('holds back a daemon that is faster than its reader', async () => {
    const endpoint = setUp().endpoint('a')
    const big = 'x'.repeat(100_000)
    let written = 0
    let stalled = () => {}
    const isStalled = new Promise<void>((resolve) => {
      stalled = resolve
    })
    await start(endpoint, {
      subscribe: (call) => {
        call.write(header(3))
        const write = (): void => {
          while (written < 1_000) {
            written += 1
            const message = events(3 + written, 2 + written, [1])
            if (!call.write({ ...message, space_id: big })) break
          }
          // Whoever is not read waits for a drain that does not come.
          const timer = setTimeout(stalled, 200)
          call.once('drain', () => {
            clearTimeout(timer)
            write()
          })
        }
        write()
      },
    })
    const subscription = client(endpoint).subscribe({ all: true, start: 'now' })
    await subscription.next()
    await isStalled
    expect(written).toBeLessThan(200)
    await subscription.return()
  })
})
