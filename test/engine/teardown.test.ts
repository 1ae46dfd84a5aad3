import { describe, expect, it } from 'vitest'
import { controlStore } from '../support/controlled-store.ts'
import { command, createSet, grantLease, memoryStore, must, namesOf, type RunOptions } from '../support/engine.ts'
import { changesOf, hold, infoOf, LONG_MS, openHold, startHolders } from '../support/holders.ts'
import { settle } from '../support/manual-clock.ts'
import { listen } from '../support/told.ts'

/** A holder of each class, and id 1 with SPID 70, of which all have been told: revisions 8 and before. */
async function startThree(options: RunOptions = {}, heartbeatMs = 5000) {
  const running = await startHolders(options)
  const { engine, bind } = running
  const cpu = await hold(engine, running.cpu, 'CPU', { heartbeatMs })
  const iommu = await hold(engine, running.iommu, 'IOMMU', { heartbeatMs })
  const device = await hold(engine, running.device, 'DEVICE', { heartbeatMs })
  const id = await bind(70)
  const streams = { cpu, iommu, device }
  for (const { told } of Object.values(streams)) expect(await told()).toEqual(['8 ALLOC vm 1, BIND vm 1'])
  return { ...running, streams, id }
}

describe('a teardown', () => {
  it('is told to the CPU at once, to the IOMMU when that has acknowledged, to devices when both have', async () => {
    const { cpu, iommu, device, streams, id, detach, acknowledge } = await startThree()
    await detach(id)
    expect(await streams.cpu.told()).toEqual(['9 UNBIND vm 1'])
    expect(await streams.iommu.told()).toEqual([])
    await acknowledge(cpu, 9)
    expect(await streams.iommu.told()).toEqual(['9 UNBIND vm 1'])
    expect(await streams.device.told()).toEqual([])
    await acknowledge(iommu, 9)
    expect(await streams.device.told()).toEqual(['9 UNBIND vm 1'])
    await acknowledge(device, 9)
    for (const { told } of Object.values(streams)) expect(await told()).toEqual([])
  })

  it('is the same for FREE, and in the same message for UNBIND and FREE of one revision', async () => {
    const { engine, cpu, iommu, device, streams, id, free, detach, acknowledge, bind } = await startThree()
    await free(id)
    expect(await streams.cpu.told()).toEqual(['9 UNBIND vm 1, FREE vm 1'])
    await acknowledge(iommu, 9)
    expect(await streams.device.told()).toEqual([])
    await acknowledge(cpu, 9)
    expect(await streams.iommu.told()).toEqual(['9 UNBIND vm 1, FREE vm 1'])
    expect(await streams.device.told()).toEqual(['9 UNBIND vm 1, FREE vm 1'])
    await acknowledge(device, 9)
    for (const { told } of Object.values(streams)) expect(await told()).toEqual(['12 RECLAIM vm 1'])
    // Of an id that is detached already, and whose UNBIND everybody has acknowledged but the CPU.
    const next = await bind(71)
    await detach(next)
    await free(next)
    expect(next).toBe(2)
    expect(await streams.iommu.told()).toEqual(['13 ALLOC vm 2, BIND vm 2'])
    await acknowledge(cpu, 14)
    expect(await streams.iommu.told()).toEqual(['14 UNBIND vm 2'])
    await acknowledge(cpu, 15)
    expect(await streams.iommu.told()).toEqual(['15 FREE vm 2'])
    expect(await infoOf(engine, next)).toMatchObject({ references: 2 })
  })

  it('waits for each of several holders before it, and for less than their word not at all', async () => {
    const { engine, cpu, streams, id, detach, acknowledge } = await startThree()
    const second = await grantLease(engine, LONG_MS)
    await openHold(engine, second, 'CPU', { sets: 'all' })
    const revision = await detach(id)
    await streams.iommu.told()
    for (const [leaseId, early] of [
      [cpu, revision - 1],
      [cpu, revision],
      [second, revision - 1],
    ] as const) {
      await acknowledge(leaseId, early)
      expect(await streams.iommu.told()).toEqual([])
    }
    await acknowledge(second, revision + 1)
    expect(await streams.iommu.told()).toEqual([`${revision} UNBIND vm 1`])
  })

  it('waits for an acknowledgement that is on disk, not for one that is on its way', async () => {
    const store = controlStore(memoryStore())
    const { engine, clock, cpu, iommu, streams, id, detach, acknowledge } = await startThree({ store }, 400)
    await detach(id)
    await settle()
    for (const [leaseId, { told }] of [
      [cpu, streams.iommu],
      [iommu, streams.device],
    ] as const) {
      store.hold()
      const acknowledged = acknowledge(leaseId, 9)
      await settle()
      // For a heartbeat it looks again, and finds what is not on disk.
      clock.advance(500)
      expect((await told()).filter((line) => line !== '8 HEARTBEAT')).toEqual([])
      store.release()
      await acknowledged
      expect(await told()).toEqual(['9 UNBIND vm 1'])
    }
    expect(must(await engine.status()).overruns).toBe(0)
  })

  it('is told of when the lease that is waited for ends, by RevokeLease or by time with RELEASE', async () => {
    const { engine, clock, cpu, streams, id, detach, revoke } = await startThree({
      limits: { teardownTimeoutMs: 600_000 },
    })
    const mortal = await grantLease(engine, 2000)
    await openHold(engine, mortal, 'CPU')
    const revision = await detach(id)
    await revoke(cpu)
    expect(await streams.iommu.told()).toEqual([])
    clock.advance(3000)
    expect(await streams.iommu.told()).toEqual([`${revision} UNBIND vm 1`])
  })

  it('waits for a HELD lease as for any other: its references stay, and so may what it did in hardware', async () => {
    const { engine, clock, cpu, streams, id, detach, acknowledge } = await startThree({
      limits: { teardownTimeoutMs: 600_000 },
    })
    const held = await grantLease(engine, 2000, 'HOLD')
    await openHold(engine, held, 'CPU')
    const second = await changesOf(engine, await createSet(engine, 'other')).bind(1)
    clock.advance(3000)
    await settle()
    await streams.iommu.told()
    const revision = await detach(id)
    await acknowledge(cpu, revision)
    expect(await streams.iommu.told()).toEqual([])
    await acknowledge(held, revision)
    expect(await streams.iommu.told()).toEqual([`${revision} UNBIND vm 1`])
    expect(second).toBe(2)
  })
})

