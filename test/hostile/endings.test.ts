import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { messageCodec } from '../../proto/load.ts'
import { data, FLAG, frame, grpcMessage, request, reset, TYPE, windowUpdate } from './frames.ts'
import { rawPeer } from './raw-peer.ts'
import { startTarget, type Target } from './target.ts'

let target: Target
beforeAll(async () => {
  target = await startTarget({ args: ['--connection-idle', '1s'] })
})
afterAll(() => target.stop())

const GET_STATUS = '/ioasid.v1.AdminService/GetStatus'
const SUBSCRIBE = '/ioasid.v1.NotificationService/Subscribe'
const all = messageCodec('ioasid.v1.SubscribeRequest').serialize({ all: true, now: true })

const BAD_HPACK = frame(TYPE.HEADERS, FLAG.END_HEADERS, 99, Buffer.alloc(200))
const many = (count: number, make: (id: number) => Buffer) =>
  Buffer.concat(Array.from({ length: count }, (_, index) => make(1 + 2 * index)))
const subscription = Buffer.concat([request(1, SUBSCRIBE), data(1, grpcMessage(all), true)])

/** What ends a connection: for each the daemon sends GOAWAY, or could. */
const endings: [string, Buffer][] = [
  ['a frame that is too large', frame(TYPE.HEADERS, FLAG.END_HEADERS, 1, Buffer.alloc(20_000))],
  ['headers that cannot be decoded', BAD_HPACK],
  ['headers that cannot be decoded beside an open subscription', Buffer.concat([subscription, BAD_HPACK])],
  ['DATA of a stream that was never opened', frame(TYPE.DATA, 0, 7, Buffer.alloc(1))],
  ['a stream with an even number', request(2, GET_STATUS)],
  ['a window that grows by nothing', windowUpdate(0, 0)],
  ['too many resets', many(3000, (id) => Buffer.concat([request(id, GET_STATUS), reset(id)]))],
]

/** Not for ever: a slot of --max-connections that nobody can use again. */
const CLOSED_WITHIN_MS = 10_000

describe('a connection that cannot go on is closed, and its descriptor, slot and subscriptions are free again', () => {
  it.each(endings)('after %s', async (_name, bytes) => {
    const fds = target.fds()
    const peer = await rawPeer(target)
    peer.send(bytes)
    await sleep(200)
    peer.vanish()
    await target.settled(fds, CLOSED_WITHIN_MS)
  })
})
