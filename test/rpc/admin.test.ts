import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { refusalOf, type Served, serve } from '../support/rpc.ts'

const ADMIN = 'ioasid.v1.AdminService'

let served: Served
const admin = (method: string, request: object) => served.wire.call(ADMIN, method, request)

async function made(token: string) {
  const { set } = (await served.set('CreateSet', { token })) as { set: { set_handle: string; set_id: string } }
  await served.ioasid('Allocate', { set_handle: set.set_handle, spids: [7], private_data: Buffer.from('x') })
  return set
}

async function granted(name: string) {
  const answer = await served.lease('GrantLease', { ttl_ms: 1000, name, on_expiry: 'HOLD' })
  return (answer as { lease: { lease_handle: string; lease_id: string } }).lease
}

beforeAll(async () => {
  served = await serve()
})
afterAll(() => served.stop())

describe('who may use AdminService', () => {
  it('sees of an id what its owner sees, without a handle: who keeps it from being free', async () => {
    await made('seen')
    const { lease_handle, lease_id } = await granted('kvm')
    await served.ioasid('Acquire', { token: 'seen', ioasid: 1, lease_handle })
    const shown = { private_data: Buffer.from('x'), holders: [{ lease_id, name: 'kvm' }] }
    expect(await served.ioasid('GetIoasid', { ioasid: 1 })).toMatchObject({ info: shown })
    expect(await served.ioasid('FindBySpid', { token: 'seen', spid: 7 })).toMatchObject({ info: shown })
    expect(await served.ioasid('ListIoasids', { token: 'seen' })).toMatchObject({ infos: [shown] })
  })

  it('revokes a lease by its number, and what it held is free', async () => {
    const { set_handle } = await made('stuck')
    const { lease_handle, lease_id } = await granted('dead')
    await served.ioasid('Acquire', { token: 'stuck', ioasid: 2, lease_handle })
    await served.ioasid('Free', { set_handle, ioasids: [2] })
    const request = { lease_id, request_id: 'revoke' }
    const revoked = await admin('ForceRevokeLease', request)
    expect(await admin('ForceRevokeLease', request)).toEqual(revoked)
    expect(await refusalOf(served.ioasid('GetIoasid', { ioasid: 2 }))).toMatchObject({ reason: 'IOASID_NOT_FOUND' })
    expect(await refusalOf(admin('ForceRevokeLease', { lease_id }))).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
    const far = await refusalOf(admin('ForceRevokeLease', { lease_id: '18446744073709551615' }))
    expect(far).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
  })

  it('deletes a set by its number, with all that is in it, and learns no handle by it', async () => {
    const { set_id } = await made('lost')
    const request = { set_id, request_id: 'delete' }
    const deleted = await admin('ForceDeleteSet', request)
    expect(deleted).toMatchObject({ set: { set_id, set_handle: '', token: 'lost', state: 'GONE', allocated: 0 } })
    expect(await admin('ForceDeleteSet', request)).toEqual(deleted)
    expect(await refusalOf(admin('ForceDeleteSet', { set_id }))).toMatchObject({ reason: 'SET_NOT_FOUND' })
    expect(await refusalOf(admin('ForceRevokeLease', { lease_id: '1', request_id: 'delete' }))).toMatchObject({
      reason: 'REQUEST_ID_REUSED',
    })
  })
})

describe('a listener that is not for administrators', () => {
  it.each(['GetStatus', 'ForceDeleteSet', 'ForceRevokeLease'])('refuses %s', async (method) => {
    const closed = await serve({ isAdmin: false })
    expect(await refusalOf(closed.wire.call(ADMIN, method, {}))).toMatchObject({
      status: 'PERMISSION_DENIED',
      reason: 'NOT_PERMITTED',
    })
    closed.stop()
  })
})
