import { describe, expect, it } from 'vitest'
import { asSpid } from '../../server/core/ids.ts'
import { allocate, command, createSet, must, namesOf, subscribe } from '../support/engine.ts'
import { changesOf, faultsOf, hold, infoOf, leaseOf, openHold, startHolders } from '../support/holders.ts'
import { listen } from '../support/told.ts'

describe('the reference of a hold', () => {
  it('is taken in BIND’s own revision, one for each id, however many devices bind it', async () => {
    const { engine, clock, cpu, vm, bind } = await startHolders()
    await openHold(engine, cpu, 'CPU')
    clock.advance(100)
    const id = await bind(70)
    const holder = { leaseId: cpu, name: '', count: 1, sinceRevision: 6, sinceWallMs: clock.wallMs() }
    expect(await infoOf(engine, id)).toMatchObject({ bindRevision: 6, references: 1, holders: [holder] })
    must(await engine.submit(command.attachSpid(vm, id, 70, 'nic'), undefined))
    expect(await infoOf(engine, id)).toMatchObject({ devices: ['', 'nic'], references: 1 })
    must(await engine.submit(command.detachSpid(vm, id, ''), undefined))
    expect(await infoOf(engine, id)).toMatchObject({ references: 1, holders: [{ awaiting: undefined }] })
  })

  it('is of bound ids only: an id without a SPID is nobody’s', async () => {
    const { engine, cpu, vm, free } = await startHolders()
    await openHold(engine, cpu, 'CPU')
    const [id = 0] = await allocate(engine, vm)
    expect(await infoOf(engine, id)).toMatchObject({ state: 'IDLE', references: 0 })
    await free(id)
    expect(await infoOf(engine, id)).toMatchObject({ reason: 'IOASID_NOT_FOUND' })
  })

  it('is of sets that are named only', async () => {
    const { engine, cpu } = await startHolders()
    await openHold(engine, cpu, 'CPU', { sets: namesOf(['v', 'vm2', 'VM']) })
    const { bind } = changesOf(engine, await createSet(engine, 'vm '))
    expect(await infoOf(engine, await bind(70))).toMatchObject({ references: 0 })
  })

  it('stays until the latest teardown is acknowledged, of UNBIND and of FREE', async () => {
    const { engine, cpu, bind, detach, free, acknowledge } = await startHolders()
    const { told } = await listen(engine, { sets: namesOf(['vm']) })
    await openHold(engine, cpu, 'CPU')
    const id = await bind(70)
    const unbound = await detach(id)
    const awaits = (awaiting: number) => ({ state: 'ACTIVE', holders: [{ leaseId: cpu, awaiting }] })
    expect(await infoOf(engine, id)).toMatchObject(awaits(unbound))
    const freed = await free(id)
    expect(await infoOf(engine, id)).toMatchObject({ ...awaits(freed), state: 'FREE_PENDING' })
    for (const early of [0, unbound - 1, unbound, freed - 1]) await acknowledge(cpu, early)
    expect(await infoOf(engine, id)).toMatchObject({ state: 'FREE_PENDING', references: 1 })
    const acknowledged = await acknowledge(cpu, freed)
    expect((await told()).slice(1)).toEqual([
      `${unbound} UNBIND vm 1`,
      `${freed} FREE vm 1`,
      `${acknowledged} RECLAIM vm 1`,
    ])
    expect(await leaseOf(engine, cpu)).toMatchObject({ references: 0, hold: { acknowledged: freed } })
    expect(await faultsOf(engine)).toEqual([])
  })

  it('stays while the id is bound again, and awaits nothing then; the next teardown is one more to acknowledge', async () => {
    const { engine, cpu, bind, attach, detach, acknowledge } = await startHolders()
    await openHold(engine, cpu, 'CPU')
    const id = await bind(70)
    const first = await detach(id)
    const bound = await attach(id, 71)
    const held = { leaseId: cpu, count: 1, sinceRevision: 6, awaiting: undefined }
    expect(await infoOf(engine, id)).toMatchObject({ references: 1, bindRevision: bound, holders: [held] })
    await acknowledge(cpu, bound)
    expect(await infoOf(engine, id)).toMatchObject({ references: 1, holders: [held] })
    const second = await detach(id)
    await acknowledge(cpu, first)
    expect(await infoOf(engine, id)).toMatchObject({ references: 1, holders: [{ awaiting: second }] })
    await acknowledge(cpu, second)
    expect(await infoOf(engine, id)).toMatchObject({ state: 'IDLE', references: 0 })
    expect(await faultsOf(engine)).toEqual([])
  })

  it('of one id that was torn down again keeps no other from being settled: the order is that of the latest teardown', async () => {
    const { engine, cpu, bind, attach, detach, acknowledge } = await startHolders()
    await openHold(engine, cpu, 'CPU')
    const [first, second] = [await bind(70), await bind(71)]
    await detach(first)
    const settled = await detach(second)
    await attach(first, 72)
    const later = await detach(first)
    await acknowledge(cpu, settled)
    expect(await infoOf(engine, second)).toMatchObject({ state: 'IDLE', references: 0 })
    expect(await infoOf(engine, first)).toMatchObject({ references: 1, holders: [{ awaiting: later }] })
    await acknowledge(cpu, later)
    expect(await infoOf(engine, first)).toMatchObject({ state: 'IDLE', references: 0 })
  })

  it('is not there to be released: NOT_HELD, and what the lease acquired besides counts for itself', async () => {
    const { engine, cpu, vm, bind, free, acknowledge } = await startHolders()
    await openHold(engine, cpu, 'CPU')
    const id = await bind(70)
    const release = command.release(vm, id, cpu)
    expect(await engine.submit(release, undefined)).toMatchObject({ reason: 'NOT_HELD', metadata: { ioasid: '1' } })
    must(await engine.submit(command.acquire(vm, id, cpu), undefined))
    expect(await infoOf(engine, id)).toMatchObject({ references: 2, holders: [{ leaseId: cpu, count: 2 }] })
    const freed = await free(id)
    must(await engine.submit(release, undefined))
    expect(await engine.submit(release, undefined)).toMatchObject({ reason: 'NOT_HELD' })
    expect(await infoOf(engine, id)).toMatchObject({ state: 'FREE_PENDING', references: 1 })
    await acknowledge(cpu, freed)
    expect(await infoOf(engine, id)).toMatchObject({ reason: 'IOASID_NOT_FOUND' })
  })

  it('is settled by the revision of a snapshot: what that does not show as bound is gone', async () => {
    const { engine, cpu, bind, detach, free, acknowledge } = await startHolders()
    await openHold(engine, cpu, 'CPU')
    const [stays, unbound, freed] = [await bind(70), await bind(71), await bind(72)]
    await detach(unbound)
    await free(freed)
    const { revision, snapshot } = await openHold(engine, cpu, 'CPU', { start: { kind: 'snapshot' } })
    const records = [...(snapshot?.items() ?? [])].flatMap((item) => (item.kind === 'ioasid' ? [item] : []))
    const live = records.filter(({ record }) => record.bindRevision > 0 && !record.isPending)
    expect(live.map(({ ioasid }) => ioasid)).toEqual([stays])
    await acknowledge(cpu, revision)
    expect(await infoOf(engine, stays)).toMatchObject({ references: 1 })
    expect(await infoOf(engine, unbound)).toMatchObject({ state: 'IDLE', references: 0 })
    expect(await infoOf(engine, freed)).toMatchObject({ reason: 'IOASID_NOT_FOUND' })
  })

  it('one more than there may be is refused before anything is bound', async () => {
    const { engine, cpu, iommu, vm, bind, detach, attach } = await startHolders({ space: { maxReferences: 3 } })
    await openHold(engine, cpu, 'CPU')
    await openHold(engine, iommu, 'IOMMU')
    const id = await bind(70)
    const tooMany = { reason: 'TOO_MANY', metadata: { what: 'references', limit: '3' } }
    expect(await engine.submit(command.allocate(vm, 1, [71]), undefined)).toMatchObject(tooMany)
    const [other = 0] = await allocate(engine, vm)
    expect(await engine.submit(command.attachSpid(vm, other, 71, ''), undefined)).toMatchObject(tooMany)
    // Who has one already needs none.
    await detach(id)
    await attach(id, 72)
    expect(await infoOf(engine, id)).toMatchObject({ references: 2 })
  })
})

