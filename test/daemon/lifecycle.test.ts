import { connect as connectHttp2 } from 'node:http2'
import type { ServiceError } from '@grpc/grpc-js'
import { status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { messageCodec } from '../../proto/load.ts'
import { loadConfig } from '../../server/config.ts'
import { startDaemon as startInProcess } from '../../server/daemon.ts'
import { systemChance, systemClock } from '../../server/engine/clock.ts'
import { createLog } from '../../server/log.ts'
import { createMemoryStore } from '../../server/store/memory.ts'
import { controlStore } from '../support/controlled-store.ts'
import { runDaemon, startDaemon, tempDir } from '../support/daemon.ts'
import { connect, reasonOf } from '../support/wire.ts'

const STOP_MS = 5000
const SETS = 'ioasid.v1.SetService'
const SUBSCRIBE_ALL = { all: true, now: true } as const

test('one line per listener says where it serves, and nothing else is on standard output', async () => {
  const socket = `unix://${tempDir()}/x.sock`
  const daemon = await startDaemon({ listen: ['127.0.0.1:0', socket, 'tcp://[::1]:0'], args: ['--log-level', 'debug'] })
  const { code, stdout } = await daemon.stop()
  expect(code).toBe(0)
  expect(stdout).toMatch(/^ready 127\.0\.0\.1:\d+\nready unix:\/\/\S+\/x\.sock\nready \[::1\]:\d+\n$/)
  expect(daemon.addresses[1]).toBe(socket)
})

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s ends open streams with UNAVAILABLE, and the daemon with 0',
  async (signal) => {
    const daemon = await startDaemon()
    const wire = connect(daemon.address)
    const streams = [
      wire.open('ioasid.v1.NotificationService', 'Subscribe', SUBSCRIBE_ALL),
      wire.open('grpc.health.v1.Health', 'Watch', {}),
    ]
    expect(await streams[0]?.next()).toMatchObject({ kind: 'HEADER' })
    expect(await streams[1]?.next()).toEqual({ status: 'SERVING' })
    const began = performance.now()
    daemon.signal(signal)
    expect(await streams[1]?.next()).toEqual({ status: 'NOT_SERVING' })
    for (const stream of streams) {
      expect(await stream.next()).toBeUndefined()
      const error = await stream.ended
      expect(error?.code).toBe(status.UNAVAILABLE)
      expect(error && reasonOf(error)).toBe('DRAINING')
    }
    expect(await daemon.exited).toMatchObject({ code: 0, signal: null })
    expect(performance.now() - began).toBeLessThan(STOP_MS)
    wire.close()
  },
)

test('a peer that does not read delays the end by a bounded time', async () => {
  const daemon = await startDaemon()
  const peer = connectHttp2(`http://${daemon.address}`, { settings: { initialWindowSize: 0 } })
  peer.on('error', () => undefined)
  const call = peer.request({
    ':method': 'POST',
    ':path': '/ioasid.v1.NotificationService/Subscribe',
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  call.on('error', () => undefined)
  const request = messageCodec('ioasid.v1.SubscribeRequest').serialize(SUBSCRIBE_ALL)
  call.end(Buffer.concat([Buffer.from([0, 0, 0, 0, request.length]), request]))
  await new Promise((resolve) => call.once('response', resolve))
  const began = performance.now()
  const { code, stderr } = await daemon.stop()
  expect(code).toBe(0)
  expect(performance.now() - began).toBeLessThan(STOP_MS)
  expect(stderr).toContain('cut off')
  peer.destroy()
})

test('a second signal ends it at once', async () => {
  const daemon = await startDaemon()
  const peer = connectHttp2(`http://${daemon.address}`, { settings: { initialWindowSize: 0 } })
  peer.on('error', () => undefined)
  const call = peer.request({
    ':method': 'POST',
    ':path': '/grpc.health.v1.Health/Watch',
    'content-type': 'application/grpc',
  })
  call.on('error', () => undefined)
  call.end(Buffer.alloc(5))
  await new Promise((resolve) => call.once('response', resolve))
  daemon.signal('SIGTERM')
  // It is draining when it no longer accepts.
  await expect.poll(() => daemon.output.stderr).toContain('"draining"')
  const began = performance.now()
  expect(await daemon.stop()).toMatchObject({ code: 0, signal: null })
  expect(performance.now() - began).toBeLessThan(1000)
  peer.destroy()
})

test('SIGUSR1 writes a line about how things are', async () => {
  const daemon = await startDaemon()
  daemon.signal('SIGUSR1')
  await expect.poll(() => daemon.output.stderr).toContain('"status"')
  const line = daemon.output.stderr.split('\n').find((text) => text.includes('"status"')) ?? ''
  expect(JSON.parse(line)).toMatchObject({ sets: 0, revision: 0, connections: 0, store: 'lmdb' })
  expect(daemon.output.stderr).not.toContain('Debugger listening')
  expect(await daemon.stop()).toMatchObject({ code: 0 })
})

test('a second daemon on the same data is refused, and told who has them', async () => {
  const daemon = await startDaemon()
  const { code, stdout, stderr } = await runDaemon(['--listen', '127.0.0.1:0', '--data-dir', daemon.dataDir])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr.trimEnd().split('\n').at(-1)).toContain(`${daemon.pid}`)
  await daemon.stop()
})

test('an address that is taken is refused', async () => {
  const daemon = await startDaemon({ args: ['--store', 'memory'] })
  const { code, stdout, stderr } = await runDaemon([
    '--listen',
    '127.0.0.1:0',
    '--listen',
    daemon.address,
    '--store',
    'memory',
  ])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr.trimEnd().split('\n').at(-1)).toMatch(`ioasidd: cannot listen on ${daemon.address}: `)
  await daemon.stop()
})

