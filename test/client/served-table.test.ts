import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Client, connect } from '../../client/index.ts'
import { LIMITS } from '../support/engine.ts'
import { endOf, type Served, serve } from '../support/rpc.ts'
import { failureOf } from './failure-of.ts'
import { gate, logTable } from './table.ts'

/** The SDK's holders, before the daemon's own services. */

let served: Served
let client: Client

beforeEach(async () => {
  served = await serve()
  client = connect({ endpoint: served.address })
})

afterEach(async () => {
  await client.close()
  served.stop()
})

const stateOf = async (ioasid: number) =>
  client.getIoasid({ ioasid }).then(
    ({ state, references }) => `${state} ${references}`,
    () => 'free',
  )

describe('the SDK and the daemon', () => {
  it('agree on a hold: it has each id from BIND itself on, until its teardown is acknowledged', async () => {
    const { lease } = await client.grantLease({ ttlMs: 30_000, name: 'kvm' })
    const { leaseHandle } = lease
    const hold = { leaseHandle, priority: 'IOMMU' } as const
    const subscription = client.subscribe({ tokens: ['vm-a'], start: 'snapshot', hold })
    expect(await subscription.next()).toMatchObject({ value: { kind: 'snapshotBegin' } })
    expect((await client.getLease({ leaseHandle })).hold).toMatchObject({
      priority: 'IOMMU',
      tokens: ['vm-a'],
      setIds: [],
      all: false,
      acknowledgedRevision: 0n,
    })
    const { setHandle } = (await client.createSet({ token: 'vm-a' })).set
    const { ioasids, revision: bound } = await client.allocate({ setHandle, spids: [101] })
    const [ioasid = 0] = ioasids
    const freed = await client.free({ setHandle, ioasids })
    expect(freed.results).toEqual([{ ioasid, state: 'FREE_PENDING', references: 1 }])
    expect((await client.getIoasid({ ioasid })).holders).toMatchObject([
      { leaseId: lease.leaseId, name: 'kvm', count: 1, sinceRevision: bound, awaitingRevision: freed.revision },
    ])
    expect(await failureOf(client.release({ setHandle, ioasid, leaseHandle }))).toMatchObject({ reason: 'NOT_HELD' })
    const tooHigh = await failureOf(client.acknowledge({ leaseHandle, revision: 99n }))
    expect(tooHigh).toMatchObject({ reason: 'FUTURE_REVISION' })
    const past = { leaseHandle, revision: freed.revision, spaceId: 'another' }
    expect(await failureOf(client.acknowledge(past))).toMatchObject({ reason: 'HISTORY_CHANGED' })
    const { spaceId } = await client.getStatus()
    const { revision } = await client.acknowledge({ leaseHandle, revision: freed.revision, spaceId })
    expect(revision).toBe(freed.revision + 1n)
    expect(await client.acknowledge({ leaseHandle, revision: freed.revision })).toEqual({ revision })
    expect((await client.getLease({ leaseHandle })).hold?.acknowledgedRevision).toBe(freed.revision)
    expect(await stateOf(ioasid)).toBe('free')
    const differs = client.subscribe({ tokens: ['vm-b'], start: 'snapshot', hold })
    expect(await failureOf(differs.next())).toMatchObject({ reason: 'HOLD_DIFFERS' })
    await subscription.return()
  })

  it('agree that a second stream of a hold ends the first, and the end of the lease the second', async () => {
    const { lease } = await client.grantLease({ ttlMs: 30_000 })
    const hold = { leaseHandle: lease.leaseHandle }
    const open = async () => {
      const subscription = client.subscribe({ tokens: ['vm-a'], start: 'snapshot', hold })
      for (let item = 0; item < 2; item += 1) await subscription.next()
      const next = subscription.next()
      next.catch(() => {})
      return { subscription, next }
    }
    const first = await open()
    const second = await open()
    expect(await failureOf(first.next)).toMatchObject({ code: 'ABORTED', reason: 'SUPERSEDED' })
    await client.revokeLease({ leaseHandle: lease.leaseHandle })
    expect(await failureOf(second.next)).toMatchObject({ code: 'NOT_FOUND', reason: 'LEASE_NOT_FOUND' })
  })

  const wrongHolds: [string, object, () => unknown][] = [
    ['start', { now: true }, () => client.subscribe({ all: true, start: 'now', hold: { leaseHandle: 'x' } })],
    [
      'types',
      { snapshot: true, types: ['BIND'] },
      () => client.subscribe({ all: true, start: 'snapshot', types: ['BIND'], hold: { leaseHandle: 'x' } }),
    ],
    [
      'lease_handle',
      { snapshot: true, lease_handle: '' },
      () => client.subscribe({ all: true, start: 'snapshot', hold: { leaseHandle: '' } }),
    ],
  ]

  it.each(wrongHolds)('agree on what is no hold: %s', async (field, request, act) => {
    const wire = { all: true, hold: true, lease_handle: 'x', ...request }
    const refusal = await endOf(served.wire.open('ioasid.v1.NotificationService', 'Subscribe', wire))
    expect(refusal).toMatchObject({ reason: 'INVALID_FIELD', metadata: { field } })
    expect(act).toThrow(expect.objectContaining({ reason: 'INVALID_FIELD', metadata: { field } }))
  })

  it('agree that an operator may end a set and a lease without their handles', async () => {
    const { table } = await logTable(client, { name: 'stuck', onUnbind: () => new Promise<void>(() => {}) })
    const { set } = await client.createSet({ token: 'vm-a' })
    const [ioasid = 0] = (await client.allocate({ setHandle: set.setHandle, spids: [101] })).ioasids
    expect((await client.forceDeleteSet({ setId: set.setId })).set).toMatchObject({ state: 'DRAINING', freePending: 1 })
    const [holder] = (await client.getIoasid({ ioasid })).holders
    expect(holder?.leaseId).toBe(table.leaseId)
    await client.forceRevokeLease({ leaseId: table.leaseId })
    expect(await stateOf(ioasid)).toBe('free')
    expect(await failureOf(client.getSet({ token: 'vm-a' }))).toMatchObject({ reason: 'SET_NOT_FOUND' })
  })
})

