import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { refusalOf, type Served, serve } from '../support/rpc.ts'

let served: Served
let handle: string
let ioasid: number

beforeAll(async () => {
  served = await serve()
  const { set } = (await served.set('CreateSet', { token: 'vm' })) as { set: { set_handle: string } }
  handle = set.set_handle
  const { ioasids } = (await served.ioasid('Allocate', { set_handle: handle })) as { ioasids: number[] }
  ioasid = ioasids[0] ?? 0
})
afterAll(() => served.stop())

const long = 'x'.repeat(256)
const wide = 'é'.repeat(128)
const FORBIDDEN = ['\u0000', 'a\nb', '\u007f', '\u0085', 'a\u2028', '\u2029', '\ufffd']
const NO_SPID = 0xffff_ffff
/** Stands for the handle of the set, which is only known later. */
const OWN = '<handle>'

type Row = readonly [method: string, request: object, reason: string, fieldOrFacts?: string | object]

const bad = (method: string, request: object, name: string): Row => [method, request, 'INVALID_FIELD', name]
const texts = (method: string, name: string, rest: object): Row[] =>
  [long, wide, ...FORBIDDEN].map((value) => bad(method, { ...rest, [name]: value }, name))
const requestIds = (method: string, rest: object): Row[] =>
  ['x'.repeat(65), 'é'.repeat(33), ...FORBIDDEN].map((value) =>
    bad(method, { ...rest, request_id: value }, 'request_id'),
  )
const handles = (method: string, rest: object): Row[] => [
  bad(method, { ...rest, set_handle: '' }, 'set_handle'),
  bad(method, { ...rest, set_handle: '\ufffd' }, 'set_handle'),
  [method, { ...rest, set_handle: 'set-guess' }, 'SET_NOT_FOUND', {}],
]
const refs = (method: string, rest: object): Row[] => [
  bad(method, rest, 'set_ref'),
  bad(method, { ...rest, set_handle: '' }, 'set_handle'),
  bad(method, { ...rest, set_handle: '\ufffd' }, 'set_handle'),
  bad(method, { ...rest, token: '' }, 'token'),
  ...texts(method, 'token', rest),
  [method, { ...rest, set_handle: 'set-guess' }, 'SET_NOT_FOUND', {}],
  [method, { ...rest, token: 'nobody' }, 'SET_NOT_FOUND', {}],
]
const leaseHandles = (method: string, rest: object): Row[] => [
  bad(method, { ...rest, lease_handle: '' }, 'lease_handle'),
  bad(method, { ...rest, lease_handle: '\ufffd' }, 'lease_handle'),
  [method, { ...rest, lease_handle: 'lease-guess' }, 'LEASE_NOT_FOUND', {}],
]
const own = { set_handle: OWN }
const ids = { set_handle: OWN, ioasid: 1 }

const sets: Row[] = [
  ...texts('CreateSet', 'token', {}),
  ...requestIds('CreateSet', {}),
  bad('CreateSet', { lease_handle: '\ufffd' }, 'lease_handle'),
  ['CreateSet', { lease_handle: 'lease-guess' }, 'LEASE_NOT_FOUND', {}],
  ...refs('GetSet', {}),
  ...texts('ListSets', 'token_prefix', {}),
  ...handles('AdjustQuota', {}),
  ...requestIds('AdjustQuota', own),
  ...handles('DeleteSet', {}),
  ...requestIds('DeleteSet', own),
]

const range = (min: number | undefined, max: number | undefined, facts: object): Row => [
  'Allocate',
  { ...own, ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) },
  'INVALID_RANGE',
  { ...facts, capacity: '1024' },
]

