import { status as code } from '@grpc/grpc-js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { endOf, refusalOf } from '../support/rpc.ts'
import { lineFrom, nextOf, serveHolders } from '../support/served-holders.ts'
import { subscribeStopped } from '../support/stopped-reader.ts'

let served: Awaited<ReturnType<typeof serveHolders>>
beforeEach(async () => {
  served = await serveHolders()
})
afterEach(() => served.stop())

describe('a hold on the wire', () => {
  it('is shown on its lease, and holds what is bound; its owner sees who, since when and what is awaited', async () => {
    const { vm, kvm, hold, acknowledge, bind, free } = served
    const stream = hold(kvm, 'CPU', { after_revision: '4', set_handles: [vm] })
    expect(await lineFrom(stream)).toBe('HEADER 4')
    await bind(70)
    expect(await lineFrom(stream)).toBe('NOTIFICATIONS 6 ALLOC 1 BIND 1')
    expect(await served.lease('GetLease', { lease_handle: kvm })).toMatchObject({
      lease: {
        references: '1',
        hold: {
          priority: 'CPU',
          all: false,
          tokens: ['vm'],
          set_ids: ['1'],
          register_revision: '5',
          acknowledged_revision: '0',
        },
      },
    })
    const mine = { set_handle: vm, ioasid: 1 }
    const holder = { lease_id: '1', name: 'kvm', count: 1, since_revision: '6' }
    const { info } = (await served.ioasid('GetIoasid', mine)) as { info: { holders: object[] } }
    expect(info).toMatchObject({ references: '1', holders: [holder] })
    expect(info.holders[0]).not.toHaveProperty('awaiting_revision')
    expect(await free(1)).toMatchObject({ results: [{ state: 'FREE_PENDING', references: '1' }], revision: '7' })
    expect(await lineFrom(stream)).toBe('NOTIFICATIONS 7 UNBIND 1 FREE 1')
    const awaiting = { ...holder, awaiting_revision: '7' }
    expect(await served.ioasid('GetIoasid', mine)).toMatchObject({
      info: { state: 'FREE_PENDING', holders: [awaiting] },
    })
    expect(await refusalOf(served.ioasid('Release', { token: 'vm', ioasid: 1, lease_handle: kvm }))).toMatchObject({
      status: 'FAILED_PRECONDITION',
      reason: 'NOT_HELD',
    })
    expect(await acknowledge(kvm, '7')).toEqual({ revision: '8' })
    expect(await lineFrom(stream)).toBe('NOTIFICATIONS 8 RECLAIM 1')
    expect(await acknowledge(kvm, '7')).toEqual({ revision: '8' })
    expect(served.errors).toEqual([])
  })

  it('system-wide is shown so', async () => {
    const { kvm, hold } = served
    expect(await lineFrom(hold(kvm, 'IOMMU', { tokens: [], all: true, snapshot: true }))).toBe('HEADER 5')
    expect(await served.lease('ListLeases', {})).toMatchObject({
      leases: [{ hold: { all: true, tokens: [], set_ids: [], priority: 'IOMMU' } }, { hold: null }, { hold: null }],
    })
  })

  it('of no priority is of a DEVICE', async () => {
    const { nic, open } = served
    await nextOf(open({ tokens: ['vm'], hold: true, lease_handle: nic, snapshot: true }))
    expect(await served.lease('GetLease', { lease_handle: nic })).toMatchObject({
      lease: { hold: { priority: 'DEVICE' } },
    })
  })

  it('shows no handle in anything that is told', async () => {
    const { vm, kvm, hold, bind, free } = served
    const stream = hold(kvm, 'CPU')
    await bind(70)
    await free(1)
    const seen = JSON.stringify([await nextOf(stream), await nextOf(stream), await nextOf(stream)])
    for (const secret of [vm, kvm, 'lease-', 'set-']) expect(seen).not.toContain(secret)
  })
})

