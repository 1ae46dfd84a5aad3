import { once } from 'node:events'
import type { ServiceError } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { messageCodec } from '../../proto/load.ts'
import { field, numberField, readRefusal, refusalOf, type Served, serve } from '../support/rpc.ts'

let served: Served
let handle: string

beforeAll(async () => {
  served = await serve()
  const { set } = (await served.set('CreateSet', { token: 'vm' })) as { set: { set_handle: string } }
  handle = set.set_handle
})
afterAll(() => served.stop())

/** A byte that never is in UTF-8, a half character, an overlong one, and a surrogate. */
const BROKEN = ['ff', '61e282', 'c0af', 'eda080'].map((hex) => Buffer.from(hex, 'hex'))

/** A valid message of every method, and the numbers of its fields that are text. */
const TEXTS: readonly (readonly [method: string, valid: () => Buffer, fields: Readonly<Record<string, number>>])[] = [
  ['SetService/CreateSet', () => Buffer.alloc(0), { token: 1, lease_handle: 3, request_id: 4 }],
  ['SetService/GetSet', () => Buffer.alloc(0), { set_handle: 1, token: 2 }],
  ['SetService/ListSets', () => Buffer.alloc(0), { token_prefix: 1, page_token: 3 }],
  ['SetService/AdjustQuota', () => field(1, handle), { set_handle: 1, request_id: 3 }],
  ['SetService/DeleteSet', () => field(1, handle), { set_handle: 1, request_id: 3 }],
  ['IoasidService/Allocate', () => field(1, handle), { set_handle: 1, request_id: 7 }],
  ['IoasidService/Free', () => Buffer.concat([field(1, handle), numberField(2, 1)]), { set_handle: 1, request_id: 4 }],
  ['IoasidService/FreeAll', () => field(1, handle), { set_handle: 1, request_id: 2 }],
  ['IoasidService/GetIoasid', () => numberField(1, 1), { set_handle: 2 }],
  ['IoasidService/FindBySpid', () => field(2, 'vm'), { token: 2, acquire_for_lease: 4, request_id: 5 }],
  ['IoasidService/FindBySpid', () => Buffer.alloc(0), { set_handle: 1 }],
  ['IoasidService/ListIoasids', () => field(2, 'vm'), { token: 2, page_token: 4 }],
  ['IoasidService/ListIoasids', () => Buffer.alloc(0), { set_handle: 1 }],
  ['IoasidService/AttachSpid', () => field(1, handle), { set_handle: 1, device: 4, request_id: 5 }],
  ['IoasidService/DetachSpid', () => field(1, handle), { set_handle: 1, device: 3, request_id: 4 }],
  [
    'IoasidService/AttachData',
    () => Buffer.concat([field(1, handle), field(3, 'x')]),
    { set_handle: 1, request_id: 4 },
  ],
  ['IoasidService/DetachData', () => field(1, handle), { set_handle: 1, request_id: 3 }],
  ['IoasidService/Acquire', () => field(4, 'lease'), { set_handle: 1 }],
  [
    'IoasidService/Acquire',
    () => Buffer.concat([field(2, 'vm'), field(4, 'lease')]),
    { token: 2, lease_handle: 4, request_id: 5 },
  ],
  ['IoasidService/Release', () => field(4, 'lease'), { set_handle: 1 }],
  [
    'IoasidService/Release',
    () => Buffer.concat([field(2, 'vm'), field(4, 'lease')]),
    { token: 2, lease_handle: 4, request_id: 5 },
  ],
  ['LeaseService/GrantLease', () => numberField(1, 1000), { name: 2, request_id: 4 }],
  ['LeaseService/KeepLeaseAlive', () => Buffer.alloc(0), { lease_handle: 1 }],
  ['LeaseService/RevokeLease', () => field(1, 'lease'), { lease_handle: 1, request_id: 2 }],
  ['LeaseService/GetLease', () => Buffer.alloc(0), { lease_handle: 1 }],
  ['LeaseService/ListLeases', () => Buffer.alloc(0), { page_token: 2 }],
]

const subscribe = async (bytes: Buffer) => {
  const call = served.rawSubscribe(bytes)
  call.resume()
  const [error] = (await once(call, 'error')) as [ServiceError]
  return readRefusal(error)
}

describe('a text that is not UTF-8', () => {
  it.each(TEXTS)('is refused: %s', async (method, valid, fields) => {
    for (const [name, number] of Object.entries(fields)) {
      for (const broken of BROKEN) {
        const refusal = await refusalOf(served.raw(method, Buffer.concat([valid(), field(number, broken)])))
        expect(refusal, name).toMatchObject({
          status: 'INVALID_ARGUMENT',
          reason: 'INVALID_FIELD',
          metadata: { field: name },
        })
      }
    }
  })

  it('is refused: NotificationService/Subscribe', async () => {
    const now = Buffer.concat([numberField(5, 1), field(1, 'vm')])
    const fields = { 'tokens[1]': 1, 'set_handles[0]': 2, space_id: 8, lease_handle: 9 }
    for (const [name, number] of Object.entries(fields)) {
      for (const broken of BROKEN) {
        expect(await subscribe(Buffer.concat([now, field(number, broken)]))).toMatchObject({
          reason: 'INVALID_FIELD',
          metadata: { field: name },
        })
      }
    }
  })

  it('is refused in an item of a Batch, and fails that item alone', async () => {
    const item = field(1, field(1, Buffer.concat([field(1, handle), field(7, BROKEN[0] ?? '')])))
    const good = field(1, field(1, field(1, handle)))
    const answer = await served.raw('IoasidService/Batch', Buffer.concat([item, good]))
    expect(messageCodec('ioasid.v1.BatchResponse').deserialize(answer).results).toMatchObject([
      { failure: { code: 3, reason: 'INVALID_FIELD', metadata: { field: 'request_id' } } },
      { allocate: { ioasids: [1] } },
    ])
  })
})

