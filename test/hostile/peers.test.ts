import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { messageCodec } from '../../proto/load.ts'
import { subscribeStopped } from '../support/stopped-reader.ts'
import { survives } from './attack.ts'
import { data, grpcMessage, PREFACE, request, SETTING, settings } from './frames.ts'
import { type RawPeer, rawPeer } from './raw-peer.ts'
import { startTarget, type Target } from './target.ts'
import { createWorld, type World } from './world.ts'

const MAX_CONNECTIONS = 400
const MAX_SUBSCRIPTIONS = 300
const SUBSCRIBE = '/ioasid.v1.NotificationService/Subscribe'
const ALL = messageCodec('ioasid.v1.SubscribeRequest').serialize({ all: true, now: true })
/** What counts as at once, on a machine that does other things too. */
const AT_ONCE_MS = 2000

let target: Target
let world: World
beforeAll(async () => {
  const limits = ['--max-connections', `${MAX_CONNECTIONS}`, '--max-subscriptions', `${MAX_SUBSCRIPTIONS}`]
  target = await startTarget({ args: ['--store', 'memory', ...limits] })
  world = await createWorld(target, 'vm')
})
afterAll(() => target.stop())

async function open(count: number, greeting?: Buffer): Promise<readonly RawPeer[]> {
  const options = greeting === undefined ? {} : { greeting }
  return await Promise.all(Array.from({ length: count }, () => rawPeer(target, options)))
}

const letGoOf = (peers: readonly RawPeer[]) => () => {
  for (const peer of peers) peer.vanish()
}

/** Changes that every subscriber is told of. */
async function churn(rounds: number): Promise<void> {
  const { setHandle: set_handle } = world
  for (let round = 0; round < rounds; round++) {
    const { ioasids } = await target.wire.call('ioasid.v1.IoasidService', 'Allocate', { set_handle, count: 5000 })
    await target.wire.call('ioasid.v1.IoasidService', 'Free', { set_handle, ioasids })
  }
}

