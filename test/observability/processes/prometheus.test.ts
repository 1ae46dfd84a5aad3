import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect as connectSdk } from '../../../client/index.ts'
import { DATA_FILE } from '../../../server/store/data-dir.ts'
import { startDaemon, type TestDaemon, tempDir } from '../../support/daemon.ts'
import { type StoppedReader, subscribeStopped } from '../../support/stopped-reader.ts'
import { connect, type Wire } from '../../support/wire.ts'
import { type Prometheus, startPrometheus } from './prometheus.ts'
import { metricsOf } from './scrape.ts'

/** Prometheus itself scrapes real daemons, one that is well but busy and one whose disk fails, and the shipped alerts fire. */

const METRICS = ['--metrics-listen', '127.0.0.1:0'] as const
/** Alerts come within a few scrapes; a machine that does much else may take its time. */
const SOON = { timeout: 30_000, interval: 250 }
/** Revisions that one Batch makes: more than a reader's queue of --max-queued in a few of them. */
const ITEMS = 1000
const IOASIDS = 'ioasid.v1.IoasidService'

let busy: TestDaemon
let failing: TestDaemon
let wire: Wire
let prometheus: Prometheus
let reader: StoppedReader | undefined
const hosts = { busy: '', failing: '' }
let setHandle = ''

beforeAll(async () => {
  const dataDir = join(tempDir(), 'data')
  // Each sync of the data file fails from the moment the daemon has begun to serve, and not of any other file.
  const inject = ['-e', 'trace=fdatasync,pwrite64', '-e', 'inject=fdatasync,pwrite64:error=EIO:when=60+']
  const strace = ['strace', '-f', '-qq', '-o', '/dev/null', '-P', join(dataDir, DATA_FILE), ...inject]
  busy = await startDaemon({ args: [...METRICS, '--capacity', '1000', '--teardown-timeout', '200ms'] })
  failing = await startDaemon({ args: METRICS, dataDir, wrapper: strace })
  hosts.busy = await metricsOf(busy)
  hosts.failing = await metricsOf(failing)
  wire = connect(busy.address)
  prometheus = await startPrometheus(tempDir(), Object.values(hosts))
  await prometheus.scraped()
})
afterAll(async () => {
  reader?.cancel()
  wire.close()
  await prometheus.kill()
})

const fires = (alert: string, host: string) => expect.poll(prometheus.firing, SOON).toContain(`${alert} ${host}`)

/** Those that tell of the machine on which the test runs are let be. */
const firing = async () =>
  (await prometheus.firing()).filter((name) => !/StoreSlow|DiskNearlyFull|EventLoop/.test(name))

test('while all is well no alert fires', async () => {
  // Before the first scrape no daemon is known, which is told at once here: the test waits for nothing.
  await expect.poll(firing, SOON).toEqual([])
})

test('space nearly exhausted: a quota that leaves less than a tenth', async () => {
  const created = await wire.call('ioasid.v1.SetService', 'CreateSet', { token: 'vm', quota: 950 })
  setHandle = (created as { set: { set_handle: string } }).set.set_handle
  await fires('IoasiddSpaceNearlyExhausted', hosts.busy)
})

test('holder overdue: one that was told of a teardown and does not acknowledge it', async () => {
  const granted = await wire.call('ioasid.v1.LeaseService', 'GrantLease', { ttl_ms: 600_000, name: 'stuck' })
  const { lease_handle } = (granted as { lease: { lease_handle: string } }).lease
  const hold = { tokens: ['vm'], snapshot: true, hold: true, lease_handle }
  const stream = wire.open('ioasid.v1.NotificationService', 'Subscribe', hold)
  await stream.next()
  const allocated = await wire.call(IOASIDS, 'Allocate', { set_handle: setHandle, spids: [1] })
  await wire.call(IOASIDS, 'Free', { set_handle: setHandle, ioasids: (allocated as { ioasids: number[] }).ioasids })
  await fires('IoasiddHolderOverdue', hosts.busy)
  stream.cancel()
})

test('subscriber lagging: one that does not read', async () => {
  reader = subscribeStopped(busy.address, { all: true, now: true })
  await reader.begun
  const items = Array.from({ length: ITEMS / 2 }, (_, at) => [
    { allocate: { set_handle: setHandle, min: 900 - at, max: 900 - at } },
    { free: { set_handle: setHandle, ioasids: [900 - at] } },
  ]).flat()
  for (let batch = 0; batch < 12; batch++) await wire.call(IOASIDS, 'Batch', { items })
  await fires('IoasiddSubscriberLagging', hosts.busy)
})

test('store failing: a daemon whose disk fails, and which is gone then', async () => {
  const client = connectSdk({ endpoint: failing.address, deadlineMs: 5000, retry: { maxAttempts: 1 } })
  const { set } = await client.createSet({ token: 'vm', quota: 10_000 })
  let refusal: unknown
  for (let asked = 0; asked < 10_000 && refusal === undefined; asked++) {
    refusal = await client.allocate({ setHandle: set.setHandle }).then(
      () => undefined,
      (cause: unknown) => cause,
    )
  }
  expect(refusal).toBeDefined()
  await failing.exited
  await fires('IoasiddStoreFailing', hosts.failing)
  await client.close()
})

test('no other alert fires than those, on no other host', async () => {
  const expected = [
    `IoasiddDown ${hosts.failing}`,
    `IoasiddStoreFailing ${hosts.failing}`,
    ...['IoasiddHolderOverdue', 'IoasiddSpaceNearlyExhausted', 'IoasiddSubscriberLagging'].map(
      (name) => `${name} ${hosts.busy}`,
    ),
  ].sort()
  await expect.poll(firing, SOON).toEqual(expected)
})
