import { describe, expect, it } from 'vitest'
import type { Command } from '../../server/core/command.ts'
import type { Priority, TellableEvent } from '../../server/core/event.ts'
import { isFailure } from '../../server/core/failure.ts'
import { asIoasid, asLeaseId, asRevision, asSetId, asSpid } from '../../server/core/ids.ts'
import { countTornDown, isTeardown, rankOf, waitsOf } from '../../server/core/turn.ts'
import { type Running, start, submit } from '../support/space.ts'

const setId = asSetId(1)
const set = { setId, token: 'vm-a' }
const iommu = asLeaseId(1)
const cpu = asLeaseId(2)
const device = asLeaseId(3)
const late = asLeaseId(4)
const names = { tokens: ['vm-a'], setIds: [] }

function done(running: Running, command: Command): readonly TellableEvent[] {
  const decision = submit(running, command)
  if (isFailure(decision)) throw new Error(`${command.kind} was refused: ${decision.message}`)
  return decision.events.flatMap((event) => (event.kind === 'UNBIND' || event.kind === 'FREE' ? [event] : []))
}

/** r1 to r4: leases; r5 to r7: one holds vm-a for each priority; r8: set vm-a; r9: it has 1-4, all bound. */
function space(): Running {
  const running = start()
  const terms = { name: '', ttlMs: 1000, onExpiry: 'HOLD' } as const
  for (let lease = 1; lease <= 4; lease++) done(running, { kind: 'grant_lease', terms })
  done(running, { kind: 'register', leaseId: iommu, names, priority: 'IOMMU' })
  done(running, { kind: 'register', leaseId: cpu, names, priority: 'CPU' })
  done(running, { kind: 'register', leaseId: device, names, priority: 'DEVICE' })
  done(running, { kind: 'create_set', token: 'vm-a', quota: 0, leaseId: null })
  const spids = [101, 102, 103, 104].map(asSpid)
  done(running, { kind: 'allocate', setId, count: 4, min: 0, max: 15, spids, privateData: null })
  return running
}

const attach = (id: number): Command => ({
  kind: 'attach_spid',
  setId,
  ioasid: asIoasid(id),
  spid: asSpid(id),
  device: '',
})
const detach = (id: number): Command => ({ kind: 'detach_spid', setId, ioasid: asIoasid(id), device: '' })
const free = (...ids: readonly number[]): Command => ({
  kind: 'free',
  setId,
  ioasids: ids.map(asIoasid),
  generation: null,
})
const acknowledge = (leaseId: typeof cpu, revision: number): Command => ({ kind: 'acknowledge', leaseId, revision })

/** Whom a holder of each priority waits for, id by id: `1<2` is id 1, for lease 2. */
function waits({ state }: Running, events: readonly TellableEvent[], revision: number): Record<Priority, string> {
  const of = (priority: Priority) =>
    [...waitsOf(state, events, asRevision(revision), priority)]
      .map(({ ioasid, leaseId }) => `${ioasid}<${leaseId}`)
      .join(' ')
  return { CPU: of('CPU'), IOMMU: of('IOMMU'), DEVICE: of('DEVICE') }
}

