import { describe, expect, it } from 'vitest'
import { freeze, type State } from '../../server/core/state.ts'
import type { Engine } from '../../server/engine/engine.ts'
import { command, createSet, grantLease, memoryStore, must, namesOf, run, subscribe } from '../support/engine.ts'
import { changesOf, faultsOf, hold, LONG_MS, leaseOf, openHold, startHolders } from '../support/holders.ts'
import { createManualClock, type ManualClock } from '../support/manual-clock.ts'
import { contentOf } from '../support/space.ts'
import type { Listener } from '../support/told.ts'

async function stateOf(engine: Engine): Promise<State> {
  return must(await engine.read((state) => ({ state }))).state
}

/** How often the table of ids is looked at while something is done. */
async function looksDuring(state: State, work: () => Promise<unknown>): Promise<number> {
  const pages = [...state.table.pages]
  let looks = 0
  for (const [index, page] of pages.entries()) {
    Object.defineProperty(state.table.pages, index, {
      configurable: true,
      get: () => {
        looks += 1
        return page
      },
    })
  }
  await work()
  for (const [index, value] of pages.entries()) {
    Object.defineProperty(state.table.pages, index, { configurable: true, enumerable: true, writable: true, value })
  }
  return looks
}

describe('a holder of many bound ids', () => {
  const COUNT = 60_000

  it('looks at none of them when it registers, when it resumes and when its lease is shown', async () => {
    const store = memoryStore()
    const space = { capacity: COUNT + 1 }
    const { engine, vm, cpu, iommu } = await startHolders({ store, space })
    const spids = Array.from({ length: COUNT }, (_, index) => index)
    must(await engine.submit({ ...command.allocate(vm, COUNT, spids), max: COUNT }, undefined))
    const state = await stateOf(engine)
    const { revision } = must(await engine.status())
    const start = { kind: 'after', revision } as const
    const looks = await looksDuring(state, async () => {
      await subscribe(engine, { sets: 'all', start, hold: { leaseId: cpu, priority: 'CPU' } })
      await openHold(engine, iommu, 'IOMMU')
      await subscribe(engine, { sets: 'all', start, hold: { leaseId: cpu, priority: 'CPU' } })
      expect(await leaseOf(engine, cpu)).toMatchObject({ references: COUNT })
      expect(await leaseOf(engine, iommu)).toMatchObject({ references: COUNT })
    })
    expect(looks).toBe(0)
    // It has them all the same.
    const id = 4711
    expect(must(await engine.submit(command.free(vm, [id]), undefined))).toMatchObject({ answer: { references: [2] } })
    const { engine: again } = await run({ store, space })
    expect(await leaseOf(again, cpu)).toMatchObject({ references: COUNT })
    const { acknowledge, revoke } = changesOf(again, vm)
    await acknowledge(cpu, revision + 3)
    expect(await leaseOf(again, cpu)).toMatchObject({ references: COUNT - 1 })
    expect(await looksDuring(await stateOf(again), () => revoke(cpu))).toBe(0)
    expect(await faultsOf(again)).toEqual([])
  })
})

describe('an id that is bound and unbound again and again', () => {
  it('costs as much after twenty thousand times as after ten, though its holders acknowledge nothing', async () => {
    const limits = { maxQueuedBytes: 2000, ringBytes: 10_000, historyRevisions: 1_000_000 }
    const { engine, clock, vm, cpu, iommu, device, bind, attach, detach, acknowledge } = await startHolders({ limits })
    const stopped = await openHold(engine, cpu, 'CPU')
    await openHold(engine, iommu, 'IOMMU')
    const waiting = await hold(engine, device, 'DEVICE')
    const id = await bind(0)
    await detach(id)
    const state = await stateOf(engine)
    const sizeOf = () => ({
      content: JSON.stringify(contentOf(freeze(state))).replace(/\d+/g, '0').length,
      holds: state.table.pages[0]?.holds.get(id)?.length,
      listed: [...state.holdIds.values()].map(({ awaited, live }) => awaited.size + live.size),
      references: state.references,
      timers: clock.timers,
    })
    const cycle = async (times: number) => {
      const sent: Promise<unknown>[] = []
      for (let round = 0; round < times; round++) {
        void engine.submit(command.attachSpid(vm, id, round, ''), undefined)
        sent.push(engine.submit(command.detachSpid(vm, id), undefined))
        if (round % 500 === 499) await Promise.all(sent.splice(0))
      }
      await Promise.all(sent)
      await waiting.told()
    }
    await cycle(10)
    const before = sizeOf()
    expect(before).toMatchObject({ holds: 3, listed: [1, 1, 1], references: 3 })
    await cycle(20_000)
    expect(sizeOf()).toEqual(before)
    await attach(id, 7)
    expect(await leaseOf(engine, cpu)).toMatchObject({ references: 1, hold: { acknowledged: 0 } })
    // One word settles all of it.
    const last = await detach(id)
    for (const leaseId of [cpu, iommu, device]) await acknowledge(leaseId, last)
    expect(state.references).toBe(0)
    expect(state.holdIds.size).toBe(0)
    stopped.close()
    expect(await faultsOf(engine)).toEqual([])
  })
})

describe('a holder of every VM', () => {
  it('lets go with each acknowledgement those who wait for it, and wakes nobody else', async () => {
    const clock = createManualClock()
    let timers = 0
    const counted: ManualClock = {
      ...clock,
      get timers() {
        return clock.timers
      },
      after: (ms, callback) => {
        timers += 1
        return clock.after(ms, callback)
      },
    }
    const { engine, cpu, acknowledge } = await startHolders({ clock: counted })
    await openHold(engine, cpu, 'CPU', { sets: 'all' })
    const devices: Listener[] = []
    const revisions: number[] = []
    for (let vm = 0; vm < 100; vm++) {
      const { bind, detach } = changesOf(engine, await createSet(engine, `vm-${vm}`))
      const from = { sets: namesOf([`vm-${vm}`]) }
      devices.push(await hold(engine, await grantLease(engine, LONG_MS), 'DEVICE', from))
      revisions.push(await detach(await bind(70)))
    }
    for (const { told } of devices) await told()
    timers = 0
    for (const [vm, revision] of revisions.entries()) {
      await acknowledge(cpu, revision)
      expect((await devices[vm]?.told())?.at(-1)).toContain('UNBIND')
    }
    // Each sets one timer when it was woken: to wait for what comes next.
    expect(timers).toBeLessThanOrEqual(2 * revisions.length)
  })
})
