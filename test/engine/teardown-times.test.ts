import { describe, expect, it } from 'vitest'
import {
  allocate,
  answerOf,
  command,
  grantLease,
  memoryStore,
  must,
  namesOf,
  type RunOptions,
  run,
} from '../support/engine.ts'
import { changesOf, hold, infoOf, LONG_MS, openHold, startHolders } from '../support/holders.ts'
import { createManualClock, settle } from '../support/manual-clock.ts'
import { lineOf } from '../support/told.ts'

const TIMEOUT_MS = 3000
/** So that no heartbeat is among what is told. */
const QUIET = { heartbeatMs: 60_000 }

async function start(options: RunOptions = {}) {
  const running = await startHolders({ ...options, limits: { teardownTimeoutMs: TIMEOUT_MS, ...options.limits } })
  const { engine } = running
  return { ...running, overruns: async () => must(await engine.status()).overruns }
}

describe('when the time of a wave is up', () => {
  it('the IOMMU is told anyway after one time-out, devices after two, marked, and a counter says so', async () => {
    const { engine, clock, cpu, iommu, device, bind, free, overruns } = await start()
    await openHold(engine, cpu, 'CPU')
    const first = await hold(engine, iommu, 'IOMMU', QUIET)
    const second = await hold(engine, device, 'DEVICE', QUIET)
    const revision = await free(await bind(70))
    for (const { told } of [first, second]) await told()
    clock.advance(TIMEOUT_MS - 1)
    expect(await first.told()).toEqual([])
    clock.advance(1)
    expect(await first.told()).toEqual([`${revision} UNBIND vm 1!, FREE vm 1!`])
    expect(await overruns()).toBe(1)
    clock.advance(TIMEOUT_MS - 1)
    expect(await second.told()).toEqual([])
    clock.advance(1)
    expect(await second.told()).toEqual([`${revision} UNBIND vm 1!, FREE vm 1!`])
    expect(await overruns()).toBe(2)
    // Told is not acknowledged: all of them hold it still.
    expect(await infoOf(engine, 1)).toMatchObject({ state: 'FREE_PENDING', references: 3 })
  })

  it('devices wait for two time-outs also where no IOMMU holder is', async () => {
    const { engine, clock, cpu, device, bind, detach, overruns } = await start()
    await openHold(engine, cpu, 'CPU')
    const { told } = await hold(engine, device, 'DEVICE', QUIET)
    const revision = await detach(await bind(70))
    await told()
    clock.advance(2 * TIMEOUT_MS - 1)
    expect(await told()).toEqual([])
    clock.advance(1)
    expect(await told()).toEqual([`${revision} UNBIND vm 1!`])
    expect(await overruns()).toBe(1)
  })

  it('who was told late is waited for until the second time-out, and no mark is set where both are done by then', async () => {
    const { engine, clock, cpu, iommu, device, bind, detach, acknowledge, overruns } = await start()
    await openHold(engine, cpu, 'CPU')
    const first = await hold(engine, iommu, 'IOMMU', QUIET)
    const { told } = await hold(engine, device, 'DEVICE', QUIET)
    const revision = await detach(await bind(70))
    clock.advance(TIMEOUT_MS)
    expect((await first.told()).at(-1)).toContain('!')
    await acknowledge(iommu, revision)
    clock.advance(TIMEOUT_MS - 1)
    expect((await told()).at(-1)).not.toContain('UNBIND')
    await acknowledge(cpu, revision)
    expect(await told()).toEqual([`${revision} UNBIND vm 1`])
    expect(await overruns()).toBe(1)
  })

  it('marks only the ids that are still held, by what is true when it is sent', async () => {
    const { engine, clock, cpu, iommu, device, revoke, acknowledge, overruns } = await start()
    const owner = await grantLease(engine, LONG_MS)
    const own = async (token: string) =>
      (await answerOf(engine, command.createSet(token, 0, owner), 'set')).answer.set.setId
    const [first, second] = [await own('a'), await own('b')]
    await openHold(engine, cpu, 'CPU', { sets: namesOf(['a']) })
    await openHold(engine, device, 'CPU', { sets: namesOf(['b']) })
    const { told } = await hold(engine, iommu, 'IOMMU', { ...QUIET, sets: 'all' })
    for (const setId of [first, second]) {
      await changesOf(engine, setId).bind(70)
      await allocate(engine, setId)
    }
    await told()
    const { revision } = must(await engine.status())
    await revoke(owner)
    clock.advance(TIMEOUT_MS - 1)
    await acknowledge(cpu, revision + 1)
    expect(await told()).toEqual([])
    clock.advance(1)
    const ofA = 'UNBIND a 1, FREE a 2, FREE a 1, RECLAIM a 2'
    const ofB = 'UNBIND b 3!, FREE b 4, FREE b 3!, RECLAIM b 4'
    expect(await told()).toEqual([`${revision + 1} ${ofA}, ${ofB}`])
    expect(await overruns()).toBe(1)
  })

  it('counts each id once, however many notifications of a message are marked', async () => {
    const { engine, clock, vm, cpu, iommu, bind, overruns } = await start()
    await openHold(engine, cpu, 'CPU')
    const { told } = await hold(engine, iommu, 'IOMMU', QUIET)
    await bind(70)
    await bind(71)
    must(await engine.submit({ kind: 'free_all', setId: vm }, undefined))
    await told()
    clock.advance(TIMEOUT_MS)
    expect(await told()).toEqual(['9 UNBIND vm 1! 2!, FREE vm 1! 2!'])
    expect(await overruns()).toBe(2)
  })

  it('marks nothing that was acknowledged in time or that nobody before it held', async () => {
    const { engine, clock, cpu, iommu, bind, detach, acknowledge, overruns } = await start()
    await openHold(engine, cpu, 'CPU')
    const { subscription } = await openHold(engine, iommu, 'IOMMU', QUIET)
    const revision = await detach(await bind(70))
    await acknowledge(cpu, revision)
    // Nobody has read meanwhile.
    clock.advance(10 * TIMEOUT_MS)
    expect(lineOf(await subscription.next())).toBe('7 ALLOC vm 1, BIND vm 1')
    expect(lineOf(await subscription.next())).toBe(`${revision} UNBIND vm 1`)
    expect(await overruns()).toBe(0)
  })
})

