import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createLoopDelay } from '../../server/observability/host-families.ts'
import { createMetrics } from '../../server/observability/metrics.ts'
import { createRecorder } from '../../server/observability/recorder.ts'
import { controlStore } from '../support/controlled-store.ts'
import { command, createSet, makeRevisions, memoryStore, run, subscribe } from '../support/engine.ts'
import { settle } from '../support/manual-clock.ts'
import { repositoryRoot } from '../support/repository.ts'
import { everyFamily } from './every-family.ts'
import { keepLines } from './lines.ts'

const page = readFileSync(join(repositoryRoot, 'server/observability/README.md'), 'utf8')

it('the page lists every metric with its type and what it is', async () => {
  const told = [...page.matchAll(/^\| `(ioasidd_\w+)` \| (\w+) \| (.+) \|$/gm)].map(([, ...cells]) => cells)
  const made = (await everyFamily()).map(({ name, type, help }) => [name, type, help])
  expect(told).toEqual(made)
})

it('names are as Prometheus has them: a unit at the end, _total on counters and on nothing else', async () => {
  for (const { name, type, help } of await everyFamily()) {
    expect(name).toMatch(/^ioasidd_[a-z0-9_]+$/)
    expect(name.endsWith('_total')).toBe(type === 'counter')
    expect(name).not.toMatch(/_(ms|milliseconds|kib|mib|percent)\b/)
    expect(help).not.toMatch(/\.$/)
  }
})

/** Metrics of an engine on a store in the test's hand. */
async function start() {
  const store = controlStore(memoryStore())
  const running = await run({ store })
  const { engine, clock } = running
  const sources = { engine, connections: { count: 2, refused: 1 }, inFlightBytes: () => 5, disk: undefined }
  let isServing = false
  const metrics = createMetrics({
    recorder: createRecorder(),
    sources: () => (isServing ? sources : undefined),
    checks: [{ name: 'startup', problem: () => (isServing ? undefined : 'starts') }],
    limits: { teardownTimeoutMs: 5000, maxSubscriptions: 1, maxConnections: 1, maxEventLoopDelayMs: 1 },
    loopDelay: createLoopDelay(),
    version: '1.2.3',
    clock,
    log: keepLines().log,
  })
  const values = async () => {
    const families = await metrics.families()
    return new Map(families.map(({ name, values: [first] }) => [name, first?.value]))
  }
  const serving = () => {
    isServing = true
  }
  return { ...running, store, metrics, values, serving }
}

it('while the daemon starts there is nothing of the space, and that it is not ready', async () => {
  const { values, serving } = await start()
  expect((await values()).get('ioasidd_ready')).toBe(0)
  expect((await values()).has('ioasidd_sets')).toBe(false)
  serving()
  expect(await values()).toEqual(expect.objectContaining({}))
  expect((await values()).get('ioasidd_ready')).toBe(1)
  expect((await values()).get('ioasidd_sets')).toBe(0)
})

it('ids are in one state each, and the states are the capacity', async () => {
  const { engine, metrics, serving } = await start()
  serving()
  const vm = await createSet(engine, 'vm', 10)
  await engine.submit(command.allocate(vm, 4), undefined)
  const ids = (await metrics.families()).find(({ name }) => name === 'ioasidd_ioasids')
  const of = Object.fromEntries(ids?.values.map(({ labels: { state }, value }) => [state, value]) ?? [])
  expect(of).toEqual({ free: 1019, resting: 0, allocated: 4, free_pending: 0, reserved: 1 })
})

it('a disk that is stuck keeps nobody from seeing so, and nothing is told that is not on it', async () => {
  const { engine, clock, store, values, serving } = await start()
  serving()
  await createSet(engine, 'a')
  await values()
  store.hold()
  const waiting = engine.submit(command.createSet('b'), undefined)
  await settle()
  clock.advance(12_000)
  const scraped = values()
  await settle()
  clock.advance(1000)
  const found = await scraped
  expect(found.get('ioasidd_sets')).toBe(1)
  expect(found.get('ioasidd_revision')).toBe(1)
  expect(found.get('ioasidd_commit_wait_seconds')).toBe(13)
  expect(found.get('ioasidd_undurable_bytes')).toBeGreaterThan(0)
  store.release()
  await waiting
  expect((await values()).get('ioasidd_sets')).toBe(2)
  expect((await values()).get('ioasidd_commit_wait_seconds')).toBe(0)
})

it('a store that has failed is told by a metric, beside what was last known', async () => {
  const { engine, store, values, serving } = await start()
  serving()
  await createSet(engine, 'a')
  expect((await values()).get('ioasidd_store_up')).toBe(1)
  store.fail(new Error('the disk is gone'))
  await engine.submit(command.createSet('b'), undefined)
  const found = await values()
  expect(found.get('ioasidd_store_up')).toBe(0)
  expect(found.get('ioasidd_sets')).toBe(1)
})

it('of many subscribers that lag the twenty that lag most have a metric of their own, by number', async () => {
  const { engine, metrics, serving } = await start()
  serving()
  const vm = await createSet(engine, 'vm')
  for (let reader = 0; reader < 30; reader++) {
    await subscribe(engine)
    await makeRevisions(engine, vm, 1)
  }
  const families = await metrics.families()
  const of = (name: string) => families.find((family) => family.name === name)?.values ?? []
  const shown = of('ioasidd_subscription_lag_revisions')
  expect(shown.map(({ labels }) => labels)).toEqual(Array.from({ length: 20 }, (_, at) => ({ subscription: at + 1 })))
  expect(shown[0]?.value).toBe(30)
  expect(of('ioasidd_subscription_lag_max_revisions')[0]?.value).toBe(30)
  expect(of('ioasidd_subscription_lag_sum_revisions')[0]?.value).toBe(465)
})
