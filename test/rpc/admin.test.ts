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
  it.each(['GetStatus', 'GetHistory', 'Compact', 'ForceDeleteSet', 'ForceRevokeLease'])(
    'refuses %s',
    async (method) => {
      const closed = await serve({ isAdmin: false })
      expect(await refusalOf(closed.wire.call(ADMIN, method, {}))).toMatchObject({
        status: 'PERMISSION_DENIED',
        reason: 'NOT_PERMITTED',
      })
      closed.stop()
    },
  )
})

describe('GetHistory', () => {
  it('tells who had an id when, in pages', async () => {
    const { set_handle, set_id } = await made('history')
    const { infos } = (await served.ioasid('ListIoasids', { set_handle })) as { infos: { ioasid: number }[] }
    const ioasid = infos[0]?.ioasid ?? 0
    const ended = (await served.ioasid('Free', { set_handle, ioasids: [ioasid] })) as { revision: string }
    const { revision } = (await served.ioasid('Allocate', { set_handle, min: ioasid, max: ioasid })) as {
      revision: string
    }
    const first = await admin('GetHistory', { ioasid, page_size: 1 })
    expect(first).toMatchObject({
      lives: [{ token: 'history', set_id, generation: revision, from_revision: revision, to_time: null, bindings: [] }],
    })
    const [present] = first['lives'] as Record<string, unknown>[]
    expect(present?.['to_revision']).toBeUndefined()
    expect(present?.['ended_by']).toBe('ENDED_BY_UNSPECIFIED')
    const second = await admin('GetHistory', { ioasid, page_size: 1, page_token: first['next_page_token'] })
    const binding = { spid: 7, to_revision: ended.revision }
    expect(second).toMatchObject({
      lives: [{ token: 'history', to_revision: ended.revision, ended_by: 'OWNER', bindings: [binding] }],
    })
    const [past] = second['lives'] as Record<string, { seconds: string }>[]
    expect(Number(past?.['from_time']?.seconds)).toBeGreaterThan(1_600_000_000)
  })

  it('refuses an id beyond the space, and a page_token of another id', async () => {
    expect(await refusalOf(admin('GetHistory', { ioasid: 2 ** 24 }))).toMatchObject({ reason: 'IOASID_NOT_FOUND' })
    const { next_page_token } = await admin('GetHistory', { ioasid: 4, page_size: 1 })
    const wrong = { ioasid: 5, page_token: next_page_token === '' ? 'wrong' : next_page_token }
    expect(await refusalOf(admin('GetHistory', wrong))).toMatchObject({
      reason: 'INVALID_FIELD',
      metadata: { field: 'page_token' },
    })
    expect(await admin('GetHistory', { ioasid: 900 })).toMatchObject({ lives: [], next_page_token: '' })
  })
})

describe('Compact', () => {
  it('drops what is at or below a revision, and refuses one that is yet to come', async () => {
    const { revision } = (await admin('GetStatus', {})) as { revision: string }
    expect(await admin('Compact', { revision })).toEqual({ revision, compact_revision: revision })
    expect(await admin('Compact', { revision: '1' })).toEqual({ revision, compact_revision: revision })
    expect(await admin('GetStatus', {})).toMatchObject({ revision, compact_revision: revision })
    const future = await refusalOf(admin('Compact', { revision: '18446744073709551615' }))
    expect(future).toMatchObject({ reason: 'FUTURE_REVISION' })
  })
})