describe('nobody waits for', () => {
  it('a reference that is younger than the event: of who registered later', async () => {
    const { engine, cpu, iommu, bind, attach, detach } = await startHolders()
    const { told } = await hold(engine, iommu, 'IOMMU')
    const id = await bind(70)
    await detach(id)
    expect(await told()).toEqual(['6 ALLOC vm 1, BIND vm 1', '7 UNBIND vm 1'])
    await hold(engine, cpu, 'CPU')
    // And who reads it again is told again, though the id was bound again, and that one holds and waits for it now.
    await attach(id, 71)
    const start = { kind: 'after', revision: 5 } as const
    const again = await hold(engine, iommu, 'IOMMU', { start })
    expect(await again.told()).toEqual(['6 ALLOC vm 1, BIND vm 1', '7 UNBIND vm 1', '9 BIND vm 1'])
    await detach(id)
    const third = await hold(engine, iommu, 'IOMMU', { start })
    expect(await third.told()).toEqual(['6 ALLOC vm 1, BIND vm 1', '7 UNBIND vm 1', '9 BIND vm 1'])
  })

  it('who has acknowledged it, though the id was torn down again since', async () => {
    const { engine, cpu, iommu, id, attach, detach, acknowledge, streams } = await startThree()
    const first = await detach(id)
    await attach(id, 71)
    const second = await detach(id)
    expect(await streams.iommu.told()).toEqual([])
    await acknowledge(cpu, first)
    expect(await streams.iommu.told()).toEqual([`${first} UNBIND vm 1`, `${first + 1} BIND vm 1`])
    await acknowledge(cpu, second - 1)
    expect(await streams.iommu.told()).toEqual([])
    await acknowledge(cpu, second)
    expect(await streams.iommu.told()).toEqual([`${second} UNBIND vm 1`])
    expect(await streams.device.told()).toEqual([])
    await acknowledge(iommu, first)
    expect(await streams.device.told()).toEqual([`${first} UNBIND vm 1`, `${first + 1} BIND vm 1`])
    expect(must(await engine.status()).overruns).toBe(0)
  })

  it('references that were acquired: those are told of nothing', async () => {
    const { engine, vm, cpu, iommu, bind, free } = await startHolders()
    const { told } = await hold(engine, iommu, 'IOMMU')
    const id = await bind(70)
    must(await engine.submit(command.acquire(vm, id, cpu), undefined))
    const revision = await free(id)
    expect((await told()).at(-1)).toBe(`${revision} UNBIND vm 1, FREE vm 1`)
  })

  it('holders of the same class or of a later one', async () => {
    const { engine, iommu, device, bind, detach } = await startHolders()
    const first = await hold(engine, iommu, 'IOMMU')
    const second = await hold(engine, await grantLease(engine, LONG_MS), 'IOMMU')
    await hold(engine, device, 'DEVICE')
    const revision = await detach(await bind(70))
    for (const { told } of [first, second]) expect((await told()).at(-1)).toBe(`${revision} UNBIND vm 1`)
  })

  it('who only watches, whatever priority; and who only watches waits for nobody', async () => {
    const { engine, streams, id, detach } = await startThree()
    const plain = await listen(engine, { sets: namesOf(['vm']) })
    await detach(id)
    expect(await plain.told()).toEqual(['9 UNBIND vm 1'])
    expect(await streams.iommu.told()).toEqual([])
  })

  it('a binding that was never held: of an id that has no SPID, or of a set that nobody before it names', async () => {
    const { engine, cpu, iommu, vm, free } = await startHolders()
    const other = await createSet(engine, 'other')
    await hold(engine, cpu, 'CPU', { sets: namesOf(['vm']) })
    const { told } = await hold(engine, iommu, 'IOMMU', { sets: 'all' })
    must(await engine.submit(command.allocate(vm), undefined))
    await free(1)
    await changesOf(engine, other).detach(await changesOf(engine, other).bind(70))
    expect((await told()).map((line) => line.split(' ')[1])).toEqual(['ALLOC', 'FREE', 'ALLOC', 'UNBIND'])
  })
})