describe('a hold that is refused', () => {
  it.each<[string, object, string, string]>([
    ['start now', { now: true, lease_handle: 'lease-guess' }, 'INVALID_FIELD', 'start'],
    ['types without UNBIND', { snapshot: true, types: ['BIND', 'FREE'] }, 'INVALID_FIELD', 'types'],
    ['no lease', { snapshot: true, lease_handle: '' }, 'INVALID_FIELD', 'lease_handle'],
    ['a lease without a hold', { snapshot: true, hold: false }, 'INVALID_FIELD', 'lease_handle'],
    ['a wrong lease, of a wrong set', { snapshot: true, lease_handle: 'x', set_handles: ['y'] }, 'SET_NOT_FOUND', ''],
    ['a wrong lease', { after_revision: '99', lease_handle: 'x' }, 'LEASE_NOT_FOUND', ''],
    ['a set handle for a lease', { after_revision: '99', lease_handle: 'vm' }, 'LEASE_NOT_FOUND', ''],
    ['another history', { after_revision: '4', space_id: 'x' }, 'HISTORY_CHANGED', ''],
    ['the future', { after_revision: '5' }, 'FUTURE_REVISION', ''],
  ])('for %s, in the contract’s order, leaves nothing behind', async (_name, from, reason, field) => {
    const { vm, kvm, open, status } = served
    const before = await status()
    const asked = { tokens: ['vm'], hold: true, lease_handle: kvm, ...from }
    if (asked.lease_handle === 'vm') asked.lease_handle = vm
    const refusal = await endOf(open(asked))
    expect(refusal).toMatchObject({ reason, metadata: field === '' ? {} : { field } })
    expect(await status()).toEqual(before)
    expect(await served.lease('GetLease', { lease_handle: kvm })).toMatchObject({ lease: { hold: null } })
  })

  it('with another filter or priority than the lease’s is HOLD_DIFFERS', async () => {
    const { kvm, hold } = served
    await nextOf(hold(kvm, 'CPU'))
    for (const refused of [hold(kvm, 'IOMMU'), hold(kvm, 'CPU', { tokens: ['vm', 'x'], snapshot: true })]) {
      expect(await endOf(refused)).toMatchObject({
        status: 'FAILED_PRECONDITION',
        reason: 'HOLD_DIFFERS',
        metadata: { lease_id: '1' },
      })
    }
  })

  it('Acknowledge of the future is FUTURE_REVISION, of no lease LEASE_NOT_FOUND', async () => {
    const { vm, kvm, acknowledge } = served
    const future = { status: 'OUT_OF_RANGE', reason: 'FUTURE_REVISION', metadata: { revision: '4' } }
    expect(await refusalOf(acknowledge(kvm, '5'))).toMatchObject(future)
    expect(await refusalOf(acknowledge(kvm, '18446744073709551615'))).toMatchObject(future)
    expect(await refusalOf(acknowledge('lease-guess', '1'))).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
    expect(await refusalOf(acknowledge('', '1'))).toMatchObject({ reason: 'INVALID_FIELD' })
    expect(await refusalOf(acknowledge(vm, '1'))).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
  })

  it('Acknowledge of another history is HISTORY_CHANGED and changes nothing, of the stream’s own it is taken', async () => {
    const { kvm, hold, acknowledge, bind, free } = served
    const stream = hold(kvm, 'CPU')
    const { space_id } = await nextOf(stream)
    await bind(70)
    await free(1)
    expect(await refusalOf(acknowledge(kvm, '7', `${space_id}-before`))).toMatchObject({
      status: 'OUT_OF_RANGE',
      reason: 'HISTORY_CHANGED',
      metadata: { space_id },
    })
    expect(await served.status()).toMatchObject({ revision: '7', free_pending: 1 })
    expect(await refusalOf(acknowledge(kvm, '7', 'x\n'))).toMatchObject({ reason: 'INVALID_FIELD' })
    expect(await refusalOf(acknowledge('lease-guess', '7', 'x'))).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
    expect(await acknowledge(kvm, '7', space_id)).toEqual({ revision: '8' })
    expect(await served.status()).toMatchObject({ revision: '8', free_pending: 0 })
  })
})

describe('the end of a holder’s stream', () => {
  it('by a later one of the same registration is ABORTED, SUPERSEDED, with the number of the later', async () => {
    const { kvm, hold, bind, status } = served
    const first = hold(kvm, 'CPU')
    await nextOf(first)
    const second = hold(kvm, 'CPU')
    const { subscription_id } = await nextOf(second)
    const refusal = await endOf(first)
    expect(refusal).toMatchObject({ status: 'ABORTED', reason: 'SUPERSEDED', metadata: { subscription_id } })
    await bind(70)
    expect(await lineFrom(second)).toBe('NOTIFICATIONS 6 ALLOC 1 BIND 1')
    expect(await status()).toMatchObject({ subscriptions: 1, revision: '6' })
  })

  it.each(['HOLD', 'RELEASE'])('with its lease by time, %s, comes at once, while its wave waits', async (on_expiry) => {
    const { kvm, grant, hold, bind, free, advance } = served
    await nextOf(hold(kvm, 'CPU'))
    const stream = hold(await grant('mortal', on_expiry, 2000), 'IOMMU', { after_revision: '4' })
    await nextOf(stream)
    await bind(70)
    await free(1)
    expect(await lineFrom(stream)).toContain('ALLOC 1 BIND 1')
    await advance(3000)
    expect(await endOf(stream)).toMatchObject({ status: 'NOT_FOUND', reason: 'LEASE_NOT_FOUND', metadata: {} })
  })

  it('that has stopped reading is told, too, when it reads what was on its way', async () => {
    const { kvm, hold, bind, address } = served
    await nextOf(hold(kvm, 'CPU'))
    const asked = { tokens: ['vm'], hold: true, lease_handle: kvm, after_revision: '4' }
    const stopped = subscribeStopped(address, { ...asked, priority: 'CPU' })
    await stopped.begun
    for (let spid = 0; spid < 50; spid++) await bind(spid)
    await served.lease('RevokeLease', { lease_handle: kvm })
    await stopped.readUntil(({ notifications }) => notifications.some(({ spid }) => spid === 49))
    expect(await stopped.ended).toMatchObject({ 'grpc-status': String(code.NOT_FOUND) })
    stopped.cancel()
  })

  it('by its reader leaves the registration: what happens meanwhile is held, and told when it comes back', async () => {
    const { kvm, hold, bind, free, status } = served
    const stream = hold(kvm, 'CPU')
    await nextOf(stream)
    stream.cancel()
    await stream.ended
    await bind(70)
    await free(1)
    const back = hold(kvm, 'CPU', { after_revision: '4' })
    expect([await lineFrom(back), await lineFrom(back), await lineFrom(back)]).toEqual([
      'HEADER 4',
      'NOTIFICATIONS 6 ALLOC 1 BIND 1',
      'NOTIFICATIONS 7 UNBIND 1 FREE 1',
    ])
    expect(await status()).toMatchObject({ free_pending: 1, revision: '7' })
  })
})
