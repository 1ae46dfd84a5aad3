import { Metadata, type ServiceError } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fail, REASONS, type Reason } from '../../server/core/failure.ts'
import { toStatus } from '../../server/rpc/status.ts'
import { controlStore } from '../support/controlled-store.ts'
import { memoryStore } from '../support/engine.ts'
import { readRefusal, refusalOf, type Served, serve } from '../support/rpc.ts'

const reasons = Object.keys(REASONS) as Reason[]

/** As a client would get it. */
function received(failure: ReturnType<typeof fail>) {
  const { code, details, metadata } = toStatus(failure)
  const error: ServiceError = Object.assign(new Error(details), { code, details, metadata: metadata ?? new Metadata() })
  return readRefusal(error)
}

describe('a failure as a status', () => {
  it.each(reasons)('%s has its code, an ErrorInfo, and a RetryInfo where waiting helps', (reason) => {
    const refusal = received(fail(reason, 'A sentence.', { limit: 7 }))
    expect(refusal).toMatchObject({ status: REASONS[reason], reason, domain: 'ioasid', message: 'A sentence.' })
    expect(refusal.metadata).toEqual({ limit: '7' })
    if (REASONS[reason] === 'UNAVAILABLE') expect(refusal.retryMs).toBeGreaterThan(0)
    else expect(refusal.retryMs).toBeUndefined()
  })

  it('says when to come back, wherever it knows', () => {
    expect(received(fail('RANGE_EXHAUSTED', 'They rest.', { retry_after_ms: 61_250 })).retryMs).toBe(61_250)
    expect(received(fail('OVERLOADED', 'Wait.', { retry_after_ms: 5 })).retryMs).toBe(5)
  })

  it('is cut to what a trailer can carry, and never in the middle of a character', () => {
    for (const message of ['x'.repeat(5000), `${'x'.repeat(1023)}\u{1F600}tail`, `lone \ud83d surrogate`]) {
      const { details, metadata } = toStatus(fail('WRONG_SET', message))
      expect(details.isWellFormed()).toBe(true)
      expect(details.length).toBeLessThanOrEqual(1024)
      expect(metadata?.get('grpc-status-details-bin')[0]?.length).toBeLessThan(4096)
    }
  })
})