describe('a table before the daemon', () => {
  it('keeps an id from its next life until its handler is through, and not longer', async () => {
    const cleaned = gate()
    const { table } = await logTable(client, { priority: 'CPU', onUnbind: () => cleaned.passed })
    const { setHandle } = (await client.createSet({ token: 'vm-a' })).set
    const { ioasids, revision } = await client.allocate({ setHandle, spids: [101] })
    await table.waitForRevision(revision)
    const [ioasid = 0] = ioasids
    expect(table.get(101)).toBe(ioasid)
    await client.free({ setHandle, ioasids })
    await expect.poll(() => table.get(101)).toBeUndefined()
    expect(await stateOf(ioasid)).toBe('FREE_PENDING 1')
    const again = await failureOf(client.allocate({ setHandle, min: ioasid, max: ioasid }))
    expect(again.reason).toBe('RANGE_EXHAUSTED')
    cleaned.pass()
    await expect.poll(() => stateOf(ioasid)).toBe('free')
    expect((await client.allocate({ setHandle, min: ioasid, max: ioasid })).ioasids).toEqual([ioasid])
    await table.close()
    expect((await client.getStatus()).leases).toBe(0)
  })

  it('is told after those of an earlier priority, or when their time is up, and then it is told so', async () => {
    const story: string[] = []
    const stops = gate()
    const note =
      (who: string) =>
      (spid: number, _ioasid: number, { overrun }: { overrun: boolean }) =>
        void story.push(`${who} ${spid}${overrun ? ' overrun' : ''}`)
    let isStuck = false
    const cpu = await logTable(client, {
      priority: 'CPU',
      onUnbind: (...told) => {
        note('cpu')(...told)
        return isStuck ? stops.passed : undefined
      },
    })
    const device = await logTable(client, { onUnbind: note('device') })
    const iommu = await logTable(client, { priority: 'IOMMU', onUnbind: note('iommu') })
    const { setHandle } = (await client.createSet({ token: 'vm-a' })).set
    const { ioasids } = await client.allocate({ setHandle, spids: [101, 102] })
    await client.free({ setHandle, ioasids: ioasids.slice(0, 1) })
    await expect.poll(() => story).toEqual(['cpu 101', 'iommu 101', 'device 101'])
    story.length = 0
    isStuck = true
    await client.free({ setHandle, ioasids: ioasids.slice(1) })
    await expect.poll(() => story).toEqual(['cpu 102'])
    served.clock.advance(LIMITS.teardownTimeoutMs)
    await expect.poll(() => story).toEqual(['cpu 102', 'iommu 102 overrun'])
    served.clock.advance(LIMITS.teardownTimeoutMs)
    await expect.poll(() => story).toEqual(['cpu 102', 'iommu 102 overrun', 'device 102 overrun'])
    await expect.poll(async () => (await client.getStatus()).overruns).toBeGreaterThan(0)
    expect(await stateOf(ioasids[1] ?? 0)).toBe('FREE_PENDING 1')
    stops.pass()
    await expect.poll(() => stateOf(ioasids[1] ?? 0)).toBe('free')
    for (const { table } of [cpu, iommu, device]) await table.close()
  })

  it('of two sets one after the other by one token keeps both apart', async () => {
    const { table, log } = await logTable(client)
    const sets: bigint[] = []
    for (let life = 0; life < 2; life += 1) {
      const { set } = await client.createSet({ token: 'vm-a' })
      const { revision } = await client.allocate({ setHandle: set.setHandle, spids: [101] })
      await table.waitForRevision(revision)
      expect(table.get(101, { setId: set.setId })).toBe(table.get(101))
      sets.push(...[...table.entries()].map(({ setId }) => setId))
      await client.deleteSet({ setHandle: set.setHandle, force: true })
      await expect.poll(async () => (await client.getStatus()).sets).toBe(0)
    }
    expect(new Set(sets).size).toBe(2)
    expect(log).toEqual(['bind 101 1', 'unbound 101 1', 'bind 101 2', 'unbound 101 2'])
    await table.close()
  })

  it('that has failed keeps its ids, until close lets go of them', async () => {
    let isBroken = true
    const onUnbind = () => {
      if (isBroken) throw new Error('stuck')
    }
    const { table } = await logTable(client, { onUnbind })
    const { setHandle } = (await client.createSet({ token: 'vm-a' })).set
    const { ioasids } = await client.allocate({ setHandle, spids: [101] })
    await client.freeAll({ setHandle })
    expect(await failureOf(table.closed)).toMatchObject({ code: 'ABORTED' })
    expect(await stateOf(ioasids[0] ?? 0)).toBe('FREE_PENDING 1')
    isBroken = false
    await table.close()
    expect(await stateOf(ioasids[0] ?? 0)).toBe('free')
  })

  it('whose lease is revoked by others unbinds everything', async () => {
    const { table, log } = await logTable(client)
    const { setHandle } = (await client.createSet({ token: 'vm-a' })).set
    await table.waitForRevision((await client.allocate({ setHandle, spids: [101, 102] })).revision)
    await client.forceRevokeLease({ leaseId: table.leaseId })
    expect(await failureOf(table.closed)).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
    expect(log.slice(2)).toEqual(['lost 101 1', 'lost 102 2'])
  })
})