describe('of a teardown', () => {
  it('the CPU is told at once, the IOMMU after the CPU, and the devices after both', () => {
    const running = space()
    const events = done(running, detach(1))
    expect(waits(running, events, 10)).toEqual({ CPU: '', IOMMU: '1<2', DEVICE: '1<1' })
    done(running, acknowledge(cpu, 10))
    expect(waits(running, events, 10)).toEqual({ CPU: '', IOMMU: '', DEVICE: '1<1' })
    done(running, acknowledge(iommu, 10))
    expect(waits(running, events, 10)).toEqual({ CPU: '', IOMMU: '', DEVICE: '' })
  })

  it('by a free each id is waited for once, though UNBIND and FREE both name it', () => {
    const running = space()
    const events = done(running, free(1, 2, 4))
    expect(events.map(({ kind }) => kind)).toEqual(['UNBIND', 'FREE'])
    expect(waits(running, events, 10)).toMatchObject({ IOMMU: '1<2 2<2 4<2' })
    expect(waits(running, events.slice(1), 10)).toMatchObject({ IOMMU: '1<2 2<2 4<2' })
  })

  it('whoever has acknowledged it is waited for no more, though he has yet to acknowledge a later one', () => {
    const running = space()
    const events = done(running, detach(1))
    done(running, attach(1))
    done(running, acknowledge(cpu, 10))
    const later = done(running, detach(1))
    expect(waits(running, events, 10)).toMatchObject({ IOMMU: '' })
    expect(waits(running, later, 13)).toMatchObject({ IOMMU: '1<2' })
  })

  it('nobody is waited for whose reference began with it or later', () => {
    const running = space()
    const events = done(running, detach(1))
    done(running, acknowledge(cpu, 10))
    done(running, { kind: 'register', leaseId: late, names, priority: 'CPU' })
    done(running, attach(1))
    const later = done(running, detach(1))
    expect(waits(running, events, 10)).toMatchObject({ IOMMU: '' })
    expect(waits(running, later, 13)).toMatchObject({ IOMMU: '' })
    expect(waits(running, later, 14)).toMatchObject({ IOMMU: '1<2' })
    done(running, acknowledge(cpu, 14))
    expect(waits(running, later, 13)).toMatchObject({ IOMMU: '' })
    expect(waits(running, later, 14)).toMatchObject({ IOMMU: '1<4' })
  })

  it('of those that are waited for the first lease is named, whoever held the id first', () => {
    const running = start()
    const terms = { name: '', ttlMs: 1000, onExpiry: 'HOLD' } as const
    for (let lease = 1; lease <= 2; lease++) done(running, { kind: 'grant_lease', terms })
    done(running, { kind: 'register', leaseId: asLeaseId(2), names, priority: 'CPU' })
    done(running, { kind: 'create_set', token: 'vm-a', quota: 0, leaseId: null })
    const spids = [asSpid(1)]
    done(running, { kind: 'allocate', setId, count: 1, min: 0, max: 15, spids, privateData: null })
    done(running, detach(1))
    done(running, { kind: 'register', leaseId: asLeaseId(1), names, priority: 'CPU' })
    done(running, attach(1))
    const events = done(running, detach(1))
    expect(waits(running, events, 9)).toEqual({ CPU: '', IOMMU: '1<1', DEVICE: '1<1' })
  })

  it('ids that nobody holds any longer, or that were never used, are waited for by nobody', () => {
    const running = start({ capacity: 9000 })
    const events: readonly TellableEvent[] = [{ kind: 'FREE', set, runs: [1, 2, 1, 8000, 1, 1], pending: false }]
    expect(waits(running, events, 1)).toEqual({ CPU: '', IOMMU: '', DEVICE: '' })
  })

  it('only UNBIND and FREE make anybody wait', () => {
    const running = space()
    done(running, free(1, 2))
    const others: readonly TellableEvent[] = [
      { kind: 'SET_ADJUST', set, quota: 1 },
      { kind: 'ALLOC', set, runs: [1, 2] },
      { kind: 'BIND', set, runs: [1, 2, 101, 9], device: '' },
      { kind: 'RECLAIM', set, runs: [1, 2, 9] },
    ]
    expect(waits(running, others, 10)).toEqual({ CPU: '', IOMMU: '', DEVICE: '' })
    expect(isTeardown(others)).toBe(false)
    expect(countTornDown(others)).toBe(0)
  })

  it('there is one where any event is an UNBIND or a FREE, and a look at it costs the ids of these', () => {
    const alloc: TellableEvent = { kind: 'ALLOC', set, runs: [20, 7] }
    const unbind: TellableEvent = { kind: 'UNBIND', set, runs: [1, 3, 101, 9, 9], pending: true }
    const freed: TellableEvent = { kind: 'FREE', set, runs: [1, 3, 9, 8, 2, 9], pending: true }
    expect([[alloc, unbind], [freed, alloc], [alloc], []].map(isTeardown)).toEqual([true, true, false, false])
    expect(countTornDown([alloc, unbind, freed, { kind: 'SET_FREE', set }])).toBe(8)
  })

  it('a holder waits for as many time-outs as there are priorities before its own', () => {
    expect((['CPU', 'IOMMU', 'DEVICE'] as const).map(rankOf)).toEqual([0, 1, 2])
  })
})
