import { status } from '@grpc/grpc-js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { messageCodec } from '../../proto/load.ts'
import { fail } from '../../server/core/failure.ts'
import { controlStore } from '../support/controlled-store.ts'
import { memoryStore, peek } from '../support/engine.ts'
import { field, refusalOf, type Served, serve } from '../support/rpc.ts'

const store = () => controlStore(memoryStore())
let disk = store()
let served: Served
let handle: string

beforeEach(async () => {
  disk = store()
  served = await serve({ store: disk, space: { capacity: 100_000 } })
  handle = ((await served.set('CreateSet', { token: 'vm' })) as { set: { set_handle: string } }).set.set_handle
})
afterEach(() => served.stop())

const batch = async (items: readonly object[]) =>
  ((await served.ioasid('Batch', { items })) as { results: Record<string, unknown>[] }).results

describe('a Batch', () => {
  it('says of an item that may be sent again when, as the RPC alone would in a RetryInfo', async () => {
    void served.engine.drain(fail('DRAINING', 'It shuts down.'))
    const [result] = await batch([{ allocate: { set_handle: handle } }])
    expect(result).toMatchObject({ failure: { reason: 'DRAINING', metadata: { retry_after_ms: '1000' } } })
  })

  it('does its items in order, each with a revision and an answer of its own', async () => {
    const results = await batch([
      { allocate: { set_handle: handle, count: 2 } },
      { attach_spid: { set_handle: handle, ioasid: 1, spid: 9 } },
      { attach_data: { set_handle: handle, ioasid: 1, private_data: Buffer.from('x') } },
      { detach_data: { set_handle: handle, ioasid: 1 } },
      { detach_spid: { set_handle: handle, ioasid: 1 } },
      { free: { set_handle: handle, ioasids: [2] } },
    ])
    expect(results).toMatchObject([
      { allocate: { ioasids: [1, 2], revision: '2' } },
      { attach_spid: { revision: '3' } },
      { attach_data: { revision: '4' } },
      { detach_data: { revision: '5' } },
      { detach_spid: { revision: '6' } },
      { free: { results: [{ ioasid: 2, state: 'FREE', references: '0' }], revision: '7' } },
    ])
  })

  it('is written as one batch of the store', async () => {
    const before = disk.batches.length
    await batch(Array.from({ length: 1000 }, () => ({ allocate: { set_handle: handle } })))
    expect(disk.batches.slice(before).map(({ entries }) => entries.length)).toEqual([1000])
  })

  it('lets an item fail by itself, with the code, the reason and the facts that its RPC would have', async () => {
    const items = [
      { free: { set_handle: handle, ioasids: [5] } },
      { allocate: { set_handle: handle, count: 0 } },
      { allocate: { set_handle: 'guess' } },
      { allocate: { set_handle: handle } },
    ]
    const results = await batch(items)
    expect(results).toMatchObject([
      { failure: { code: status.NOT_FOUND, reason: 'IOASID_NOT_FOUND', metadata: { ioasid: '5' } } },
      { failure: { code: status.INVALID_ARGUMENT, reason: 'INVALID_FIELD', metadata: { field: 'count' } } },
      { failure: { code: status.NOT_FOUND, reason: 'SET_NOT_FOUND', metadata: {} } },
      { allocate: { ioasids: [1] } },
    ])
    const alone = await refusalOf(served.ioasid('Free', { set_handle: handle, ioasids: [5] }))
    expect(results[0]).toMatchObject({ failure: { message: alone.message } })
  })

  it('takes and drops references, one after the other', async () => {
    const { lease_handle } = (
      (await served.lease('GrantLease', { ttl_ms: 1000 })) as { lease: { lease_handle: string } }
    ).lease
    await served.ioasid('Allocate', { set_handle: handle })
    const named = { token: 'vm', ioasid: 1, lease_handle }
    const results = await batch([
      { acquire: { ...named, request_id: 'r' } },
      { acquire: { ...named, request_id: 'r' } },
      { acquire: { token: 'vm', ioasid: 1 } },
      { free: { set_handle: handle, ioasids: [1] } },
      { acquire: named },
      { release: named },
      { release: named },
    ])
    expect(results).toMatchObject([
      { acquire: { references: '1', revision: '4' } },
      { acquire: { references: '1', revision: '4' } },
      { failure: { code: status.INVALID_ARGUMENT, metadata: { field: 'lease_handle' } } },
      { free: { results: [{ ioasid: 1, state: 'FREE_PENDING', references: '1' }], revision: '5' } },
      { failure: { code: status.FAILED_PRECONDITION, reason: 'FREE_PENDING', metadata: { ioasid: '1' } } },
      { release: { references: '0', reclaimed: true, revision: '6' } },
      { failure: { code: status.NOT_FOUND, reason: 'IOASID_NOT_FOUND' } },
    ])
    expect(await served.ioasid('Acquire', { ...named, request_id: 'r' })).toEqual(results[0]?.['acquire'])
  })

  it('an item and the RPC of its name are the same request to a request_id', async () => {
    const request = { set_handle: handle, count: 3, request_id: 'r' }
    const alone = await served.ioasid('Allocate', request)
    const [again, twice, other] = await batch([
      { allocate: request },
      { allocate: { ...request, min: 0, max: 99_999 } },
      { attach_data: { set_handle: handle, ioasid: 1, private_data: Buffer.from('x'), request_id: 'r' } },
    ])
    expect(again?.['allocate']).toEqual(alone)
    expect(twice?.['allocate']).toEqual(alone)
    expect(other).toMatchObject({ failure: { reason: 'REQUEST_ID_REUSED' } })
    const [first] = await batch([{ attach_spid: { set_handle: handle, ioasid: 1, spid: 4, request_id: 's' } }])
    expect(await served.ioasid('AttachSpid', { set_handle: handle, ioasid: 1, spid: 4, request_id: 's' })).toEqual(
      first?.['attach_spid'],
    )
  })

  it('the same request twice in one Batch is done once', async () => {
    const item = { allocate: { set_handle: handle, request_id: 'r' } }
    const [first, second] = await batch([item, item])
    expect(second).toEqual(first)
    expect(await served.set('GetSet', { token: 'vm' })).toMatchObject({ set: { allocated: 1 } })
  })

  it('is answered when all of it is on disk', async () => {
    disk.hold()
    const results = batch([{ allocate: { set_handle: handle } }, { allocate: { set_handle: 'guess' } }])
    expect(await peek(results)).toBe('waiting')
    disk.release()
    expect(await results).toHaveLength(2)
  })

  it('fails item by item when the store fails', async () => {
    disk.fail(new Error('gone'))
    const results = await batch([{ allocate: { set_handle: handle } }, { allocate: { set_handle: handle } }])
    for (const result of results)
      expect(result).toMatchObject({ failure: { code: status.UNAVAILABLE, reason: 'STORE_FAILED' } })
  })

  it('an item that a bug breaks is INTERNAL without a reason, and the others go on', async () => {
    const { submit } = served.engine
    let calls = 0
    Object.assign(served.engine, {
      submit: (...args: Parameters<typeof submit>) => {
        calls += 1
        return calls === 1 ? Promise.reject(new Error('secret')) : submit(...args)
      },
    })
    const results = await batch([{ allocate: { set_handle: handle } }, { allocate: { set_handle: handle } }])
    expect(results).toMatchObject([{ failure: { code: status.INTERNAL, reason: '' } }, { allocate: { ioasids: [1] } }])
    expect(JSON.stringify(results)).not.toContain('secret')
    expect(served.errors).toHaveLength(1)
  })

  describe('is refused whole, and does nothing', () => {
    const refused = async (items: readonly object[], name: string) => {
      const refusal = await refusalOf(served.ioasid('Batch', { items }))
      expect(refusal).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'INVALID_FIELD', metadata: { field: name } })
      expect(await served.set('GetSet', { token: 'vm' })).toMatchObject({ set: { allocated: 0 } })
    }
    const good = () => ({ allocate: { set_handle: handle } })

    it('without items, or with more than 1,000', async () => {
      await refused([], 'items')
      await refused(Array.from({ length: 1001 }, good), 'items')
    })

    it('with an item that is not set', async () => {
      await refused([good(), {}, good()], 'items[1]')
    })

    it('with more than 65,536 ids in all: what Allocate asks for, what Free names, and one for each other', async () => {
      const most = { allocate: { set_handle: handle, count: 65_536 } }
      await refused([most, good()], 'items')
      await refused([most, { detach_data: { set_handle: handle, ioasid: 1 } }], 'items')
      await refused([{ allocate: { set_handle: handle, count: 4_294_967_295 } }, good()], 'items')
      const spids = Array.from({ length: 30_000 }, (_, index) => index)
      const free = { free: { set_handle: handle, ioasids: spids.slice(0, 5537) } }
      await refused(
        [{ allocate: { set_handle: handle, spids } }, { allocate: { set_handle: handle, spids } }, free],
        'items',
      )
      expect(await batch([most])).toMatchObject([{ allocate: { revision: '2' } }])
    })

    it('with more than 3 MiB', async () => {
      const data = { attach_data: { set_handle: handle, ioasid: 1, private_data: Buffer.alloc(4096) } }
      const codec = messageCodec('ioasid.v1.BatchRequest')
      const items = Array.from({ length: 740 }, () => data)
      const bytes = codec.serialize({ items })
      // The tag and the length of the last field take 5 bytes.
      const exact = Buffer.concat([bytes, field(99, Buffer.alloc(3 * 1024 * 1024 - bytes.length - 5))])
      expect(exact).toHaveLength(3 * 1024 * 1024)
      const answer = await served.raw('IoasidService/Batch', exact)
      const { results } = messageCodec('ioasid.v1.BatchResponse').deserialize(answer)
      expect(results).toHaveLength(740)
      await refused(
        Array.from({ length: 800 }, () => data),
        'items',
      )
    })
  })
})
