import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { messageCodec } from '../../../proto/load.ts'
import { loadConfig } from '../../../server/config.ts'
import { startDaemon as startInProcess } from '../../../server/daemon.ts'
import { systemChance, systemClock } from '../../../server/engine/clock.ts'
import { createMemoryStore } from '../../../server/store/memory.ts'
import type { Store } from '../../../server/store/store.ts'
import { controlStore } from '../../support/controlled-store.ts'
import { runDaemon, startDaemon, type TestDaemon } from '../../support/daemon.ts'
import { connect, type Wire } from '../../support/wire.ts'
import { keepLines } from '../lines.ts'
import { get, metricsOf } from './scrape.ts'

const HEALTH = 'grpc.health.v1.Health'
const METRICS = ['--metrics-listen', '127.0.0.1:0'] as const

let daemon: TestDaemon
let wire: Wire
let address: string
beforeAll(async () => {
  daemon = await startDaemon({ args: [...METRICS, '--tracing'] })
  wire = connect(daemon.address)
  address = await metricsOf(daemon)
})
afterAll(async () => {
  wire.close()
  await daemon.stop()
})

const calls = (service: 'Set' | 'Lease' | 'Ioasid') => (method: string, request: object) =>
  wire.call(`ioasid.v1.${service}Service`, method, request)

/** Labels that a metric may have; what they hold is a word of the protocol, of Node or of the release, or a number. */
const LABELS = [
  'check',
  'kind',
  'le',
  'major',
  'method',
  'minor',
  'node',
  'patch',
  'reason',
  'space',
  'state',
  'subscription',
  'type',
  'version',
]

