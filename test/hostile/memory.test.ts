import { connect } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { messageCodec } from '../../proto/load.ts'
import { MIB, survives } from './attack.ts'
import {
  data,
  FLAG,
  frame,
  grpcHeaders,
  grpcMessage,
  headerBlock,
  PREFACE,
  request,
  SETTING,
  settings,
  TYPE,
} from './frames.ts'
import { rawPeer } from './raw-peer.ts'
import { startTarget, type Target } from './target.ts'
import { createWorld, type World } from './world.ts'

let target: Target
let world: World
beforeAll(async () => {
  target = await startTarget({ args: ['--store', 'memory'] })
  world = await createWorld(target, 'vm')
  // A page of the list takes its 3 MiB.
  const large = { set_handle: world.setHandle, count: 100, private_data: Buffer.alloc(4096, 1) }
  for (let round = 0; round < 8; round++) await target.wire.call('ioasid.v1.IoasidService', 'Allocate', large)
})
afterAll(() => target.stop())

const MAX_MESSAGE_BYTES = 4 * MIB
const STREAMS = 120
const GET_SET = '/ioasid.v1.SetService/GetSet'
const NO_WINDOW = Buffer.concat([PREFACE, settings([[SETTING.INITIAL_WINDOW_SIZE, 0]])])

interface Begun {
  readonly make: (id: number) => Buffer
  readonly streams?: number
  readonly greeting?: Buffer
  /** How long the daemon has to take it all in. */
  readonly waitMs?: number
}

/** So many streams of one connection; the daemon may refuse any of them. */
async function onStreams(name: string, { make, streams = STREAMS, greeting, waitMs = 2000 }: Begun): Promise<void> {
  await survives(target, name, async () => {
    const peer = await rawPeer(target, greeting === undefined ? {} : { greeting })
    const ids = Array.from({ length: streams }, (_, index) => 1 + 2 * index)
    await peer.flood(ids.map(make))
    await Promise.race([sleep(waitMs), peer.closed])
    return peer.vanish
  })
}

describe('memory stays bounded, whatever one connection begins and does not finish', () => {
  it('when it does not read the answers to what it asks', async () => {
    const list = messageCodec('ioasid.v1.ListIoasidsRequest').serialize({
      set_handle: world.setHandle,
      page_size: 10_000,
    })
    const make = (id: number) =>
      Buffer.concat([request(id, '/ioasid.v1.IoasidService/ListIoasids'), data(id, grpcMessage(list), true)])
    await onStreams('unread answers of 3 MiB', { make, greeting: NO_WINDOW, waitMs: 4000 })
  })

  it('when it sends messages that are small until they are decompressed, and does not end its requests', async () => {
    const token = Buffer.concat([Buffer.from([0x0a, 0xfb, 0xff, 0xff, 0x01]), Buffer.alloc(MAX_MESSAGE_BYTES - 5)])
    const bomb = gzipSync(token)
    const headers = headerBlock([...grpcHeaders(GET_SET), ['grpc-encoding', 'gzip']])
    const make = (id: number) =>
      Buffer.concat([frame(TYPE.HEADERS, FLAG.END_HEADERS, id, headers), data(id, grpcMessage(bomb, 1))])
    await onStreams(`bombs of ${bomb.length} bytes`, { make, waitMs: 4000 })
  })

  it('when it sends bombs that grow beyond what a message may be', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * MIB))
    const headers = headerBlock([...grpcHeaders(GET_SET), ['grpc-encoding', 'gzip']])
    const make = (id: number) =>
      Buffer.concat([frame(TYPE.HEADERS, FLAG.END_HEADERS, id, headers), data(id, grpcMessage(bomb, 1), true)])
    await onStreams(`bombs of ${bomb.length} bytes`, { make })
  })

  it('when it writes requests without an end', async () => {
    const half = grpcMessage(Buffer.alloc(40_000), 0, MAX_MESSAGE_BYTES)
    const make = (id: number) => Buffer.concat([request(id, GET_SET), data(id, half)])
    await onStreams('halves of requests', { make })
  })

  it('when it sends all of its requests but the last byte', async () => {
    const head = { ':method': 'POST', ':path': GET_SET, 'content-type': 'application/grpc', te: 'trailers' }
    const most = grpcMessage(Buffer.alloc(MAX_MESSAGE_BYTES - 1), 0, MAX_MESSAGE_BYTES)
    await survives(target, 'requests without their last byte', async () => {
      const session = connect(`http://${target.address}`, { maxSessionMemory: 2000 })
      session.on('error', () => undefined)
      const taken = Array.from({ length: STREAMS }, () => {
        const stream = session.request(head)
        stream.on('error', () => undefined)
        return new Promise((resolve) => stream.write(most, resolve))
      })
      await Promise.race([sleep(6000), Promise.all(taken)])
      return () => session.destroy()
    })
  })

  it('when it opens 20,000 streams that never end', async () => {
    const make = (id: number) =>
      Buffer.concat([request(id, '/grpc.health.v1.Health/Watch'), data(id, grpcMessage(Buffer.alloc(0)), true)])
    await onStreams('20,000 streams', { make, streams: 20_000 })
  })
})
