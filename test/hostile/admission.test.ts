import { connect, constants, type IncomingHttpHeaders } from 'node:http2'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { messageCodec } from '../../proto/load.ts'
import { connect as connectWire } from '../support/wire.ts'
import { MIB, survives } from './attack.ts'
import { grpcMessage, request, reset } from './frames.ts'
import { rawPeer } from './raw-peer.ts'
import { startTarget, type Target } from './target.ts'
import { createWorld, type World } from './world.ts'

let target: Target
let world: World
beforeAll(async () => {
  target = await startTarget({ args: ['--store', 'memory'] })
  world = await createWorld(target, 'vm')
})
afterAll(() => target.stop())

const MAX_MESSAGE_BYTES = 4 * MIB
const GET_SET = '/ioasid.v1.SetService/GetSet'
const most = grpcMessage(Buffer.alloc(MAX_MESSAGE_BYTES - 1), 0, MAX_MESSAGE_BYTES)

interface Answer {
  readonly status: string
  readonly reason: string
}

/** One connection that sends what it is told on streams of their own. */
function peer() {
  // Node's own bound on what a session keeps is not what is looked at.
  const session = connect(`http://${target.address}`, { maxSessionMemory: 2000 })
  session.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => session.once('close', resolve))
  const begin = (bytes: Buffer, { isEnd = false, encoding = 'identity' } = {}) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': GET_SET,
      'content-type': 'application/grpc',
      'grpc-encoding': encoding,
      te: 'trailers',
    })
    stream.on('error', () => undefined)
    const taken = new Promise<void>((resolve) => stream.write(bytes, () => resolve()))
    if (isEnd) stream.end()
    const answered = new Promise<Answer | undefined>((resolve) => {
      const read = (headers: IncomingHttpHeaders) => {
        const { 'grpc-status': status, 'grpc-status-details-bin': details } = headers
        if (status === undefined) return
        const [, reason = ''] =
          /([A-Z_]{4,})/.exec(Buffer.from(String(details ?? ''), 'base64').toString('latin1')) ?? []
        resolve({ status: String(status), reason })
      }
      stream.once('response', read)
      stream.once('trailers', read)
      stream.once('close', () => resolve(undefined))
    })
    stream.resume()
    return { stream, taken, answered }
  }
  return { session, closed, begin, vanish: () => session.destroy() }
}

describe('what one connection has under way', () => {
  it('is answered with TOO_MANY at once where there is no room for it, and there is room again when some has ended', async () => {
    const one = peer()
    const begun = Array.from({ length: 7 }, () => one.begin(most))
    await Promise.all(begun.map(({ taken }) => taken))
    const refused = await one.begin(most).answered
    expect(refused).toEqual({ status: '8', reason: 'TOO_MANY' })
    // A small one still has its place.
    const getSet = grpcMessage(messageCodec('ioasid.v1.GetSetRequest').serialize({ set_handle: world.setHandle }))
    expect(await one.begin(getSet, { isEnd: true }).answered).toMatchObject({ status: '0' })
    const [first] = begun
    first?.stream.close(constants.NGHTTP2_CANCEL)
    await new Promise((resolve) => first?.stream.once('close', resolve))
    const next = one.begin(most)
    await next.taken
    next.stream.write(Buffer.alloc(1))
    next.stream.end()
    // It has wholly arrived, and is no message.
    expect(await next.answered).toEqual({ status: '3', reason: 'INVALID_FIELD' })
    one.vanish()
  })

  it('may be compressed, and counts as what it may grow to', async () => {
    const one = peer()
    const bytes = messageCodec('ioasid.v1.GetSetRequest').serialize({ set_handle: world.setHandle })
    const small = grpcMessage(gzipSync(bytes), 1)
    const many = Array.from({ length: 64 }, () => one.begin(small, { isEnd: true, encoding: 'gzip' }).answered)
    expect(await Promise.all(many)).toEqual(Array.from({ length: 64 }, () => ({ status: '0', reason: '' })))
    const bomb = grpcMessage(gzipSync(Buffer.alloc(64 * MIB)), 1)
    const bombs = Array.from({ length: 20 }, () => one.begin(bomb, { isEnd: true, encoding: 'gzip' }).answered)
    const answers = await Promise.all(bombs)
    expect(answers.filter((answer) => answer?.reason === 'TOO_MANY').length).toBeGreaterThanOrEqual(12)
    expect(answers.every((answer) => answer?.status === '8')).toBe(true)
    one.vanish()
  })

  it('is one message for each call', async () => {
    const one = peer()
    const twice = Buffer.concat([grpcMessage(Buffer.alloc(0)), grpcMessage(Buffer.alloc(0))])
    expect(await one.begin(twice).answered).toEqual({ status: '3', reason: 'INVALID_FIELD' })
    one.vanish()
  })
})

it('lists that one client asks for at the same time are all answered, four at a time', async () => {
  const wire = connectWire(target.address)
  const list = () => wire.call('ioasid.v1.IoasidService', 'ListIoasids', { set_handle: world.setHandle })
  const alone = await list()
  expect(await Promise.all(Array.from({ length: 64 }, list))).toEqual(Array.from({ length: 64 }, () => alone))
  wire.close()
})

it('of many connections that have too much under way together the largest is cut off, and nobody else', async () => {
  const good = connectWire(target.address)
  const list = () => good.call('ioasid.v1.SetService', 'ListSets', {})
  await list()
  await survives(target, 'six connections that fill their rooms', async () => {
    const peers = Array.from({ length: 6 }, peer)
    const gone = new Set<number>()
    for (const [index, { closed }] of peers.entries()) void closed.then(() => gone.add(index))
    for (const { begin, closed } of peers) {
      const parts = Array.from({ length: 7 }, () => begin(most).taken)
      await Promise.race([Promise.all(parts), closed])
    }
    expect(gone.size).toBeGreaterThanOrEqual(1)
    expect(gone.size).toBeLessThan(4)
    await list()
    return () => {
      for (const { vanish } of peers) vanish()
    }
  })
  good.close()
})

it('a connection that gives up calls as fast as it can is cut off, and those who come next wait a second', async () => {
  const peerThatResets = await rawPeer(target)
  const calls = Array.from({ length: 600 }, (_, index) => 1 + 2 * index)
  peerThatResets.send(Buffer.concat(calls.map((id) => Buffer.concat([request(id, GET_SET), reset(id)]))))
  await peerThatResets.closed
  const startMs = performance.now()
  const wire = connectWire(target.address)
  await wire.call('ioasid.v1.SetService', 'ListSets', {})
  const tookMs = performance.now() - startMs
  // From the cut on, which was a moment ago.
  expect(tookMs).toBeGreaterThan(500)
  expect(tookMs).toBeLessThan(10_000)
  wire.close()
})
