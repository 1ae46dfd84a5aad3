import { describe, expect, it } from 'vitest'
import { controlStore } from '../support/controlled-store.ts'
import { command, makeRevisions, memoryStore, must, type RunOptions, run } from '../support/engine.ts'
import { changesOf, faultsOf, hold, openHold, startHolders } from '../support/holders.ts'
import { settle } from '../support/manual-clock.ts'
import { lineOf, listenTo } from '../support/told.ts'

const TIMEOUT_MS = 60_000

async function start(options: RunOptions = {}) {
  const running = await startHolders({ ...options, limits: { teardownTimeoutMs: TIMEOUT_MS, ...options.limits } })
  await openHold(running.engine, running.cpu, 'CPU')
  return running
}

describe('while a wave waits', () => {
  it('HEARTBEAT goes on coming, and carries at most the revision before the one that waits', async () => {
    const { engine, clock, cpu, iommu, vm, bind, detach, acknowledge } = await start()
    const { told } = await hold(engine, iommu, 'IOMMU', { heartbeatMs: 100 })
    const id = await bind(70)
    await makeRevisions(engine, vm, 3)
    const revision = await detach(id)
    await makeRevisions(engine, vm, 3)
    await told()
    for (let beat = 0; beat < 5; beat++) {
      clock.advance(99)
      expect(await told()).toEqual([])
      clock.advance(1)
      expect(await told()).toEqual([`${revision - 1} HEARTBEAT`])
    }
    await acknowledge(cpu, revision)
    const lines = await told()
    expect(lines.map((line) => Number(line.split(' ')[0]))).toEqual([0, 1, 2, 3].map((later) => revision + later))
    clock.advance(100)
    expect(await told()).toEqual([`${revision + 4} HEARTBEAT`])
  })

  it('that heartbeat is a cursor: who resumes from it is told of the teardown in its turn', async () => {
    const { engine, clock, cpu, iommu, bind, detach, acknowledge } = await start()
    const { told } = await hold(engine, iommu, 'IOMMU', { heartbeatMs: 100 })
    const revision = await detach(await bind(70))
    await told()
    clock.advance(100)
    const cursor = Number((await told())[0]?.split(' ')[0])
    const again = await hold(engine, iommu, 'IOMMU', { start: { kind: 'after', revision: cursor } })
    expect(await again.told()).toEqual([])
    await acknowledge(cpu, revision)
    expect(await again.told()).toEqual([`${revision} UNBIND vm 1`])
  })

  it('its stream looks on by itself when what waits behind is more than is kept for it, and misses nothing', async () => {
    const limits = { maxQueuedBytes: 600, ringBytes: 2000 }
    const { engine, clock, cpu, iommu, vm, bind, detach, acknowledge } = await start({ limits })
    const reading = await hold(engine, iommu, 'IOMMU', { heartbeatMs: 100 })
    const revisions: number[] = []
    for (let round = 0; round < 20; round++) {
      const id = await bind(round)
      await makeRevisions(engine, vm, 5)
      revisions.push(await detach(id))
    }
    const all = Array.from({ length: 140 }, (_, index) => 7 + index)
    const lines: string[] = []
    for (const revision of revisions) {
      clock.advance(100)
      lines.push(...(await reading.told()))
      await acknowledge(cpu, revision)
      await settle(20)
    }
    lines.push(...(await reading.told()))
    const told = lines.filter((line) => !line.endsWith('HEARTBEAT'))
    expect(told.map((line) => Number(line.split(' ')[0]))).toEqual(all)
    // Each heartbeat lies between what was told before and after it.
    const numbers = lines.map((line) => Number(line.split(' ')[0]))
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
    expect(lines.filter((line) => line.includes('!'))).toEqual([])
  })

  it('a reader that has stopped meanwhile is told of all of it, in order and once, when it reads again', async () => {
    const limits = { maxQueuedBytes: 600, ringBytes: 2000 }
    const { engine, cpu, iommu, vm, bind, detach, acknowledge } = await start({ limits })
    const opened = await openHold(engine, iommu, 'IOMMU')
    const first = await detach(await bind(70))
    expect(lineOf(await opened.subscription.next())).toBe('7 ALLOC vm 1, BIND vm 1')
    const waiting = opened.subscription.next()
    await makeRevisions(engine, vm, 50)
    const second = await detach(await bind(71))
    await acknowledge(cpu, first)
    expect(lineOf(await waiting)).toBe(`${first} UNBIND vm 1`)
    await makeRevisions(engine, vm, 50)
    const { told } = listenTo(opened)
    await settle(50)
    const lines = await told()
    expect(lines.at(-1)).toBe(`${second - 1} ALLOC vm 2, BIND vm 2`)
    await acknowledge(cpu, second)
    await settle(50)
    lines.push(...(await told()))
    const { revision } = must(await engine.status())
    const acknowledgements = [second + 1, revision]
    const expected = Array.from({ length: revision - first }, (_, index) => first + 1 + index)
    expect(lines.map((line) => Number(line.split(' ')[0]))).toEqual(
      expected.filter((r) => !acknowledgements.includes(r)),
    )
  })

  it('a snapshot tells everything and waits for nobody; what comes after it waits again', async () => {
    const { engine, cpu, iommu, bind, detach, free, acknowledge } = await start()
    const { told } = await hold(engine, iommu, 'IOMMU')
    const [first, second] = [await bind(70), await bind(71)]
    await free(first)
    await told()
    const opened = await openHold(engine, iommu, 'IOMMU', { start: { kind: 'snapshot' } })
    expect([...(opened.snapshot?.items() ?? [])]).toMatchObject([
      { kind: 'set' },
      { ioasid: first, record: { isPending: true } },
      { ioasid: second, record: { isPending: false } },
    ])
    const after = listenTo(opened)
    expect(await after.told()).toEqual([])
    const revision = await detach(second)
    await bind(72)
    expect(await after.told()).toEqual([])
    await acknowledge(cpu, revision)
    expect(await after.told()).toEqual([`${revision} UNBIND vm 2`, `${revision + 1} ALLOC vm 3, BIND vm 3`])
    expect(await told()).toEqual(['ended SUPERSEDED'])
  })

  it('a snapshot that a holder settles lets go of those behind it, too', async () => {
    const { engine, cpu, device, bind, free, acknowledge } = await start()
    const { told } = await hold(engine, device, 'DEVICE')
    const revision = await free(await bind(70))
    await told()
    const opened = await openHold(engine, cpu, 'CPU', { start: { kind: 'snapshot' } })
    await acknowledge(cpu, opened.revision)
    expect(await told()).toEqual([`${revision} UNBIND vm 1, FREE vm 1`])
  })
})

