import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Reason } from '../../server/core/failure.ts'
import { asLeaseId } from '../../server/core/ids.ts'
import { grantLease } from '../support/engine.ts'
import { settle } from '../support/manual-clock.ts'
import { callerUnder, policyOf } from '../support/rights.ts'
import { type Refusal, refusalOf, type Served, serve } from '../support/rpc.ts'

let served: Served
/** The handle of set 1, token `vm`: its ids are 1 with SPID 7, and 2. */
let vm: string
/** The handles of leases 1 and 2. */
let kvm: string
let iommu: string

beforeEach(async () => {
  served = await serve({ isAdmin: false, space: { maxLeases: 3, maxReferences: 2 } })
  vm = ((await served.set('CreateSet', { token: 'vm' })) as { set: { set_handle: string } }).set.set_handle
  await served.ioasid('Allocate', { set_handle: vm, spids: [7], private_data: Buffer.from('x') })
  await served.ioasid('Allocate', { set_handle: vm })
  kvm = await grant({ ttl_ms: 10_000, name: 'kvm', on_expiry: 'HOLD' })
  iommu = await grant({ ttl_ms: 5000 })
})
afterEach(() => served.stop())

async function grant(request: object): Promise<string> {
  return ((await served.lease('GrantLease', request)) as { lease: { lease_handle: string } }).lease.lease_handle
}

const acquire = (ioasid: number, lease_handle: string) =>
  served.ioasid('Acquire', { token: 'vm', ioasid, lease_handle })
const release = (ioasid: number, lease_handle: string) =>
  served.ioasid('Release', { token: 'vm', ioasid, lease_handle })
const free = (...ioasids: number[]) => served.ioasid('Free', { set_handle: vm, ioasids })

async function expire(ms: number): Promise<void> {
  served.clock.advance(ms + 1000)
  await settle()
}

describe('a lease on the wire', () => {
  it('is what was asked for, and RELEASE where nothing was said', async () => {
    const granted = await served.lease('GrantLease', { ttl_ms: 5000, name: 'é', request_id: 'r' })
    expect(granted).toEqual({
      lease: {
        lease_handle: expect.stringMatching(/^lease-[\w-]{32}$/),
        lease_id: '3',
        name: 'é',
        ttl_ms: '5000',
        remaining_ms: '5000',
        on_expiry: 'RELEASE',
        references: '0',
        sets: 0,
        state: 'ALIVE',
        hold: null,
        owner: '',
      },
      revision: '6',
    })
    expect(await served.lease('GrantLease', { ttl_ms: 5000, name: 'é', request_id: 'r' })).toEqual(granted)
  })

  it('shows what remains, what it holds and what ends with it', async () => {
    await served.set('CreateSet', { token: 'own', lease_handle: kvm })
    for (const id of [1, 1, 2]) await acquire(id, kvm)
    served.clock.advance(4000)
    const lease = { lease_handle: kvm, remaining_ms: '6000', references: '3', sets: 1, state: 'ALIVE', name: 'kvm' }
    expect(await served.lease('GetLease', { lease_handle: kvm })).toMatchObject({ lease })
    expect(await served.set('GetSet', { token: 'own' })).toMatchObject({ set: { lease_id: '1' } })
    expect((await served.set('GetSet', { token: 'vm' }))['set']).not.toHaveProperty('lease_id')
  })

  it('KeepLeaseAlive gives it its whole time again, at the current revision', async () => {
    served.clock.advance(4000)
    expect(await served.lease('KeepLeaseAlive', { lease_handle: kvm })).toMatchObject({
      lease: { lease_handle: kvm, remaining_ms: '10000', state: 'ALIVE' },
      revision: '5',
    })
  })

  it('that is HELD says so, and revives with a revision of its own', async () => {
    await acquire(1, kvm)
    await expire(10_000)
    const held = { state: 'HELD', remaining_ms: '0', references: '1', sets: 0, on_expiry: 'HOLD' }
    expect(await served.lease('GetLease', { lease_handle: kvm })).toMatchObject({ lease: held })
    expect(await served.lease('ListLeases', {})).toMatchObject({ leases: [{ lease_id: '1', ...held }] })
    // Revisions: 6 the reference, 7 the end of the other lease, 8 that of this one.
    expect(await served.lease('KeepLeaseAlive', { lease_handle: kvm })).toMatchObject({
      lease: { state: 'ALIVE', remaining_ms: '10000', references: '1' },
      revision: '9',
    })
  })

  it('that is revoked is gone', async () => {
    expect(await served.lease('RevokeLease', { lease_handle: kvm, request_id: 'r' })).toEqual({ revision: '6' })
    expect(await served.lease('RevokeLease', { lease_handle: kvm, request_id: 'r' })).toEqual({ revision: '6' })
    for (const method of ['GetLease', 'KeepLeaseAlive', 'RevokeLease']) {
      const refusal = await refusalOf(served.lease(method, { lease_handle: kvm }))
      expect(refusal).toMatchObject({ status: 'NOT_FOUND', reason: 'LEASE_NOT_FOUND', metadata: {} })
    }
  })

  it('is listed page by page, by number', async () => {
    await grant({ ttl_ms: 1000 })
    const first = await served.lease('ListLeases', { page_size: 2 })
    expect(first).toMatchObject({ leases: [{ lease_id: '1' }, { lease_id: '2' }] })
    const page_token = first['next_page_token']
    await served.lease('RevokeLease', { lease_handle: iommu })
    expect(await served.lease('ListLeases', { page_size: 2, page_token })).toMatchObject({
      leases: [{ lease_id: '3' }],
      next_page_token: '',
    })
    const refusal = await refusalOf(served.set('ListSets', { page_token }))
    expect(refusal).toMatchObject({ reason: 'INVALID_FIELD', metadata: { field: 'page_token' } })
  })

  it('is counted in the status, and so are the ids that wait', async () => {
    const status = () => served.engine.status()
    await acquire(1, kvm)
    await acquire(1, iommu)
    await free(1, 2)
    expect(await status()).toMatchObject({ leases: 2, freePending: 1, allocated: 1 })
    await expire(10_000)
    expect(await status()).toMatchObject({ leases: 1, freePending: 1 })
    await release(1, kvm)
    expect(await status()).toMatchObject({ leases: 0, freePending: 0, allocated: 0 })
  })
})