test('a capacity or a reserved range that the data contradict is a sentence and 2, and hurts nothing', async () => {
  const daemon = await startDaemon({ args: ['--capacity', '64', '--policy', 'lowest'] })
  const wire = connect(daemon.address)
  const { set } = await wire.call(SETS, 'CreateSet', { token: 'vm-a', quota: 40 })
  const { set_handle } = set as { set_handle: string }
  await wire.call('ioasid.v1.IoasidService', 'Allocate', { set_handle, count: 1, min: 60, max: 60 })
  wire.close()
  await daemon.stop()

  const common = ['--listen', '127.0.0.1:0', '--data-dir', daemon.dataDir]
  const wrong = [
    ['--capacity', '60'],
    ['--capacity', '64', '--reserved', '58-61'],
    ['--capacity', '64', '--reserved', '1-30'],
  ]
  for (const flags of wrong) {
    const { code, stdout, stderr } = await runDaemon([...common, ...flags])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(
      /^ioasidd: --capacity \d+ or --reserved does not fit the data in /,
    )
  }
  const again = await daemon.restart()
  expect(await again.stop()).toMatchObject({ code: 0 })
})

test('what was answered is there after kill -9, at the same address', async () => {
  const daemon = await startDaemon()
  const wire = connect(daemon.address)
  await wire.call(SETS, 'CreateSet', { token: 'vm-a', quota: 5 })
  const again = await daemon.restart()
  expect(again.addresses).toEqual(daemon.addresses)
  const after = connect(again.address)
  expect(await after.call(SETS, 'GetSet', { token: 'vm-a' })).toMatchObject({ set: { token: 'vm-a', quota: 5 } })
  wire.close()
  after.close()
  await again.stop()
})

test('a store that fails: nobody is told of success, streams end, the last word is said, and the exit code is 1', async () => {
  const loaded = loadConfig(['--listen', '127.0.0.1:0', '--store', 'memory'], {
    env: {},
    isRoot: true,
    isTerminal: false,
  })
  if (loaded.kind !== 'config') throw new Error(JSON.stringify(loaded))
  const store = controlStore(createMemoryStore({ spaceId: 'space', handleKey: new Uint8Array(32) }))
  const lines: string[] = []
  const log = createLog(loaded.config.log, { write: (line) => void lines.push(line) })
  const surroundings = { clock: systemClock, chance: systemChance, log, ready: () => undefined }
  const daemon = await startInProcess(loaded.config, surroundings, async () => store)
  if ('refusal' in daemon) throw new Error(daemon.refusal)
  const wire = connect(daemon.addresses[0] ?? '')
  const stream = wire.open('ioasid.v1.NotificationService', 'Subscribe', SUBSCRIBE_ALL)
  await stream.next()
  store.fail(new Error('the disk is gone'))
  const error = await wire.call(SETS, 'CreateSet', { token: 'vm-a', quota: 5 }).then(
    () => undefined,
    (cause: ServiceError) => cause,
  )
  expect(error?.code).toBe(status.UNAVAILABLE)
  expect(error && reasonOf(error)).toBe('STORE_FAILED')
  expect(await stream.next()).toBeUndefined()
  expect(await stream.ended).toMatchObject({ code: status.UNAVAILABLE })
  expect(await daemon.stopped).toBe(1)
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({
    level: 'fatal',
    message: expect.stringContaining('the disk is gone'),
  })
  wire.close()
})

test('text for people is one line per event, with its facts', async () => {
  const lines: string[] = []
  const log = createLog({ level: 'info', format: 'text' }, { write: (line) => void lines.push(line) })
  log.debug({}, 'not this')
  log.warn({ address: '127.0.0.1:1', reason: 'two words', sets: 3 }, 'something')
  expect(lines).toEqual([
    expect.stringMatching(/^\S+Z WARN {2}something address=127\.0\.0\.1:1 reason="two words" sets=3\n$/),
  ])
})