describe('an enum number that is not defined', () => {
  it('is refused as a type of notification, and so is the one that stands for none', async () => {
    const request = Buffer.concat([numberField(3, 1), numberField(5, 1)])
    for (const type of [0, 9, 99, 4_294_967_295]) {
      expect(await subscribe(Buffer.concat([request, numberField(4, 1), numberField(4, type)]))).toMatchObject({
        reason: 'INVALID_FIELD',
        metadata: { field: 'types[1]' },
      })
    }
  })

  it('is refused as what a lease does when its time is over; none means RELEASE', async () => {
    const request = numberField(1, 1000)
    for (const onExpiry of [3, 99, 4_294_967_295]) {
      const refusal = await refusalOf(
        served.raw('LeaseService/GrantLease', Buffer.concat([request, numberField(3, onExpiry)])),
      )
      expect(refusal).toMatchObject({ reason: 'INVALID_FIELD', metadata: { field: 'on_expiry' } })
    }
    for (const bytes of [request, Buffer.concat([request, numberField(3, 0)])]) {
      const answer = await served.raw('LeaseService/GrantLease', bytes)
      const { lease } = messageCodec('ioasid.v1.GrantLeaseResponse').deserialize(answer)
      expect(lease).toMatchObject({ on_expiry: 'RELEASE' })
    }
  })

  it('is refused as a priority, though it would have no effect', async () => {
    const request = Buffer.concat([numberField(3, 1), numberField(5, 1)])
    for (const priority of [4, 99]) {
      expect(await subscribe(Buffer.concat([request, numberField(11, priority)]))).toMatchObject({
        reason: 'INVALID_FIELD',
        metadata: { field: 'priority' },
      })
    }
  })
})

describe('what is no message', () => {
  const isServed = async () => {
    const answer = await served.raw('SetService/GetSet', field(2, 'vm'))
    expect(messageCodec('ioasid.v1.GetSetResponse').deserialize(answer).set).toMatchObject({ token: 'vm' })
  }

  it('gets a clean status, and the connection goes on', async () => {
    const garbage = ['ffffffff', '0a', '0aff01', '08ffffffffffffffffffff', '0c', '07', 'deadbeefdeadbeef']
    for (const hex of garbage) {
      for (const method of ['SetService/GetSet', 'IoasidService/Allocate', 'IoasidService/Batch']) {
        const refusal = await refusalOf(served.raw(method, Buffer.from(hex, 'hex')))
        expect(refusal).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'INVALID_FIELD' })
      }
      expect((await subscribe(Buffer.from(hex, 'hex'))).status).toBe('INVALID_ARGUMENT')
    }
    await isServed()
  })

  it('is not carried out as what is left of it', async () => {
    const cut = field(1, 'cut-off').subarray(0, 4)
    const item = field(1, field(1, handle).subarray(0, 20))
    const wrongs: readonly (readonly [string, Buffer])[] = [
      ['SetService/CreateSet', cut],
      // A text as a number, as eight bytes, as a wire type that there is not; a number as a text; field 0.
      ...['0803766d31', '09766d31766d31766d', '0f03766d31', '1203766d31', '0203766d31'].map(
        (hex) => ['SetService/CreateSet', Buffer.from(hex, 'hex')] as const,
      ),
      // Cut off inside an item, where bytes of the next one follow.
      ['IoasidService/Batch', Buffer.concat([field(1, item), field(1, item)])],
    ]
    for (const [method, bytes] of wrongs) {
      expect(await refusalOf(served.raw(method, bytes))).toMatchObject({ reason: 'INVALID_FIELD' })
    }
    const answer = await served.raw('SetService/ListSets', Buffer.alloc(0))
    const { sets } = messageCodec('ioasid.v1.ListSetsResponse').deserialize(answer)
    expect(sets.map(({ token }) => token)).toEqual(['vm'])
  })

  it('gets a clean status when it is too large, and the connection goes on', async () => {
    const refusal = await refusalOf(served.raw('IoasidService/AttachData', field(3, Buffer.alloc(4 * 1024 * 1024 + 1))))
    expect(refusal).toMatchObject({ status: 'RESOURCE_EXHAUSTED', reason: '' })
    await isServed()
  })

  it('may have fields that a later release will know', async () => {
    const answer = await served.raw(
      'SetService/GetSet',
      Buffer.concat([field(2, 'vm'), field(99, 'new'), numberField(98, 7)]),
    )
    expect(messageCodec('ioasid.v1.GetSetResponse').deserialize(answer).set).toMatchObject({ token: 'vm' })
  })

  it('is nothing that anybody need look at', () => {
    expect(served.errors).toEqual([])
  })
})

describe('a service or method that is not there yet', () => {
  it.each(['AdminService/NoSuch', 'NoSuchService/GetStatus'])('is UNIMPLEMENTED: %s', async (method) => {
    expect(await refusalOf(served.raw(method, Buffer.alloc(0)))).toMatchObject({
      status: 'UNIMPLEMENTED',
      reason: '',
    })
  })
})
