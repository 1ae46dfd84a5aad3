import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { MIB, survives } from './attack.ts'
import { data, grpcMessage, request } from './frames.ts'
import { rawPeer } from './raw-peer.ts'
import { startTarget, type Target } from './target.ts'

let target: Target
beforeAll(async () => {
  target = await startTarget({ args: ['--store', 'memory'] })
})
afterAll(() => target.stop())

const MAX_MESSAGE_BYTES = 4 * MIB
const STREAMS = 120
const GET_SET = '/ioasid.v1.SetService/GetSet'

interface Begun {
  readonly make: (id: number) => Buffer
  readonly streams?: number
}

/** So many streams of one connection; the daemon may refuse any of them. */
async function onStreams(name: string, { make, streams = STREAMS }: Begun): Promise<void> {
  await survives(target, name, async () => {
    const peer = await rawPeer(target)
    const ids = Array.from({ length: streams }, (_, index) => 1 + 2 * index)
    await peer.flood(ids.map(make))
    await Promise.race([sleep(2000), peer.closed])
    return peer.vanish
  })
}

describe('memory stays bounded, whatever one connection begins and does not finish', () => {
  it('when it writes requests without an end', async () => {
    const half = grpcMessage(Buffer.alloc(40_000), 0, MAX_MESSAGE_BYTES)
    const make = (id: number) => Buffer.concat([request(id, GET_SET), data(id, half)])
    await onStreams('halves of requests', { make })
  })

  it('when it opens 20,000 streams that never end', async () => {
    const make = (id: number) =>
      Buffer.concat([request(id, '/grpc.health.v1.Health/Watch'), data(id, grpcMessage(Buffer.alloc(0)), true)])
    await onStreams('20,000 streams', { make, streams: 20_000 })
  })
})
