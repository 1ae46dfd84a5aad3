import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type SurviveOptions, survives } from './attack.ts'
import {
  data,
  frame,
  grpcHeaders,
  grpcMessage,
  headerBlock,
  request,
  reset,
  SETTING,
  settings,
  TYPE,
  windowUpdate,
} from './frames.ts'
import { type RawPeer, rawPeer } from './raw-peer.ts'
import { startTarget, type Target } from './target.ts'

let target: Target
beforeAll(async () => {
  target = await startTarget()
})
afterAll(() => target.stop())

const GET_STATUS = '/ioasid.v1.AdminService/GetStatus'
const PING = frame(TYPE.PING, 0, 0, Buffer.alloc(8, 1))
const SETTINGS = settings([[SETTING.INITIAL_WINDOW_SIZE, 65_535]])
/** A deaf peer that is not cut off finds that the daemon reads no more of it: that is a bound too. */
const STUCK_MS = 1500

interface Flood extends SurviveOptions {
  readonly count: number
  /** In how many at once they are sent. Default: 1,000. */
  readonly perChunk?: number
  /** Whether it reads between two chunks. */
  readonly isPaced?: boolean
  /** Whether it never reads what comes back. */
  readonly isDeaf?: boolean
  readonly make: (index: number) => Buffer
}

function* frames({ count, perChunk = 1000, make }: Flood): Generator<Buffer> {
  for (let at = 0; at < count; at += perChunk) {
    const length = Math.min(perChunk, count - at)
    yield Buffer.concat(Array.from({ length }, (_, index) => make(at + index)))
  }
}

/** One peer sends all that; it may be cut off, and everything else goes on. */
async function flood(name: string, options: Flood): Promise<void> {
  const attack = async () => {
    const peer = await rawPeer(target, { isDeaf: options.isDeaf ?? false })
    const ending = await Promise.race([peer.flood(frames(options), options.isPaced), sleep(STUCK_MS, 'not read')])
    const how = ending === true ? 'all was read' : ending === false ? 'cut off' : 'read no further'
    console.log(`${name}: ${how}, GOAWAY ${peer.goaway()}, ${total(peer)} frames back`)
    return peer.vanish
  }
  await survives(target, name, attack, options)
}

function total({ received }: RawPeer): number {
  return [...received.values()].reduce((sum, count) => sum + count, 0)
}

/** nghttp2 gives these connections up; whether they are closed is a rule of its own, in endings.test.ts. */
const isLetGo = false

const whole = (index: number) => {
  const id = 1 + 2 * index
  return Buffer.concat([request(id, GET_STATUS), data(id, grpcMessage(Buffer.alloc(0)), true), reset(id)])
}

const floods: [string, Flood][] = [
  ['PINGs at once', { count: 100_000, make: () => PING }],
  ['PINGs whose answers it reads', { count: 50_000, perChunk: 50, isPaced: true, make: () => PING }],
  ['PINGs whose answers it does not read', { count: 300_000, isDeaf: true, perChunk: 100, make: () => PING }],
  ['SETTINGS', { count: 50_000, make: () => SETTINGS }],
  ['SETTINGS whose answers it does not read', { count: 100_000, isDeaf: true, perChunk: 100, make: () => SETTINGS }],
  [
    'requests that it resets at once',
    { isLetGo, count: 20_000, make: (at) => Buffer.concat([request(1 + 2 * at, GET_STATUS), reset(1 + 2 * at)]) },
  ],
  ['whole requests that it resets at once', { isLetGo, count: 10_000, make: whole }],
  [
    'whole requests that it resets a few at a time',
    { isLetGo, count: 10_000, perChunk: 10, isPaced: true, make: whole },
  ],
  ['empty DATA', { count: 50_000, make: (at) => (at === 0 ? request(1, GET_STATUS) : frame(TYPE.DATA, 0, 1)) }],
  ['PRIORITY', { count: 50_000, make: () => frame(TYPE.PRIORITY, 0, 1, Buffer.from([0, 0, 0, 3, 1])) }],
  ['frames of a type that does not exist', { count: 50_000, make: () => frame(0xfa, 0xff, 0, Buffer.alloc(20)) }],
  [
    'headers that never end',
    {
      count: 5000,
      make: (at) =>
        at === 0
          ? frame(TYPE.HEADERS, 0, 1, headerBlock(grpcHeaders(GET_STATUS)))
          : frame(TYPE.CONTINUATION, 0, 1, headerBlock([['x-more', 'x'.repeat(8000)]])),
    },
  ],
  ['windows that overflow', { count: 2, make: () => windowUpdate(0, 2 ** 31 - 1) }],
]

describe('a peer that floods its connection takes neither the memory nor the turn of others', () => {
  it.each(floods)('with %s', flood)

  it('with bytes that are no HTTP/2', async () => {
    const texts = ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', '\u0016\u0003\u0001\u0002\u0000', '\u0000'.repeat(100_000)]
    await survives(target, 'no HTTP/2', async () => {
      for (const text of texts) {
        const peer = await rawPeer(target, { greeting: Buffer.from(text, 'latin1') })
        await peer.closed
        expect(peer.isClosed()).toBe(true)
      }
      return () => undefined
    })
  })
})
