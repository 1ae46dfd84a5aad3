import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { messageCodec } from '../../proto/load.ts'
import { createRandom } from '../simulation/random.ts'
import { connect } from '../support/wire.ts'
import { createCaller } from './caller.ts'
import {
  data,
  FLAG,
  frame,
  grpcHeaders,
  grpcMessage,
  headerBlock,
  PREFACE,
  request,
  reset,
  SETTING,
  settings,
  TYPE,
} from './frames.ts'
import { type RawPeer, rawPeer, vanishAll } from './raw-peer.ts'
import { badRequest } from './requests.ts'
import type { Target } from './target.ts'
import type { World } from './world.ts'

/** Hostile peers that go on for as long as they are let: for what others notice of them. */
export interface Attacker {
  readonly name: string
  /** Resolves when the attack is under way. `stop` ends it. */
  start(target: Target, world: World, seed: number): Promise<{ stop(): Promise<void> }>
}

const MIB = 1024 * 1024
const SUBSCRIBE = '/ioasid.v1.NotificationService/Subscribe'
const GET_STATUS = '/ioasid.v1.AdminService/GetStatus'
const ALL = messageCodec('ioasid.v1.SubscribeRequest').serialize({ all: true, now: true })
const subscribe = (id: number) => Buffer.concat([request(id, SUBSCRIBE), data(id, grpcMessage(ALL), true)])
const ids = (count: number) => Array.from({ length: count }, (_, index) => 1 + 2 * index)

/** Peers that begin something, and leave it at that. */
function standing(name: string, count: number, begin: (peer: RawPeer) => void, greeting?: Buffer): Attacker {
  return {
    name,
    start: async (target) => {
      const options = greeting === undefined ? {} : { greeting }
      for (let left = count; left > 0; left -= 100) {
        const some = Array.from({ length: Math.min(100, left) }, () => rawPeer(target, options))
        for (const peer of await Promise.all(some)) begin(peer)
      }
      await sleep(300)
      return { stop: async () => vanishAll() }
    },
  }
}

/** One peer that does something again and again, and comes back when it is cut off. */
function busy(name: string, turn: (target: Target, world: World, seed: number) => () => Promise<void>): Attacker {
  return {
    name,
    start: async (target, world, seed) => {
      let isStopping = false
      const once = turn(target, world, seed)
      const going = (async () => {
        while (!isStopping) {
          await once()
          await new Promise((resolve) => setImmediate(resolve))
        }
      })()
      going.catch(() => undefined)
      return {
        stop: async () => {
          isStopping = true
          vanishAll()
          await going
        },
      }
    },
  }
}

function flooding(name: string, make: (index: number) => Buffer, perTurn = 100): Attacker {
  return busy(name, (target) => {
    let peer: RawPeer | undefined
    let index = 0
    return async () => {
      if (peer === undefined || peer.isClosed() || peer.goaway() !== undefined) {
        peer?.vanish()
        peer = await rawPeer(target)
        index = 0
      }
      await peer.flood([Buffer.concat(Array.from({ length: perTurn }, () => make(index++)))])
    }
  })
}

const half = grpcMessage(Buffer.alloc(20), 0, 100)
const bomb = grpcMessage(gzipSync(Buffer.alloc(64 * MIB)), 1)
const gzipHeaders = headerBlock([...grpcHeaders(GET_STATUS), ['grpc-encoding', 'gzip']])
const NO_WINDOW = Buffer.concat([PREFACE, settings([[SETTING.INITIAL_WINDOW_SIZE, 0]])])
const PING = frame(TYPE.PING, 0, 0, Buffer.alloc(8))

/** Takes a core as busy attackers do, and leaves the daemon alone. */
export const NEIGHBOUR = busy('a neighbour that computes', () => async () => {
  for (const endMs = performance.now() + 1; performance.now() < endMs; );
})

export const ATTACKERS: readonly Attacker[] = [
  // What the machine does by itself.
  standing('nobody', 0, () => undefined),
  standing(
    '100 subscribers that never read',
    10,
    (peer) => peer.send(Buffer.concat(ids(10).map(subscribe))),
    NO_WINDOW,
  ),
  standing('1,000 halves of requests', 10, (peer) =>
    peer.send(Buffer.concat(ids(100).map((id) => Buffer.concat([request(id, GET_STATUS), data(id, half)])))),
  ),
  standing('2,000 connections', 2000, () => undefined),
  standing('2,000 connections without a hello', 2000, () => undefined, Buffer.alloc(0)),
  busy('bad requests', (target, world, seed) => {
    const caller = createCaller(target.address)
    const random = createRandom(seed)
    return async () => void (await caller.send(badRequest(random, world)))
  }),
  busy('bombs', (target) => {
    return async () => {
      const peer = await rawPeer(target)
      peer.send(Buffer.concat([frame(TYPE.HEADERS, FLAG.END_HEADERS, 1, gzipHeaders), data(1, bomb, true)]))
      while (!peer.isClosed() && !peer.received.has(TYPE.HEADERS)) await sleep(2)
      peer.vanish()
    }
  }),
  busy('lists', ({ address }, { setHandle: set_handle }) => {
    const wire = connect(address)
    return async () =>
      void (await wire.call('ioasid.v1.IoasidService', 'ListIoasids', { set_handle, page_size: 10_000 }))
  }),
  flooding('PINGs', () => PING),
  flooding('SETTINGS', () => settings([[SETTING.INITIAL_WINDOW_SIZE, 65_535]])),
  flooding(
    'requests that are reset',
    (index) => Buffer.concat([request(1 + 2 * index, GET_STATUS), reset(1 + 2 * index)]),
    10,
  ),
]