const ioasids: Row[] = [
  ...handles('Allocate', {}),
  ...requestIds('Allocate', own),
  bad('Allocate', { ...own, count: 0 }, 'count'),
  bad('Allocate', { ...own, count: 65_537 }, 'count'),
  bad('Allocate', { ...own, count: NO_SPID }, 'count'),
  range(5, 4, { min: '5', max: '4' }),
  range(undefined, 1024, { min: '0', max: '1024' }),
  range(1024, undefined, { min: '1024', max: '1023' }),
  range(NO_SPID, NO_SPID, { min: String(NO_SPID), max: String(NO_SPID) }),
  ['Allocate', { ...own, spids: [NO_SPID] }, 'INVALID_SPID', { spid: String(NO_SPID) }],
  ['Allocate', { ...own, spids: [3, 4, 3] }, 'INVALID_SPID', { spid: '3' }],
  ['Allocate', { ...own, count: 2, spids: [3] }, 'INVALID_SPID', {}],
  ['Allocate', { ...own, count: 1, spids: [3, 4] }, 'INVALID_SPID', {}],
  bad('Allocate', { ...own, private_data: Buffer.alloc(0) }, 'private_data'),
  bad('Allocate', { ...own, private_data: Buffer.alloc(4097) }, 'private_data'),
  ...handles('Free', { ioasids: [1] }),
  ...requestIds('Free', { ...own, ioasids: [1] }),
  bad('Free', own, 'ioasids'),
  bad('Free', { ...own, ioasids: [1, 2, 1] }, 'ioasids'),
  bad('Free', { ...own, ioasids: Array.from({ length: 65_537 }, (_, index) => index) }, 'ioasids'),
  ...handles('FreeAll', {}),
  ...requestIds('FreeAll', own),
  bad('GetIoasid', { ioasid: 1, set_handle: '\ufffd' }, 'set_handle'),
  ['GetIoasid', { ioasid: 1, set_handle: 'set-guess' }, 'SET_NOT_FOUND', {}],
  ['GetIoasid', { ioasid: 0 }, 'IOASID_NOT_FOUND', { ioasid: '0' }],
  ['GetIoasid', { ioasid: 1024 }, 'IOASID_NOT_FOUND', { ioasid: '1024' }],
  ['GetIoasid', { ioasid: NO_SPID }, 'IOASID_NOT_FOUND', { ioasid: String(NO_SPID) }],
  ...refs('FindBySpid', { spid: 1 }),
  ['FindBySpid', { token: 'vm', spid: NO_SPID }, 'INVALID_SPID', { spid: String(NO_SPID) }],
  ...requestIds('FindBySpid', { token: 'vm', spid: 1 }),
  bad('FindBySpid', { token: 'vm', spid: 1, acquire_for_lease: '\ufffd' }, 'acquire_for_lease'),
  ...refs('ListIoasids', {}),
  ...handles('AttachSpid', { ioasid: 1, spid: 1 }),
  ...texts('AttachSpid', 'device', { ...ids, spid: 1 }),
  ...requestIds('AttachSpid', { ...ids, spid: 1 }),
  ['AttachSpid', { ...ids, spid: NO_SPID }, 'INVALID_SPID', { spid: String(NO_SPID) }],
  ...handles('DetachSpid', { ioasid: 1 }),
  ...texts('DetachSpid', 'device', ids),
  ...requestIds('DetachSpid', ids),
  ...handles('AttachData', { ioasid: 1, private_data: Buffer.alloc(1) }),
  bad('AttachData', ids, 'private_data'),
  bad('AttachData', { ...ids, private_data: Buffer.alloc(4097) }, 'private_data'),
  ...requestIds('AttachData', { ...ids, private_data: Buffer.alloc(1) }),
  ...handles('DetachData', { ioasid: 1 }),
  ...requestIds('DetachData', ids),
]

const lease = { lease_handle: 'lease-guess' }
const references: Row[] = ['Acquire', 'Release'].flatMap((method) => [
  ...refs(method, { ioasid: 1, ...lease }),
  ...leaseHandles(method, { token: 'vm', ioasid: 1 }),
  ...requestIds(method, { token: 'vm', ioasid: 1, ...lease }),
])

const leases: Row[] = [
  ...[undefined, '0', '499', '86400001', '9007199254740993', '18446744073709551615'].map((ttl_ms) =>
    bad('GrantLease', ttl_ms === undefined ? {} : { ttl_ms }, 'ttl_ms'),
  ),
  ...texts('GrantLease', 'name', { ttl_ms: 500 }),
  ...requestIds('GrantLease', { ttl_ms: 500 }),
  ...leaseHandles('KeepLeaseAlive', {}),
  ...leaseHandles('RevokeLease', {}),
  ...requestIds('RevokeLease', lease),
  ...leaseHandles('GetLease', {}),
  bad('ListLeases', { page_token: 'guess' }, 'page_token'),
]