describe('after a restart', () => {
  it.each([
    ['the log alone', 100_000],
    ['a snapshot', 1],
  ])('a wave that was open goes on in order, from %s', async (_name, snapshotEvery) => {
    const store = memoryStore()
    const limits = { teardownTimeoutMs: TIMEOUT_MS, snapshotEvery }
    const first = await start({ store, limits })
    const { cpu, iommu, device } = first
    await openHold(first.engine, iommu, 'IOMMU')
    await openHold(first.engine, device, 'DEVICE')
    const id = await first.bind(70)
    const early = await first.detach(id)
    await first.attach(id, 71)
    const late = await first.free(id)
    await first.acknowledge(cpu, early)
    for (let beat = 0; beat < 2; beat++) {
      first.clock.advance(500)
      await settle(20)
    }
    const { engine } = await run({ store, limits })
    const { acknowledge } = changesOf(engine, first.vm)
    const start_ = { start: { kind: 'after', revision: early - 1 } } as const
    const iommus = await hold(engine, iommu, 'IOMMU', start_)
    const devices = await hold(engine, device, 'DEVICE', start_)
    expect(await iommus.told()).toEqual([`${early} UNBIND vm 1`, `${early + 1} BIND vm 1`])
    expect(await devices.told()).toEqual([])
    await acknowledge(cpu, late)
    expect(await iommus.told()).toEqual([`${late} UNBIND vm 1, FREE vm 1`])
    expect(await devices.told()).toEqual([])
    await acknowledge(iommu, late)
    const told = [`${early} UNBIND vm 1`, `${early + 1} BIND vm 1`, `${late} UNBIND vm 1, FREE vm 1`]
    expect(await devices.told()).toEqual(told)
    const reclaimed = await acknowledge(device, late)
    for (const { told: last } of [iommus, devices]) expect(await last()).toEqual([`${reclaimed} RECLAIM vm 1`])
    expect(must(await engine.status()).overruns).toBe(0)
    expect(await faultsOf(engine)).toEqual([])
  })
})

describe('what is no teardown', () => {
  it('is told to every holder as soon as it is on disk, whatever is on its way there', async () => {
    const store = controlStore(memoryStore())
    const { engine, vm, device, bind } = await start({ store })
    const opened = await openHold(engine, device, 'DEVICE')
    for (let round = 0; round < 20; round++) await bind(round)
    await settle()
    store.hold()
    void engine.submit(command.adjustQuota(vm, 50), undefined)
    const { told } = listenTo(opened)
    expect(await told()).toHaveLength(20)
    store.release()
    expect(await told()).toHaveLength(1)
  })
})