test('after a story with names, handles, data and callers none of them is in the metrics, in either form', async () => {
  const { set } = (await calls('Set')('CreateSet', {
    token: 'secret-token',
    quota: 9,
    request_id: 'secret-request',
  })) as {
    set: { set_handle: string; set_id: string }
  }
  const granted = await calls('Lease')('GrantLease', { ttl_ms: 60_000, name: 'secret-lease' })
  const { lease_handle } = (granted as { lease: { lease_handle: string } }).lease
  const own = { set_handle: set.set_handle }
  await calls('Ioasid')('Allocate', { ...own, spids: [77_777], private_data: Buffer.from('secret-data') })
  await calls('Ioasid')('AttachSpid', { ...own, ioasid: 1, spid: 77_777, device: 'secret-device' })
  await calls('Ioasid')('Acquire', { ...own, ioasid: 1, lease_handle })
  const hold = { tokens: ['secret-token'], snapshot: true, hold: true, lease_handle }
  const stream = wire.open('ioasid.v1.NotificationService', 'Subscribe', hold)
  await stream.next()
  await calls('Set')('CreateSet', { token: 'secret-token' }).catch(() => undefined)
  await calls('Ioasid')('Free', { ...own, ioasids: [1] })

  for (const accept of ['*/*', 'application/openmetrics-text']) {
    const { status, body } = await get(address, '/metrics', accept)
    expect(status).toBe(200)
    for (const secret of ['secret', set.set_handle, lease_handle, '77777', '127.0.0.1', 'space-', daemon.dataDir]) {
      expect(body).not.toContain(secret)
    }
    const labels = new Set([...body.matchAll(/[{,](\w+)="/g)].map(([, label = '']) => label))
    expect([...labels].filter((label) => !LABELS.includes(label))).toEqual([])
    const own = [...body.matchAll(/^ioasidd_\w+\{(.*)\} /gm)].flatMap(([, text = '']) => text.split(','))
    expect(own.filter((label) => /^(set|lease|token|caller|identity)/.test(label))).toEqual([])
  }
  const { body } = await get(address, '/metrics')
  expect(body).toContain('ioasidd_requests_total{method="CreateSet",reason="TOKEN_IN_USE"} 1\n')
  expect(body).toContain('ioasidd_waiting_holders 1\n')
  expect(body).toContain('ioasidd_ioasids{state="free_pending"} 1\n')
  expect(body).toMatch(/^ioasidd_data_file_bytes \d{4,}$/m)
  expect(body).toMatch(/^ioasidd_connections [1-9]\d*$/m)
  // The log either: the token that is in use is in the refusal alone.
  expect(daemon.output.stderr).toContain('TOKEN_IN_USE')
  expect(daemon.output.stderr).not.toMatch(/secret|set-|lease-/)
  stream.cancel()
})

test('promtool finds nothing to complain about', async () => {
  const { body: input } = await get(address, '/metrics')
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' })
  expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' })
})

test('a call with a traceparent has its trace in the line of the log', async () => {
  const client = new Client(daemon.address, credentials.createInsecure())
  const metadata = new Metadata()
  metadata.set('traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01')
  const same = (bytes: Buffer) => bytes
  const request = messageCodec('ioasid.v1.GetSetRequest').serialize({ token: 'nobody' })
  await new Promise((resolve) => {
    client.makeUnaryRequest('/ioasid.v1.SetService/GetSet', same, same, request, metadata, resolve)
  })
  client.close()
  await expect.poll(() => daemon.output.stderr).toContain('4bf92f3577b34da6a3ce929d0e0e4736')
  const line = daemon.output.stderr.split('\n').find((text) => text.includes('4bf92f35')) ?? ''
  expect(JSON.parse(line)).toMatchObject({
    level: 'info',
    method: 'GetSet',
    reason: 'SET_NOT_FOUND',
    peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    duration_ms: expect.any(Number),
    span_id: '00f067aa0ba902b7',
    message: 'a call was refused',
  })
})

test('a flood of refused requests has a bounded number of lines in the log', async () => {
  const before = daemon.output.stderr.length
  const began = performance.now()
  const items = Array.from({ length: 1000 }, () => ({ allocate: { set_handle: 'nobody', count: 1 } }))
  for (let batch = 0; batch < 10; batch++) await calls('Ioasid')('Batch', { items })
  await expect.poll(() => daemon.output.stderr.slice(before)).toContain('more calls were refused')
  const seconds = (performance.now() - began) / 1000
  const lines = daemon.output.stderr.slice(before).trimEnd().split('\n')
  expect(lines.length).toBeLessThanOrEqual(21 * (seconds + 1))
  const { body } = await get(address, '/metrics')
  expect(body).toContain('ioasidd_requests_total{method="Allocate",reason="SET_NOT_FOUND"} 10000\n')
})

test('SIGUSR1 writes all that one wants to know in one line', async () => {
  daemon.signal('SIGUSR1')
  await expect.poll(() => daemon.output.stderr).toContain('"status"')
  const line = daemon.output.stderr.split('\n').find((text) => text.includes('"status"')) ?? ''
  expect(JSON.parse(line)).toMatchObject({
    store: 'lmdb',
    sets: 1,
    checks: expect.arrayContaining(['[+]store ok']),
    lagging: [],
    fullestSets: [{ allocated: 1 }],
    limits: { maxSubscriptions: 10_000 },
    rss: expect.any(Number),
  })
})

test('a daemon that was stopped for two seconds says NOT_SERVING when it goes on, and SERVING when it is well again', async () => {
  const stream = wire.open(HEALTH, 'Watch', {})
  expect(await stream.next()).toEqual({ status: 'SERVING' })
  daemon.signal('SIGSTOP')
  await sleep(2000)
  daemon.signal('SIGCONT')
  expect(await stream.next()).toEqual({ status: 'NOT_SERVING' })
  const { status, body } = await get(address, '/readyz')
  // A second may have passed already on a busy machine; what the stream says is the test.
  if (status === 503) expect(body).toMatch(/^\[-\]event-loop was late by \d{4} ms/m)
  expect(await stream.next()).toEqual({ status: 'SERVING' })
  expect(await get(address, '/readyz')).toEqual({ status: 200, body: 'ok\n' })
  expect(daemon.output.stderr).toContain('the event loop is late')
  stream.cancel()
})

test('a port that is taken is refused, after the store has said whether it is', async () => {
  const other = ['--listen', '127.0.0.1:0', '--metrics-listen', address]
  const taken = await runDaemon([...other, '--store', 'memory'])
  expect(taken).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('--metrics-listen cannot listen on'),
  })
  const locked = await runDaemon([...other, '--data-dir', daemon.dataDir])
  expect(locked.stderr).toContain(`${daemon.pid}`)
})

/** A daemon in this process, whose store is opened when the test says so. */
async function startWith(store: Promise<Store>) {
  const { log, lines } = keepLines()
  const loaded = loadConfig(['--listen', '127.0.0.1:0', '--store', 'memory', ...METRICS], {
    env: { HOME: '/nowhere' },
    isRoot: false,
    isTerminal: false,
  })
  if (loaded.kind !== 'config') throw new Error('the flags are wrong')
  const surroundings = { clock: systemClock, chance: systemChance, log, ready: () => undefined }
  const starting = startInProcess(loaded.config, surroundings, () => store)
  const served = () => lines.find(({ message }) => message === 'metrics are served')?.facts['address']
  await expect.poll(served).toBeDefined()
  return { starting, operator: String(served()), lines }
}

const memory = () => createMemoryStore({ spaceId: 'space', handleKey: new Uint8Array(32) })

test('it can be seen while the store is opened, and while it drains', async () => {
  let open: (store: Store) => void = () => undefined
  const { starting, operator } = await startWith(
    new Promise((resolve) => {
      open = resolve
    }),
  )
  expect((await get(operator, '/livez')).status).toBe(200)
  expect(await get(operator, '/readyz')).toMatchObject({ status: 503, body: expect.stringContaining('[-]startup ') })
  expect((await get(operator, '/metrics')).body).toContain('ioasidd_ready{check="startup"} 0\n')
  const store = controlStore(memory())
  open(store)
  const started = await starting
  if ('refusal' in started) throw new Error(started.refusal)
  expect(await get(operator, '/readyz')).toMatchObject({ status: 200 })

  // A change that is on its way to the disk is waited for.
  store.hold()
  const one = connect(started.addresses[0] ?? '')
  const changing = one.call('ioasid.v1.SetService', 'CreateSet', { token: 'vm' })
  await expect.poll(() => store.batches.length).toBeGreaterThan(0)
  started.drain()
  await expect
    .poll(() => get(operator, '/readyz'))
    .toMatchObject({ status: 503, body: expect.stringContaining('[-]drain ') })
  expect((await get(operator, '/livez')).status).toBe(200)
  store.release()
  await changing
  one.close()
  expect(await started.stopped).toBe(0)
  await expect(get(operator, '/livez')).rejects.toThrow()
})

test('a store that fails is NOT_SERVING, and no line of a refused call follows the last word', async () => {
  const store = controlStore(memory())
  const { starting, lines } = await startWith(Promise.resolve(store))
  const started = await starting
  if ('refusal' in started) throw new Error(started.refusal)
  const one = connect(started.addresses[0] ?? '')
  const watch = one.open(HEALTH, 'Watch', {})
  expect(await watch.next()).toEqual({ status: 'SERVING' })
  store.fail(new Error('the disk is gone'))
  const changing = one.call('ioasid.v1.SetService', 'CreateSet', { token: 'vm' }).catch(() => undefined)
  expect(await watch.next()).toEqual({ status: 'NOT_SERVING' })
  await changing
  expect(await started.stopped).toBe(1)
  expect(lines.at(-1)).toMatchObject({ level: 'fatal' })
  one.close()
})