/** Rows that differ only in what is wrong with the text are one test. */
function name([method, request, reason, expected]: Row): string {
  return `${method}: ${reason} ${typeof expected === 'string' ? expected : Object.keys(request).join(' ')}`
}

function grouped(rows: readonly Row[]): [string, Row[]][] {
  const groups = new Map<string, Row[]>()
  for (const row of rows) groups.set(name(row), [...(groups.get(name(row)) ?? []), row])
  return [...groups]
}

const STATUS: Record<string, string> = {
  SET_NOT_FOUND: 'NOT_FOUND',
  IOASID_NOT_FOUND: 'NOT_FOUND',
  LEASE_NOT_FOUND: 'NOT_FOUND',
}

async function check(call: 'set' | 'ioasid' | 'lease', rows: readonly Row[]) {
  for (const [method, request, reason, expected] of rows) {
    const own = 'set_handle' in request && request.set_handle === OWN ? { set_handle: handle } : {}
    const refusal = await refusalOf(served[call](method, { ...request, ...own }))
    expect(refusal).toMatchObject({ status: STATUS[reason] ?? 'INVALID_ARGUMENT', reason, domain: 'ioasid' })
    const facts = typeof expected === 'string' ? { field: expected } : expected
    expect(refusal.metadata).toEqual(facts)
    const fields = refusal.violations.map(({ field }) => field)
    expect(fields).toEqual(reason === 'INVALID_FIELD' ? [expected] : [])
    for (const { description } of refusal.violations) expect(`${expected}: ${description}`).toBe(refusal.message)
    expect(refusal.message).not.toContain(handle)
  }
}

describe('the form of a request', () => {
  it.each(grouped(sets))('SetService.%s', async (_name, rows) => check('set', rows))
  it.each(grouped(ioasids))('IoasidService.%s', async (_name, rows) => check('ioasid', rows))

  it.each(grouped(references))('IoasidService.%s', async (_name, rows) => check('ioasid', rows))
  it.each(grouped(leases))('LeaseService.%s', async (_name, rows) => check('lease', rows))

  it('that is refused changes nothing and logs nothing', async () => {
    const { set } = (await served.set('GetSet', { token: 'vm' })) as { set: object }
    expect(set).toMatchObject({ allocated: 1, bound: 0, quota: 0 })
    expect(await served.lease('ListLeases', {})).toMatchObject({ leases: [] })
    expect(served.errors).toEqual([])
  })

  it('may be at its very bounds', async () => {
    const edge = `${'é'.repeat(127)}x`
    await served.set('CreateSet', { token: edge, request_id: 'x'.repeat(64) })
    const device = edge
    for (const ttl_ms of ['500', '86400000']) {
      expect(await served.lease('GrantLease', { ttl_ms, name: edge })).toMatchObject({ lease: { ttl_ms, name: edge } })
    }
    await served.ioasid('AttachSpid', { set_handle: handle, ioasid, spid: 0, device })
    await served.ioasid('AttachSpid', { set_handle: handle, ioasid, spid: 0 })
    await served.ioasid('AttachData', { set_handle: handle, ioasid, private_data: Buffer.alloc(4096, 1) })
    const found = await served.ioasid('FindBySpid', { set_handle: handle, spid: 0 })
    expect(found).toMatchObject({ info: { ioasid, devices: [edge, ''], private_data: Buffer.alloc(4096, 1) } })
    await served.ioasid('DetachSpid', { set_handle: handle, ioasid, device })
    await served.ioasid('Allocate', { set_handle: handle, min: 1023, max: 1023, spids: [NO_SPID - 1] })
    expect(await served.ioasid('GetIoasid', { ioasid: 1023 })).toMatchObject({
      info: { spid: NO_SPID - 1, token: 'vm' },
    })
  })
})