describe('the time of a wave', () => {
  it('runs from the commit of its revision, whenever the stream was opened or has read', async () => {
    const { engine, clock, cpu, iommu, bind, detach } = await start()
    await openHold(engine, cpu, 'CPU')
    const early = await openHold(engine, iommu, 'IOMMU', QUIET)
    const revision = await detach(await bind(70))
    clock.advance(TIMEOUT_MS - 1)
    await settle()
    early.close()
    const late = await hold(engine, iommu, 'IOMMU', { ...QUIET, start: { kind: 'after', revision: revision - 1 } })
    expect(await late.told()).toEqual([])
    clock.advance(1)
    expect(await late.told()).toEqual([`${revision} UNBIND vm 1!`])
  })

  it('is serving time: it goes on over a restart where it was kept, and downtime does not count', async () => {
    const store = memoryStore()
    const limits = { teardownTimeoutMs: TIMEOUT_MS, leaseGraceMs: 200 }
    const { engine, clock, cpu, iommu, bind, detach } = await start({ store, limits })
    for (const [leaseId, priority] of [
      [cpu, 'CPU'],
      [iommu, 'IOMMU'],
    ] as const) {
      await openHold(engine, leaseId, priority)
    }
    const revision = await detach(await bind(70))
    clock.advance(1000)
    await settle()
    const later = createManualClock()
    later.advance(1_000_000)
    const again = await run({ store, limits, clock: later })
    const from = { ...QUIET, start: { kind: 'after', revision: revision - 1 } } as const
    const { told } = await hold(again.engine, iommu, 'IOMMU', from)
    later.advance(TIMEOUT_MS - 1000 - 1)
    expect(await told()).toEqual([])
    // Kept every 100 ms: so much of it may be waited for again.
    later.advance(1 + 100)
    expect(await told()).toEqual([`${revision} UNBIND vm 1!`])
  })

  it('is one for all that are open: however many they are, a stream is at most two time-outs behind', async () => {
    const { engine, clock, cpu, iommu, device, bind, detach } = await start()
    await openHold(engine, cpu, 'CPU')
    const first = await hold(engine, iommu, 'IOMMU', QUIET)
    const second = await hold(engine, device, 'DEVICE', QUIET)
    const committed: number[] = []
    for (let round = 0; round < 40; round++) {
      committed.push(await detach(await bind(round)))
      clock.advance(500)
      for (const [{ told }, behindMs] of [
        [first, TIMEOUT_MS],
        [second, 2 * TIMEOUT_MS],
      ] as const) {
        const due = committed[committed.length - 1 - behindMs / 500 + 1]
        const unbound = (await told()).filter((line) => line.includes('UNBIND'))
        expect(unbound).toEqual(due === undefined ? [] : [expect.stringMatching(new RegExp(`^${due} UNBIND vm .*!$`))])
      }
    }
    // And when nothing more comes, everything is told that was committed at the same moment.
    const { revision } = must(await engine.status())
    clock.advance(2 * TIMEOUT_MS)
    for (const { told } of [first, second]) expect((await told()).at(-1)).toContain(`${revision} UNBIND`)
  })

  it('is up for many that were committed together in the same moment', async () => {
    const { engine, clock, cpu, device, bind, detach, overruns } = await start()
    await openHold(engine, cpu, 'CPU')
    const { told } = await hold(engine, device, 'DEVICE', QUIET)
    for (let round = 0; round < 500; round++) await detach(await bind(round))
    await told()
    clock.advance(2 * TIMEOUT_MS)
    await settle(200)
    const lines = await told()
    expect(lines.filter((line) => line.includes('UNBIND'))).toHaveLength(500)
    expect(await overruns()).toBe(500)
  })
})
