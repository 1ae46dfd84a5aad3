import { expect, it } from 'vitest'
import { fullestSets, waitingHolders } from '../../server/core/query.ts'
import { allocate, command, createSet, makeRevisions, must, request, subscribe } from '../support/engine.ts'
import { hold, startHolders } from '../support/holders.ts'
import { settle } from '../support/manual-clock.ts'

/** Serving time passes only while somebody looks. */
async function serve(clock: { advance(ms: number): void }, seconds: number) {
  for (let second = 0; second < seconds; second++) {
    clock.advance(1000)
    await settle(1)
  }
}

it('the age of the oldest awaited teardown runs from its commit, in serving time', async () => {
  const { engine, clock, cpu, device, bind, detach, free, acknowledge } = await startHolders()
  await hold(engine, cpu, 'CPU')
  await hold(engine, device, 'DEVICE')
  expect(must(await engine.figures())).toMatchObject({ waitingHolders: 0, oldestTeardownMs: 0 })

  const first = await bind(1)
  const second = await bind(2)
  const torn = await detach(first)
  await serve(clock, 3)
  expect(must(await engine.figures())).toMatchObject({ waitingHolders: 2, oldestTeardownMs: 3000 })

  // Of two the older one counts, until every holder has acknowledged it.
  const later = await free(second)
  await serve(clock, 2)
  await acknowledge(cpu, torn)
  expect(must(await engine.figures())).toMatchObject({ waitingHolders: 2, oldestTeardownMs: 5000 })
  await acknowledge(device, torn)
  expect(must(await engine.figures())).toMatchObject({ waitingHolders: 2, oldestTeardownMs: 2000, freePending: 1 })

  await acknowledge(cpu, later)
  const holders = must(await engine.read((state) => ({ list: waitingHolders(state, 5) }))).list
  expect(holders).toEqual([{ leaseId: device, priority: 'DEVICE', ids: 1, revision: later }])
  await acknowledge(device, later)
  expect(must(await engine.figures())).toMatchObject({ waitingHolders: 0, oldestTeardownMs: 0 })
})

it('where the log of a teardown was compacted its age is at least that of the oldest that is kept', async () => {
  const { engine, clock, cpu, bind, detach, vm } = await startHolders()
  await hold(engine, cpu, 'CPU')
  const torn = await detach(await bind(1))
  await serve(clock, 4)
  await makeRevisions(engine, vm, 2)
  await serve(clock, 3)
  must(await engine.compact(torn))
  expect(must(await engine.figures()).oldestTeardownMs).toBe(3000)
})

it('what is counted is what is there', async () => {
  const { engine, vm, bind } = await startHolders({ space: { capacity: 100, reserved: [[90, 99]] } })
  await bind(1)
  await allocate(engine, vm, 3)
  expect(must(await engine.figures())).toMatchObject({
    capacity: 100,
    usable: 89,
    bound: 1,
    allocated: 4,
    references: 0,
  })
})

it('the fullest sets come first, at most as many as are asked for', async () => {
  const { engine } = await startHolders()
  const sizes = [3, 0, 7, 5, 7, 1, 4]
  for (const size of sizes) {
    const setId = await createSet(engine, `s${size}${Math.random()}`)
    if (size > 0) await allocate(engine, setId, size)
  }
  const found = must(await engine.read((state) => ({ sets: fullestSets(state, 4) }))).sets
  expect(found.map(({ allocated }) => allocated)).toEqual([7, 7, 5, 4])
  const all = must(await engine.read((state) => ({ sets: fullestSets(state, 100) }))).sets
  expect(all).toHaveLength(sizes.length + 1)
})

it('an answer that is given again and a request_id that means something else are counted', async () => {
  const { engine, vm } = await startHolders()
  const again = () => engine.submit(command.adjustQuota(vm, 5), request('r'))
  must(await again())
  must(await again())
  await engine.submit(command.adjustQuota(vm, 6), request('r'))
  expect(engine.pulse).toMatchObject({ repeated: 1, reused: 1, hasFailed: false, writingMs: 0 })
})

it('a batch is told with its entries and the time that the store took', async () => {
  const commits: number[] = []
  const { engine, vm } = await startHolders({ onCommit: (entries) => commits.push(entries) })
  commits.length = 0
  await makeRevisions(engine, vm, 5)
  expect(commits.reduce((sum, entries) => sum + entries)).toBe(5)
})

it('a subscriber lags by what is durable and not told, and by nothing once it has read it', async () => {
  const { engine, vm } = await startHolders({ limits: { maxQueuedBytes: 2000 } })
  const { subscription } = await subscribe(engine)
  const lag = () => engine.pulse.lags()
  expect(lag()).toEqual([{ subscriptionId: subscription.subscriptionId, revisions: 0, queuedBytes: 0 }])
  await makeRevisions(engine, vm, 3)
  expect(lag()).toMatchObject([{ revisions: 3, queuedBytes: expect.any(Number) }])
  expect(lag()[0]?.queuedBytes).toBeGreaterThan(0)
  // Beyond what is kept for it in memory it keeps a cursor alone.
  await makeRevisions(engine, vm, 500)
  expect(lag()).toMatchObject([{ revisions: 503, queuedBytes: 0 }])
  for (let told = 0; told < 503; told++) expect((await subscription.next()).kind).toBe('entry')
  const next = subscription.next()
  await settle()
  expect(lag()).toMatchObject([{ revisions: 0, queuedBytes: 0 }])
  subscription.close()
  await next
  expect(lag()).toEqual([])
})

it('who is interested in nothing of what happens lags by nothing', async () => {
  const { engine, vm } = await startHolders()
  await subscribe(engine, { sets: { tokens: new Set(['other']), setIds: new Set() } })
  await makeRevisions(engine, vm, 100)
  expect(engine.pulse.lags()).toMatchObject([{ revisions: 0, queuedBytes: 0 }])
})