describe('a lease handle', () => {
  it('is shown to who presents it, and to nobody else', async () => {
    await acquire(1, kvm)
    await free(1)
    const stream = served.wire.open('ioasid.v1.NotificationService', 'Subscribe', { all: true, after_revision: '0' })
    const messages = []
    for (let read = 0; read < 6; read++) {
      // Nothing is told of leases and references: HEADER, three changes of the set, FREE.
      if (read === 5) served.clock.advance(5000)
      messages.push(await stream.next())
    }
    expect(messages.at(-1)).toMatchObject({ kind: 'HEARTBEAT' })
    stream.cancel()
    const seen = [
      messages,
      await served.lease('ListLeases', {}),
      await served.ioasid('GetIoasid', { set_handle: vm, ioasid: 1 }),
      await served.ioasid('ListIoasids', { set_handle: vm }),
    ]
    expect(JSON.stringify(seen)).not.toContain('lease-')
    expect(JSON.stringify(seen)).not.toContain(vm)
  })

  it('and a set handle are no substitutes for each other', async () => {
    const swapped = vm.replace('set-', 'lease-')
    const reversed = kvm.replace('lease-', 'set-')
    const tampered = kvm.slice(0, -1) + (kvm.endsWith('A') ? 'Q' : 'A')
    for (const lease_handle of [vm, swapped, tampered, kvm.toUpperCase(), ` ${kvm}`, `${kvm}=`]) {
      for (const refusal of [
        await refusalOf(served.lease('GetLease', { lease_handle })),
        await refusalOf(served.lease('KeepLeaseAlive', { lease_handle })),
        await refusalOf(served.lease('RevokeLease', { lease_handle })),
        await refusalOf(acquire(1, lease_handle)),
        await refusalOf(served.set('CreateSet', { token: 'new', lease_handle })),
      ]) {
        expect(refusal).toMatchObject({ reason: 'LEASE_NOT_FOUND', metadata: {} })
        expect(refusal.message).not.toContain(lease_handle.slice(-20))
      }
    }
    for (const set_handle of [kvm, reversed]) {
      expect(await refusalOf(served.set('GetSet', { set_handle }))).toMatchObject({ reason: 'SET_NOT_FOUND' })
      expect(await refusalOf(served.ioasid('Allocate', { set_handle }))).toMatchObject({ reason: 'SET_NOT_FOUND' })
    }
  })
})