describe('on the wire', () => {
  const store = controlStore(memoryStore())
  let served: Served
  let handle: string
  let other: string
  beforeAll(async () => {
    served = await serve({ store, space: { maxSets: 3, maxDevicesPerId: 1, maxPrivateData: 10 } })
    const create = async (request: object) =>
      ((await served.set('CreateSet', request)) as { set: { set_handle: string } }).set.set_handle
    handle = await create({ token: 'vm', quota: 4 })
    other = await create({ token: 'other' })
    await served.ioasid('Allocate', { set_handle: handle, spids: [5], private_data: Buffer.from('x') })
    await served.ioasid('Allocate', { set_handle: other })
  })
  afterAll(() => served.stop())

  it('each refusal has the status and the facts of the table', async () => {
    const rows: [string, object, Reason, object][] = [
      [
        'Allocate',
        { set_handle: handle, count: 4 },
        'QUOTA_EXCEEDED',
        { set_id: '1', limit: '4', used: '1', requested: '4' },
      ],
      ['Allocate', { set_handle: other, count: 1020 }, 'CAPACITY_EXCEEDED', { limit: '1018', requested: '1020' }],
      [
        'Allocate',
        { set_handle: other, min: 1, max: 2 },
        'RANGE_EXHAUSTED',
        { min: '1', max: '2', requested: '1', available: '0' },
      ],
      ['Allocate', { set_handle: handle, spids: [5] }, 'SPID_IN_USE', { set_id: '1', spid: '5', ioasid: '1' }],
      [
        'Allocate',
        { set_handle: handle, private_data: Buffer.alloc(10) },
        'TOO_MANY',
        { what: 'private_data', limit: '10' },
      ],
      ['Free', { set_handle: handle, ioasids: [2] }, 'WRONG_SET', { ioasid: '2' }],
      ['Free', { set_handle: handle, ioasids: [9] }, 'IOASID_NOT_FOUND', { ioasid: '9' }],
      [
        'Free',
        { set_handle: handle, ioasids: [1], generation: '1' },
        'STALE_GENERATION',
        { ioasid: '1', generation: '3' },
      ],
      [
        'Free',
        { set_handle: handle, ioasids: [1], generation: '18446744073709551615' },
        'STALE_GENERATION',
        { ioasid: '1', generation: '3' },
      ],
      ['GetIoasid', { set_handle: handle, ioasid: 2 }, 'WRONG_SET', { ioasid: '2' }],
      ['FindBySpid', { token: 'vm', spid: 6 }, 'SPID_NOT_FOUND', { set_id: '1', spid: '6' }],
      ['FindBySpid', { token: 'vm', spid: 5, acquire_for_lease: 'x' }, 'LEASE_NOT_FOUND', {}],
      ['AttachSpid', { set_handle: handle, ioasid: 1, spid: 6 }, 'ALREADY_BOUND', { ioasid: '1', spid: '5' }],
      [
        'AttachSpid',
        { set_handle: handle, ioasid: 1, spid: 5 },
        'ALREADY_BOUND',
        { ioasid: '1', spid: '5', device: '' },
      ],
      [
        'AttachSpid',
        { set_handle: handle, ioasid: 1, spid: 5, device: 'b' },
        'TOO_MANY',
        { what: 'devices', limit: '1' },
      ],
      ['DetachSpid', { set_handle: other, ioasid: 2 }, 'NOT_BOUND', { ioasid: '2' }],
      [
        'AttachData',
        { set_handle: handle, ioasid: 1, private_data: Buffer.from('y') },
        'DATA_ATTACHED',
        { ioasid: '1' },
      ],
      ['DetachData', { set_handle: other, ioasid: 2 }, 'NO_DATA', { ioasid: '2' }],
    ]
    for (const [method, request, reason, metadata] of rows) {
      const refusal = await refusalOf(served.ioasid(method, request))
      expect(refusal, method).toMatchObject({ status: REASONS[reason], reason })
      expect(refusal.metadata, reason).toEqual(metadata)
    }
    const ofSets: [string, object, Reason, object][] = [
      ['CreateSet', { token: 'vm' }, 'TOKEN_IN_USE', { token: 'vm', set_id: '1' }],
      ['CreateSet', { quota: 4_000_000_000 }, 'CAPACITY_EXCEEDED', { limit: '1018', requested: '4000000000' }],
      ['DeleteSet', { set_handle: handle }, 'SET_NOT_EMPTY', { set_id: '1', allocated: '1' }],
    ]
    for (const [method, request, reason, metadata] of ofSets) {
      expect(await refusalOf(served.set(method, request))).toMatchObject({ status: REASONS[reason], reason, metadata })
    }
  })

  it('the checks stand in their order: form, request_id, set, ownership, lease, state', async () => {
    const used = { request_id: 'used' }
    await served.set('AdjustQuota', { set_handle: handle, quota: 4, ...used })
    const ordered: [string, object, Reason][] = [
      ['Allocate', { set_handle: 'guess', count: 0, ...used }, 'INVALID_FIELD'],
      ['Allocate', { set_handle: 'guess', min: 9, max: 1, ...used }, 'INVALID_RANGE'],
      ['Allocate', { set_handle: 'guess', count: 5000, ...used }, 'REQUEST_ID_REUSED'],
      ['Free', { set_handle: 'guess', ioasids: [2, 9], generation: '1' }, 'SET_NOT_FOUND'],
      ['Free', { set_handle: handle, ioasids: [1, 2], generation: '1' }, 'WRONG_SET'],
      ['AttachSpid', { set_handle: handle, ioasid: 2, spid: 5 }, 'WRONG_SET'],
      ['FindBySpid', { token: 'vm', spid: 6, acquire_for_lease: 'x' }, 'SPID_NOT_FOUND'],
      ['Allocate', { set_handle: handle, count: 5, spids: [5, 6, 7, 8, 9] }, 'SPID_IN_USE'],
      ['Allocate', { set_handle: handle, count: 5, min: 1, max: 2 }, 'QUOTA_EXCEEDED'],
    ]
    for (const [method, request, reason] of ordered) {
      expect(await refusalOf(served.ioasid(method, request)), JSON.stringify(request)).toMatchObject({ reason })
    }
    const refused = await refusalOf(served.set('AdjustQuota', { set_handle: handle, quota: 5, ...used }))
    expect(refused).toMatchObject({ status: 'FAILED_PRECONDITION', metadata: { request_id: 'used' } })
  })

  it('no refusal tells a handle', async () => {
    const refusals = [
      await refusalOf(served.set('DeleteSet', { set_handle: handle })),
      await refusalOf(served.set('DeleteSet', { set_handle: `${handle}x` })),
      await refusalOf(served.ioasid('Free', { set_handle: handle, ioasids: [2] })),
    ]
    for (const refusal of refusals) expect(JSON.stringify(refusal)).not.toContain(handle.slice(0, 20))
  })

  it('a bug is INTERNAL with one fixed sentence, and its cause goes to the log', async () => {
    const broken = await serve()
    const cause = new Error('secret')
    const { read } = broken.engine
    Object.assign(broken.engine, { read: () => Promise.reject(cause) })
    const refusal = await refusalOf(broken.set('GetSet', { token: 'vm' }))
    expect(refusal).toMatchObject({
      status: 'INTERNAL',
      reason: '',
      message: 'Internal error. The daemon has logged its cause.',
    })
    expect(broken.errors).toEqual([{ method: 'GetSet', cause }])
    Object.assign(broken.engine, { read })
    expect(await refusalOf(broken.set('GetSet', { token: 'vm' }))).toMatchObject({ reason: 'SET_NOT_FOUND' })
    broken.stop()
  })

  it('status and lists are there for administrators and others as they should be', async () => {
    expect(await served.wire.call('ioasid.v1.AdminService', 'GetStatus', {})).toMatchObject({
      version: '1.2.3',
      space_id: 'space-a',
      capacity: 1024,
      reserved: 4,
      available: 1018,
      sets: 2,
      allocated: 2,
      revision: '4',
      compact_revision: '0',
      request_window_ms: '600000',
      store: 'memory',
      role: 'LEADER',
    })
    const closed = await serve({ isAdmin: false })
    expect(await refusalOf(closed.wire.call('ioasid.v1.AdminService', 'GetStatus', {}))).toMatchObject({
      status: 'PERMISSION_DENIED',
      reason: 'NOT_PERMITTED',
    })
    closed.stop()
  })

  it('a store that fails is UNAVAILABLE for all that wait, with the time to wait', async () => {
    store.fail(new Error('gone'))
    const calls = [served.ioasid('Allocate', { set_handle: handle }), served.ioasid('Allocate', { set_handle: other })]
    for (const call of calls) {
      expect(await refusalOf(call)).toMatchObject({ status: 'UNAVAILABLE', reason: 'STORE_FAILED', retryMs: 1000 })
    }
  })
})