describe('what follows a teardown that waits', () => {
  it('waits on that stream too, of whichever type and set, and is told in order then', async () => {
    const { engine, cpu, iommu, device, vm, acknowledge } = await startHolders()
    const other = await createSet(engine, 'other')
    const cpuStream = await hold(engine, cpu, 'CPU')
    const { told } = await hold(engine, iommu, 'IOMMU', { sets: 'all' })
    const free = await hold(engine, device, 'DEVICE', { sets: namesOf(['other']) })
    const { bind, detach } = changesOf(engine, vm)
    const id = await bind(70)
    const revision = await detach(id)
    await told()
    await changesOf(engine, other).bind(1)
    must(await engine.submit(command.adjustQuota(other, 9), undefined))
    await bind(71)
    expect(await told()).toEqual([])
    // Who does not wait is told of all of it meanwhile.
    expect(await free.told()).toEqual(['11 ALLOC other 2, BIND other 2', '12 SET_ADJUST other'])
    expect(await cpuStream.told()).toEqual(['9 ALLOC vm 1, BIND vm 1', '10 UNBIND vm 1', '13 ALLOC vm 3, BIND vm 3'])
    await acknowledge(cpu, revision)
    expect(await told()).toEqual([
      '10 UNBIND vm 1',
      '11 ALLOC other 2, BIND other 2',
      '12 SET_ADJUST other',
      '13 ALLOC vm 3, BIND vm 3',
    ])
  })

  it('waits on no stream of another VM: one that is stuck delays who has a lease for each by nothing', async () => {
    const { engine, cpu, iommu, device, id, detach, streams } = await startThree()
    const other = await createSet(engine, 'other')
    const own = await grantLease(engine, LONG_MS)
    const { told } = await hold(engine, own, 'IOMMU', { sets: namesOf(['other']) })
    await detach(id)
    await changesOf(engine, other).detach(await changesOf(engine, other).bind(1))
    expect((await told()).at(-1)).toContain('UNBIND other 2')
    expect(await streams.iommu.told()).toEqual([])
    expect(new Set([cpu, iommu, device]).size).toBe(3)
  })
})