describe('references on the wire', () => {
  it('are counted in answers as the sum of all leases', async () => {
    expect(await acquire(1, kvm)).toEqual({ references: '1', revision: '6' })
    expect(await acquire(1, iommu)).toEqual({ references: '2', revision: '7' })
    expect(await free(1, 2)).toEqual({
      results: [
        { ioasid: 1, state: 'FREE_PENDING', references: '2' },
        { ioasid: 2, state: 'FREE', references: '0' },
      ],
      revision: '8',
    })
    expect(await served.ioasid('FreeAll', { set_handle: vm })).toEqual({ reclaimed: 0, pending: 1, revision: '8' })
    expect(await release(1, kvm)).toEqual({ references: '1', reclaimed: false, revision: '9' })
    expect(await release(1, iommu)).toEqual({ references: '0', reclaimed: true, revision: '10' })
  })

  it('FindBySpid takes one in the same step, where it is asked to', async () => {
    const found = await served.ioasid('FindBySpid', { token: 'vm', spid: 7, acquire_for_lease: kvm, request_id: 'r' })
    expect(found).toMatchObject({ info: { ioasid: 1, spid: 7, references: '1', state: 'ACTIVE' }, revision: '6' })
    const again = await served.ioasid('FindBySpid', { token: 'vm', spid: 7, acquire_for_lease: kvm, request_id: 'r' })
    expect(again).toEqual(found)
    const looked = await served.ioasid('FindBySpid', { token: 'vm', spid: 7, acquire_for_lease: '' })
    expect(looked).toMatchObject({ info: { references: '1' }, revision: '6' })
    await free(1)
    // Found until it is reclaimed, but acquired no more.
    expect(await served.ioasid('FindBySpid', { token: 'vm', spid: 7 })).toMatchObject({
      info: { state: 'FREE_PENDING', spid: 7, devices: [] },
    })
    const refusal = await refusalOf(served.ioasid('FindBySpid', { token: 'vm', spid: 7, acquire_for_lease: kvm }))
    expect(refusal).toMatchObject({ reason: 'FREE_PENDING', metadata: { ioasid: '1' } })
  })

  it('show their holders to who presents the handle of the set, and to nobody else who is no administrator', async () => {
    await acquire(1, kvm)
    await acquire(1, kvm)
    const since_time = { seconds: '1700000001', nanos: 0 }
    const holder = { lease_id: '1', name: 'kvm', count: 2, since_revision: '6', since_time }
    const mine = { set_handle: vm }
    const shown = { holders: [holder], references: '2' }
    const { info } = (await served.ioasid('GetIoasid', { ...mine, ioasid: 1 })) as { info: { holders: object[] } }
    expect(info).toMatchObject(shown)
    expect(info.holders[0]).not.toHaveProperty('awaiting_revision')
    expect(await served.ioasid('FindBySpid', { ...mine, spid: 7 })).toMatchObject({ info: shown })
    expect(await served.ioasid('ListIoasids', mine)).toMatchObject({ infos: [shown, { holders: [] }] })
    const hidden = { holders: [], references: '2' }
    expect(await served.ioasid('GetIoasid', { ioasid: 1 })).toMatchObject({ info: hidden })
    expect(await served.ioasid('FindBySpid', { token: 'vm', spid: 7 })).toMatchObject({ info: hidden })
    expect(await served.ioasid('ListIoasids', { token: 'vm' })).toMatchObject({ infos: [hidden, {}] })
    const found = await served.ioasid('FindBySpid', { token: 'vm', spid: 7, acquire_for_lease: iommu })
    expect(found).toMatchObject({ info: { holders: [], references: '3' } })
    expect(found['info']).not.toHaveProperty('private_data')
    const acquiring = { ...mine, spid: 7, acquire_for_lease: iommu, request_id: 'r' }
    const own = { private_data: Buffer.from('x'), references: '4', holders: [holder, { lease_id: '2', count: 2 }] }
    const owned = await served.ioasid('FindBySpid', acquiring)
    expect(owned).toMatchObject({ info: own })
    expect(await served.ioasid('FindBySpid', acquiring)).toEqual(owned)
    // The id's next life is nothing that the answer of then could show.
    for (const lease_handle of [kvm, iommu]) await served.lease('RevokeLease', { lease_handle })
    await free(1)
    await served.ioasid('Allocate', { set_handle: vm, min: 1, max: 1, spids: [7], private_data: Buffer.from('y') })
    const { info: late } = (await served.ioasid('FindBySpid', acquiring)) as { info: object }
    expect(late).toMatchObject({ ioasid: 1, references: '4', holders: [] })
    expect(late).not.toHaveProperty('private_data')
  })

  it('each refusal has the status and the facts of the table', async () => {
    await acquire(1, kvm)
    await acquire(2, kvm)
    await free(1)
    const full = { what: 'references', limit: '2' }
    const mine = { set_handle: vm, ioasid: 1 }
    const rows: [Promise<unknown>, Refusal['status'], Reason, object][] = [
      [acquire(1, kvm), 'FAILED_PRECONDITION', 'FREE_PENDING', { ioasid: '1' }],
      [served.ioasid('AttachSpid', { ...mine, spid: 7 }), 'FAILED_PRECONDITION', 'FREE_PENDING', { ioasid: '1' }],
      [served.ioasid('DetachSpid', mine), 'FAILED_PRECONDITION', 'FREE_PENDING', { ioasid: '1' }],
      [
        served.ioasid('AttachData', { ...mine, private_data: Buffer.from('y') }),
        'FAILED_PRECONDITION',
        'FREE_PENDING',
        { ioasid: '1' },
      ],
      [
        served.ioasid('Allocate', { set_handle: vm, spids: [7] }),
        'ALREADY_EXISTS',
        'SPID_IN_USE',
        { set_id: '1', spid: '7', ioasid: '1' },
      ],
      [release(2, iommu), 'FAILED_PRECONDITION', 'NOT_HELD', { ioasid: '2' }],
      [acquire(2, iommu), 'RESOURCE_EXHAUSTED', 'TOO_MANY', full],
      [acquire(9, 'lease-guess'), 'NOT_FOUND', 'IOASID_NOT_FOUND', { ioasid: '9' }],
      [acquire(1, 'lease-guess'), 'NOT_FOUND', 'LEASE_NOT_FOUND', {}],
    ]
    for (const [call, status, reason, metadata] of rows) {
      const refusal = await refusalOf(call)
      expect(refusal).toMatchObject({ status, reason })
      expect(refusal.metadata, reason).toEqual(metadata)
    }
    // What belongs to it may go, though it is pending.
    expect(await served.ioasid('DetachData', mine)).toEqual({ revision: '9' })
  })

  it('a set that waits for them says so to who wants its token', async () => {
    await acquire(1, kvm)
    await acquire(1, iommu)
    const deleted = await served.set('DeleteSet', { set_handle: vm, force: true })
    expect(deleted).toMatchObject({ set: { state: 'DRAINING', free_pending: 1, allocated: 1, bound: 0 } })
    expect(await served.set('DeleteSet', { set_handle: vm })).toEqual(deleted)
    expect(await refusalOf(served.set('CreateSet', { token: 'vm' }))).toMatchObject({
      status: 'ALREADY_EXISTS',
      reason: 'TOKEN_IN_USE',
      metadata: { token: 'vm', set_id: '1', free_pending: '1', references: '2' },
    })
    expect(await refusalOf(served.ioasid('Allocate', { set_handle: vm }))).toMatchObject({
      status: 'FAILED_PRECONDITION',
      reason: 'SET_DRAINING',
      metadata: { set_id: '1' },
    })
    await served.lease('RevokeLease', { lease_handle: kvm })
    await served.lease('RevokeLease', { lease_handle: iommu })
    await served.set('CreateSet', { token: 'vm' })
    expect(served.errors).toEqual([])
  })
})

describe('one lease more than there may be', () => {
  it('is TOO_MANY', async () => {
    await grant({ ttl_ms: 1000 })
    expect(await refusalOf(served.lease('GrantLease', { ttl_ms: 1000 }))).toMatchObject({
      status: 'RESOURCE_EXHAUSTED',
      reason: 'TOO_MANY',
      metadata: { what: 'leases', limit: '3' },
    })
  })
})

describe('a list of leases where there is a policy', () => {
  it('is of those that are the caller’s, and leaves out those that nobody is known to have', async () => {
    const grant = policyOf("  - { to: 'uid:1', own: vm-a }")
    const theirs = await serve({ caller: callerUnder(grant, 'uid:1') })
    await grantLease(theirs.engine, 10_000)
    const { lease } = (await theirs.lease('GrantLease', { ttl_ms: 10_000 })) as { lease: { lease_id: string } }
    expect(await theirs.lease('ListLeases', {})).toMatchObject({ leases: [{ lease_id: lease.lease_id }] })
    const handle = theirs.engine.handles.ofLease(asLeaseId(1))
    expect(await theirs.lease('GetLease', { lease_handle: handle })).toMatchObject({ lease: { lease_id: '1' } })
    theirs.stop()
  })
})
