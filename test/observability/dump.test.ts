import { expect, it } from 'vitest'
import { dump } from '../../server/observability/dump.ts'
import { controlStore } from '../support/controlled-store.ts'
import { command, createSet, grantLease, makeRevisions, memoryStore, must, subscribe } from '../support/engine.ts'
import { hold, startHolders } from '../support/holders.ts'
import { settle } from '../support/manual-clock.ts'
import { keepLines } from './lines.ts'

const limits = { teardownTimeoutMs: 5000, maxSubscriptions: 9, maxConnections: 9, maxEventLoopDelayMs: 9 }
const checks = [{ name: 'store', problem: () => undefined }]

async function start() {
  const store = controlStore(memoryStore())
  const held = await startHolders({ store })
  const { log, lines } = keepLines()
  const { engine, clock } = held
  const sources = { engine, connections: { count: 3, refused: 0 }, inFlightBytes: () => 7, disk: undefined }
  return { ...held, store, lines, write: () => dump({ sources, checks, limits, loopDelayMs: 2, clock, log }) }
}

it('a dump says in one line of bounded size how things are: counts, limits, who lags, for whom ids wait, which sets are full', async () => {
  const { engine, vm, cpu, bind, free, lines, write } = await start()
  await hold(engine, cpu, 'CPU')
  const torn = await free(await bind(1))
  for (let set = 0; set < 200; set++) {
    await createSet(engine, `secret-token-${set}`)
    await subscribe(engine)
  }
  await makeRevisions(engine, vm, 1)
  await write()
  const [status] = lines.filter(({ level }) => level === 'info')
  expect(status).toMatchObject({
    message: 'status',
    facts: {
      sets: 201,
      freePending: 1,
      subscriptions: 201,
      connections: 3,
      inFlightBytes: 7,
      limits,
      rss: expect.any(Number),
    },
  })
  expect(status?.facts['waiting']).toEqual([{ priority: 'CPU', ids: 1, revision: torn }])
  expect(status?.facts['fullestSets']).toHaveLength(20)
  expect(status?.facts['lagging']).toHaveLength(20)
  const text = JSON.stringify(status)
  expect(text.length).toBeLessThan(10_000)
  expect(text).not.toMatch(/secret|leaseId|set-|lease-/)
  // Their numbers are for who asks for debug.
  expect(lines.find(({ level }) => level === 'debug')?.facts['holders']).toMatchObject([{ leaseId: cpu }])
})

it('a dump is written though the disk is stuck, of what can be seen without it', async () => {
  const { engine, clock, store, lines, write } = await start()
  must(await engine.status())
  store.hold()
  const waiting = grantLease(engine, 60_000)
  await settle()
  const written = write()
  await settle()
  clock.advance(1000)
  await written
  expect(lines).toMatchObject([{ message: 'status', facts: { writingMs: 1000, connections: 3, hasFailed: false } }])
  expect(lines[0]?.facts).not.toHaveProperty('leases')
  store.release()
  await waiting
  await engine.submit(command.createSet('x'), undefined)
})