describe('a peer that is stuck, slow or gone costs a bounded amount of memory and delays nobody', () => {
  it('when it subscribes and never reads', async () => {
    await survives(target, '250 subscribers that do not read', async () => {
      const peers = await open(10, Buffer.concat([PREFACE, settings([[SETTING.INITIAL_WINDOW_SIZE, 0]])]))
      const make = (id: number) => Buffer.concat([request(id, SUBSCRIBE), data(id, grpcMessage(ALL), true)])
      for (const peer of peers) for (let index = 0; index < 25; index++) peer.send(make(1 + 2 * index))
      await untilSubscribed(250)
      await churn(10)
      return letGoOf(peers)
    })
  })

  it('when it writes half a request, and then nothing', async () => {
    await survives(target, '300 halves of requests', async () => {
      const peers = await open(100)
      const half = grpcMessage(Buffer.alloc(20), 0, 100)
      for (const peer of peers) {
        for (const id of [1, 3, 5]) {
          peer.send(Buffer.concat([request(id, '/ioasid.v1.SetService/CreateSet'), data(id, half)]))
        }
      }
      await churn(2)
      return letGoOf(peers)
    })
  })

  it('when it connects and says nothing, or half of hello', async () => {
    await survives(target, '300 half-open connections', async () => {
      const silent = await open(150, Buffer.alloc(0))
      const half = await open(150, PREFACE.subarray(0, 10))
      await churn(2)
      return letGoOf([...silent, ...half])
    })
  })

  it('when its process is stopped, and killed in the end', async () => {
    await survives(target, 'a stopped process', async () => {
      const child = spawn(process.execPath, ['-e', SUBSCRIBER, target.address, ALL.toString('hex')], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await once(child.stdout, 'data')
      child.kill('SIGSTOP')
      await churn(10)
      return () => child.kill('SIGKILL')
    })
  })

  it('when it opens and closes connections as fast as it can', async () => {
    await survives(target, '2,000 connections one after the other', async () => {
      for (let round = 0; round < 40; round++) letGoOf(await open(50))()
      return () => undefined
    })
  })
})

/** Subscribes, says so, and reads no more. */
const SUBSCRIBER = `
const [address, hex] = process.argv.slice(1)
const session = require('node:http2').connect('http://' + address)
const stream = session.request({ ':method': 'POST', ':path': '${SUBSCRIBE}', 'content-type': 'application/grpc', te: 'trailers' })
const message = Buffer.from(hex, 'hex')
stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]))
stream.on('response', () => console.log('subscribed'))
`

async function until(is: () => boolean): Promise<void> {
  for (let round = 0; !is() && round < 500; round++) await sleep(10)
  expect(is()).toBe(true)
}

async function untilSubscribed(count: number): Promise<void> {
  for (let round = 0; Number((await target.status())['subscriptions']) < count && round < 500; round++) await sleep(10)
  expect(await target.status()).toMatchObject({ subscriptions: count })
}

describe('a limit', () => {
  it('of connections refuses the next one at once, serves those that are there, and gives a slot back', async () => {
    await survives(target, `${MAX_CONNECTIONS} connections`, async () => {
      const first = await open(MAX_CONNECTIONS)
      await until(() => first.every((peer) => peer.isClosed() || peer.received.size > 0))
      // Those who ask how it is going have a few of the slots.
      const held = first.filter((peer) => !peer.isClosed())
      expect(held.length).toBeGreaterThanOrEqual(MAX_CONNECTIONS - 10)
      const startMs = performance.now()
      const refused = await open(50)
      await Promise.all(refused.map(({ closed }) => closed))
      expect(performance.now() - startMs).toBeLessThan(AT_ONCE_MS)
      expect(held.every((peer) => !peer.isClosed())).toBe(true)
      const fds = target.fds()
      letGoOf(held.slice(0, 10))()
      await target.settled(fds - 10)
      const next = await open(5)
      await until(() => next.every((peer) => !peer.isClosed() && peer.received.size > 0))
      return letGoOf([...held, ...next])
    })
  })

  it('of subscriptions answers each beyond it at once with TOO_MANY, on one connection or many', async () => {
    await survives(target, '1,200 streams on one connection', async () => {
      const session = connect(`http://${target.address}`)
      session.on('error', () => undefined)
      const startMs = performance.now()
      const answers = await Promise.all(Array.from({ length: 1200 }, () => subscribed(session.request(HEADERS))))
      const tookMs = performance.now() - startMs
      expect(answers.filter((answer) => answer === undefined)).toHaveLength(MAX_SUBSCRIPTIONS)
      expect(answers.filter((answer) => answer === '8 TOO_MANY')).toHaveLength(1200 - MAX_SUBSCRIPTIONS)
      expect(tookMs).toBeLessThan(AT_ONCE_MS + 3000)
      return () => session.destroy()
    })
  })

  it('leaves room when a subscriber ends, and counts no ended one', async () => {
    for (let round = 0; round < 3; round++) {
      const readers = Array.from({ length: 100 }, () => subscribeStopped(target.address, { all: true, now: true }))
      await Promise.all(readers.map(({ begun }) => begun))
      await untilSubscribed(100)
      for (const reader of readers) reader.cancel()
      await untilSubscribed(0)
    }
  })
})

const HEADERS = { ':method': 'POST', ':path': SUBSCRIBE, 'content-type': 'application/grpc', te: 'trailers' }

/** What it was refused with; undefined: it was told the beginning. */
function subscribed(stream: ClientHttp2Stream): Promise<string | undefined> {
  return new Promise((resolve) => {
    stream.on('error', () => undefined)
    stream.once('response', ({ 'grpc-status': code, 'grpc-status-details-bin': details }: IncomingHttpHeaders) => {
      const isTooMany = Buffer.from(String(details), 'base64').includes('TOO_MANY')
      resolve(code === undefined ? undefined : `${code} ${isTooMany ? 'TOO_MANY' : ''}`)
    })
    stream.resume()
    stream.end(grpcMessage(ALL))
  })
}
