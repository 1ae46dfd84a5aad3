import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Client, connect } from '../../client/index.ts'
import { type Served, serve } from '../support/rpc.ts'
import { failureOf } from './failure-of.ts'

/** The SDK's part for holders, before the daemon's own services. */

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

describe('the SDK and the daemon', () => {
  it('agree on the life of a lease', async () => {
    const { lease } = await client.grantLease({ ttlMs: 30_000, name: 'kvm', onExpiry: 'HOLD' })
    const { leaseHandle, leaseId } = lease
    const shown = { leaseId, name: 'kvm', ttlMs: 30_000, onExpiry: 'HOLD', references: 0, sets: 0, state: 'ALIVE' }
    expect(lease).toMatchObject({ ...shown, remainingMs: 30_000 })
    expect((await client.keepLeaseAlive({ leaseHandle })).lease).toMatchObject({ ...shown, leaseHandle })
    expect(await client.getLease({ leaseHandle })).toMatchObject({ ...shown, leaseHandle })
    await client.grantLease({ ttlMs: 500 })
    const listed = []
    for await (const each of client.listLeases({ pageSize: 1 })) listed.push(each)
    expect(listed).toMatchObject([
      { ...shown, leaseHandle: '' },
      { ttlMs: 500, onExpiry: 'RELEASE' },
    ])
    const { set } = await client.createSet({ token: 'vm-a', leaseHandle })
    expect(set.leaseId).toBe(leaseId)
    await client.revokeLease({ leaseHandle })
    expect(await failureOf(client.getLease({ leaseHandle }))).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
    expect(await failureOf(client.getSet({ token: 'vm-a' }))).toMatchObject({ reason: 'SET_NOT_FOUND' })
  })

  it('agree on references: what is held is pending, and says who holds it', async () => {
    const { setHandle } = (await client.createSet({ token: 'vm-a' })).set
    const { ioasids } = await client.allocate({ setHandle, spids: [101] })
    const [ioasid = 0] = ioasids
    const { lease } = await client.grantLease({ ttlMs: 30_000, name: 'kvm' })
    const { leaseHandle, leaseId } = lease
    const found = await client.findBySpid({ token: 'vm-a', spid: 101, acquireForLease: leaseHandle })
    expect(found.info).toMatchObject({ ioasid, references: 1 })
    const held = { token: 'vm-a', ioasid, leaseHandle }
    expect(await client.acquire(held)).toMatchObject({ references: 2 })
    const freed = await client.free({ setHandle, ioasids: [ioasid] })
    expect(freed.results).toEqual([{ ioasid, state: 'FREE_PENDING', references: 2 }])
    const { holders } = await client.getIoasid({ ioasid, setHandle })
    expect(holders).toMatchObject([
      { leaseId, name: 'kvm', count: 2, sinceRevision: found.revision, awaitingRevision: undefined },
    ])
    // This listener is for administrators, who see what an owner sees.
    expect((await client.getIoasid({ ioasid })).holders).toEqual(holders)
    expect(await failureOf(client.acquire(held))).toMatchObject({ reason: 'FREE_PENDING' })
    const results = await client.batch([
      { kind: 'release', ...held },
      { kind: 'release', ...held },
      { kind: 'release', ...held },
    ])
    expect(results).toMatchObject([
      { kind: 'release', references: 1, reclaimed: false },
      { kind: 'release', references: 0, reclaimed: true },
      { kind: 'failure', error: { reason: 'IOASID_NOT_FOUND' } },
    ])
    expect(await client.getStatus()).toMatchObject({ freePending: 0, leases: 1 })
  })

  it('agree on what is too short, and on what is done twice', async () => {
    expect(await failureOf(client.grantLease({ ttlMs: 499 }))).toMatchObject({
      reason: 'INVALID_FIELD',
      metadata: { field: 'ttl_ms' },
    })
    const requestId = crypto.randomUUID()
    const first = await client.grantLease({ ttlMs: 500, requestId })
    expect(await client.grantLease({ ttlMs: 500, requestId })).toEqual(first)
    const { leaseHandle } = first.lease
    const { setHandle } = (await client.createSet({ token: 'vm-a' })).set
    const { ioasids } = await client.allocate({ setHandle, spids: [5] })
    const look = { setHandle, spid: 5, acquireForLease: leaseHandle, requestId: 'look' }
    const found = await client.findBySpid(look)
    expect((await client.findBySpid(look)).revision).toBe(found.revision)
    expect((await client.getIoasid({ ioasid: ioasids[0] ?? 0 })).references).toBe(1)
  })

  it('agree that a lease which was revoked elsewhere is lost', async () => {
    const lease = await client.openLease({ ttlMs: 500, name: 'kvm' })
    await client.revokeLease({ leaseHandle: lease.handle })
    expect(await lease.lost).toMatchObject({ code: 'NOT_FOUND', reason: 'LEASE_NOT_FOUND' })
    await lease[Symbol.asyncDispose]()
    const other = await client.openLease({ ttlMs: 500 })
    await other.revoke()
    expect(await failureOf(client.getLease({ leaseHandle: other.handle }))).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
  })
})