describe('bind and free at once, ten thousand times', () => {
  it('each is told to who follows, each is held, and none is reused before its acknowledgement', async () => {
    const count = 10_000
    const space = { capacity: count + 1, policy: 'lowest' } as const
    const { engine, cpu, vm, acknowledge } = await startHolders({ space })
    const { told } = await hold(engine, cpu, 'CPU')
    const wanted = { ...command.allocate(vm), max: count }
    for (let id = 1; id <= count; id++) {
      // Sent together: nobody could come between them.
      const bound = engine.submit({ ...wanted, spids: [asSpid(id)] }, undefined)
      const freed = engine.submit(command.free(vm, [id]), undefined)
      if (id % 100 !== 0) continue
      expect(must(await freed)).toMatchObject({ answer: { references: [1] } })
      must(await bound)
    }
    const lines: string[] = []
    for (let id = 1; id <= count; id++) {
      lines.push(`${4 + 2 * id} ALLOC vm ${id}, BIND vm ${id}`, `${5 + 2 * id} UNBIND vm ${id}, FREE vm ${id}`)
    }
    expect(await told()).toEqual(lines)
    expect(must(await engine.status())).toMatchObject({ freePending: count, allocated: count })
    expect(await engine.submit(wanted, undefined)).toMatchObject({ reason: 'CAPACITY_EXCEEDED' })
    // Half of them, and then the others.
    const half = 5 + count
    const { revision } = must(await engine.status())
    expect(await acknowledge(cpu, half)).toBe(revision + 1)
    expect(must(await engine.status()).freePending).toBe(count / 2)
    expect(await told()).toEqual([expect.stringMatching(/RECLAIM vm 1 2 3 .* 5000$/)])
    const { answer } = must(await engine.submit({ ...wanted, count: count / 2 }, undefined))
    expect(answer).toMatchObject({ kind: 'allocated', runs: [1, count / 2] })
    expect(await engine.submit(wanted, undefined)).toMatchObject({ reason: 'CAPACITY_EXCEEDED' })
    await acknowledge(cpu, revision)
    expect(must(await engine.status()).freePending).toBe(0)
    expect(await leaseOf(engine, cpu)).toMatchObject({ references: 0 })
    expect(await faultsOf(engine)).toEqual([])
  })

  it('also where the holder’s registration is on its way to the disk still', async () => {
    const { engine, vm, cpu } = await startHolders()
    const hold = { leaseId: cpu, priority: 'CPU' } as const
    const opening = subscribe(engine, { sets: namesOf(['vm']), start: { kind: 'after', revision: 4 }, hold })
    void engine.submit(command.allocate(vm, 1, [70]), undefined)
    const freed = engine.submit(command.free(vm, [1]), undefined)
    const { subscription } = await opening
    expect(must(await freed)).toMatchObject({ answer: { references: [1] } })
    expect(await subscription.next()).toMatchObject({ kind: 'entry', revision: 6 })
    expect(await subscription.next()).toMatchObject({ kind: 'entry', revision: 7 })
  })
})
