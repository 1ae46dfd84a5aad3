import { describe, expect, it } from 'vitest'
import type { IoasidError } from '../../client/index.ts'
import { failureOf } from './failure-of.ts'
import { grpcError } from './grpc-error.ts'
import { type Seen, setUp } from './held-rpcs.ts'
import { settle } from './manual-clock.ts'

const setHandle = 'handle'
const UNAVAILABLE = 14

type Items = readonly Record<string, Record<string, unknown>>[]

/** What the items of a Batch ask for, in order: `allocate 3`, `free 7`. */
function itemsOf({ request }: Seen): string[] {
  return (request['items'] as Items).map(({ item, ...requests }) => {
    const wire = requests[String(item)] ?? {}
    return `${item} ${wire['count'] ?? wire['ioasids'] ?? wire['ioasid']}`
  })
}

const requestIds = ({ request }: Seen): unknown[] =>
  (request['items'] as Items).map(({ item, ...requests }) => requests[String(item)]?.['request_id'])

/** Answers every item of a Batch of Allocates with ids that tell which one it was. */
const allocated = (rpc: Seen, first = 1) =>
  rpc.answer({
    results: (request(rpc) as Items).map((_item, index) => ({
      allocate: { ioasids: [first + index], revision: String(first + index) },
    })),
  })

const request = (rpc: Seen): unknown => rpc.request['items']
const failure = (code: number, reason: string, metadata: Record<string, string> = {}) => ({
  failure: { code, reason, message: 'no', metadata },
})

describe('the changes of one tick', () => {
  it('are one Batch, in the order of the calls, and each has its own answer and request_id', async () => {
    const { client, rpcs, rpc } = setUp()
    const answers = Promise.all([
      client.allocate({ setHandle, count: 3, requestId: 'mine' }),
      client.free({ setHandle, ioasids: [7, 8] }),
      client.attachSpid({ setHandle, ioasid: 1, spid: 101 }),
      client.detachSpid({ setHandle, ioasid: 2 }),
      client.attachData({ setHandle, ioasid: 3, privateData: Uint8Array.of(1) }),
      client.detachData({ setHandle, ioasid: 4 }),
      client.acquire({ setHandle, ioasid: 5, leaseHandle: 'lease' }),
      client.release({ token: 'vm-a', ioasid: 6, leaseHandle: 'lease' }),
    ])
    await settle()
    expect(rpcs).toHaveLength(1)
    expect(itemsOf(rpc(0))).toEqual([
      'allocate 3',
      'free 7,8',
      'attach_spid 1',
      'detach_spid 2',
      'attach_data 3',
      'detach_data 4',
      'acquire 5',
      'release 6',
    ])
    const ids = requestIds(rpc(0))
    expect(ids[0]).toBe('mine')
    expect(new Set(ids).size).toBe(8)
    rpc(0).answer({
      results: [
        { allocate: { ioasids: [1, 2, 3], revision: '1' } },
        { free: { results: [{ ioasid: 7, state: 'FREE' }], revision: '2' } },
        { attach_spid: { revision: '3' } },
        { detach_spid: { revision: '4' } },
        { attach_data: { revision: '5' } },
        { detach_data: { revision: '6' } },
        { acquire: { references: '2', revision: '7' } },
        { release: { references: '0', reclaimed: true, revision: '8' } },
      ],
    })
    expect(await answers).toEqual([
      { ioasids: [1, 2, 3], revision: 1n },
      { results: [{ ioasid: 7, state: 'FREE', references: 0 }], revision: 2n },
      { revision: 3n },
      { revision: 4n },
      { revision: 5n },
      { revision: 6n },
      { references: 2, revision: 7n },
      { references: 0, reclaimed: true, revision: 8n },
    ])
  })

  it('fail each for itself', async () => {
    const { client, rpc } = setUp()
    const first = client.allocate({ setHandle })
    const second = failureOf(client.allocate({ setHandle }))
    const third = client.allocate({ setHandle })
    await settle()
    const refused = failure(8, 'QUOTA_EXCEEDED', { limit: '2' })
    const ids = (ioasid: number) => ({ allocate: { ioasids: [ioasid], revision: '1' } })
    rpc(0).answer({ results: [ids(1), refused, ids(2)] })
    expect(await second).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'QUOTA_EXCEEDED',
      metadata: { limit: '2' },
    })
    expect((await first).ioasids).toEqual([1])
    expect((await third).ioasids).toEqual([2])
  })

  it('that are not more than one are the plain RPC, and no timer is set', async () => {
    const { client, rpc, names, timers } = setUp()
    for (const round of [0, 1]) {
      const answer = client.allocate({ setHandle })
      await settle()
      expect(names()).toEqual(Array(round + 1).fill('Allocate'))
      expect(rpc(round).timeoutMs).toBe(10_000)
      expect(timers()).toBe(0)
      rpc(round).answer({ ioasids: [1], revision: '1' })
      await answer
    }
  })

  it('travel each by itself where the client is told so', async () => {
    const { client, names } = setUp({ coalesce: false })
    for (const ioasid of [1, 2, 3]) client.detachSpid({ setHandle, ioasid }).catch(() => {})
    await settle()
    expect(names()).toEqual(['DetachSpid', 'DetachSpid', 'DetachSpid'])
    await client.close()
    expect(() => setUp({ coalesce: 1 as never })).toThrow('coalesce')
  })

  it('that come while others have no answer are the next Batch', async () => {
    const { client, rpc, names } = setUp()
    const first = client.allocate({ setHandle })
    await settle()
    const second = client.allocate({ setHandle })
    await settle()
    const third = client.allocate({ setHandle })
    await settle()
    expect(names()).toEqual(['Allocate'])
    rpc(0).answer({ ioasids: [9], revision: '9' })
    expect((await first).ioasids).toEqual([9])
    await settle()
    expect(names()).toEqual(['Allocate', 'Batch'])
    allocated(rpc(1))
    expect((await second).ioasids).toEqual([1])
    expect((await third).ioasids).toEqual([2])
  })

  it('are as many Batches as the limits of items, ids and bytes want, in order', async () => {
    const { client, rpcs, rpc, names } = setUp()
    const ask = (requests: Parameters<typeof client.allocate>[0][]) =>
      Promise.all(requests.map((each) => client.allocate(each)))
    const many = ask(Array.from({ length: 513 }, () => ({ setHandle })))
    await settle()
    allocated(rpc(0))
    await settle()
    rpc(1).answer({ ioasids: [513], revision: '513' })
    expect((await many).map(({ ioasids }) => ioasids[0])).toEqual(Array.from({ length: 513 }, (_, index) => index + 1))
    expect(names()).toEqual(['Batch', 'Allocate'])

    rpcs.length = 0
    const spids = Array.from({ length: 40_000 }, (_, index) => index)
    const ids = ask([{ setHandle, count: 25_536 }, { setHandle, spids }, { setHandle }])
    await settle()
    expect(itemsOf(rpc(0))).toEqual(['allocate 25536', 'allocate undefined'])
    allocated(rpc(0))
    await settle()
    expect(names()).toEqual(['Batch', 'Allocate'])
    rpc(1).answer({ ioasids: [3], revision: '3' })
    await ids

    rpcs.length = 0
    const long = 'x'.repeat(600_000)
    const bytes = ask([{ setHandle }, { setHandle: long }, { setHandle: long }, { setHandle: `${long}${long}` }])
    await settle()
    expect((request(rpc(0)) as Items).length).toBe(2)
    allocated(rpc(0))
    await settle()
    expect(names()).toEqual(['Batch', 'Allocate'])
    rpc(1).answer({ ioasids: [3], revision: '3' })
    await settle()
    expect(names()).toEqual(['Batch', 'Allocate', 'Allocate'])
    rpc(2).answer({ ioasids: [4], revision: '4' })
    await bytes
  })

  it('get an error where the answer makes no sense', async () => {
    const { client, rpc } = setUp()
    const two = () => [failureOf(client.allocate({ setHandle })), failureOf(client.allocate({ setHandle }))]
    const few = two()
    await settle()
    rpc(0).answer({ results: [{ allocate: { ioasids: [1], revision: '1' } }] })
    for (const error of await Promise.all(few)) expect(error.code).toBe('INTERNAL')
    const others = two()
    await settle()
    rpc(1).answer({ results: [{ attach_spid: { revision: '1' } }, {}] })
    for (const error of await Promise.all(others)) expect(error.code).toBe('INTERNAL')
  })
})

describe('a change in a Batch that nobody answers', () => {
  it('is tried again with the others, in their order, with the same request_ids and ever longer waits', async () => {
    const { client, advance, rpcs, rpc, timers } = setUp()
    const all = Promise.all([1, 2].map((count) => client.allocate({ setHandle, count })))
    await settle()
    rpc(0).answer(grpcError('UNAVAILABLE'))
    await advance(49)
    expect(rpcs).toHaveLength(1)
    // What comes meanwhile goes with them, behind them.
    const late = client.allocate({ setHandle, count: 3 })
    await advance(1)
    expect(itemsOf(rpc(1))).toEqual(['allocate 1', 'allocate 2', 'allocate 3'])
    expect(requestIds(rpc(1)).slice(0, 2)).toEqual(requestIds(rpc(0)))
    rpc(1).answer(grpcError('UNAVAILABLE'))
    await advance(99)
    expect(rpcs).toHaveLength(2)
    await advance(1)
    expect(rpc(2).timeoutMs).toBe(10_000 - 150 + 49)
    allocated(rpc(2))
    expect((await all).map(({ ioasids }) => ioasids)).toEqual([[1], [2]])
    expect((await late).ioasids).toEqual([3])
    await settle()
    expect(timers()).toBe(0)
  })

  it('is tried again by itself where only it was not answered, and as late as the daemon wants', async () => {
    const { client, advance, rpcs, rpc, names } = setUp()
    const busy = client.allocate({ setHandle })
    const done = client.allocate({ setHandle })
    await settle()
    const overloaded = failure(UNAVAILABLE, 'OVERLOADED', { retry_after_ms: '300' })
    rpc(0).answer({ results: [overloaded, { allocate: { ioasids: [2], revision: '2' } }] })
    expect((await done).ioasids).toEqual([2])
    await advance(299)
    expect(rpcs).toHaveLength(1)
    await advance(1)
    expect(names()).toEqual(['Batch', 'Allocate'])
    rpc(1).answer({ ioasids: [1], revision: '3' })
    expect((await busy).ioasids).toEqual([1])
  })

  it('has no more attempts than the settings allow', async () => {
    const { client, rpcs, rpc, timers } = setUp({ retry: { maxAttempts: 1 } })
    const all = [1, 2].map((count) => failureOf(client.allocate({ setHandle, count })))
    await settle()
    rpc(0).answer(grpcError('UNAVAILABLE', 'connect ENOENT'))
    for (const error of await Promise.all(all)) expect(error).toMatchObject({ code: 'UNAVAILABLE' })
    await settle()
    expect(rpcs).toHaveLength(1)
    expect(timers()).toBe(0)
  })

  it('ends with the failure when its deadline has no room for another attempt; others go on', async () => {
    const { client, advance, rpc, names } = setUp()
    const short = failureOf(client.allocate({ setHandle }, { deadlineMs: 40 }))
    const long = client.allocate({ setHandle })
    await settle()
    rpc(0).answer(grpcError('UNAVAILABLE', 'connect ENOENT'))
    expect(await short).toMatchObject({ code: 'UNAVAILABLE', message: 'connect ENOENT' })
    await advance(50)
    expect(names()).toEqual(['Batch', 'Allocate'])
    rpc(1).answer(grpcError('DEADLINE_EXCEEDED'))
    // Why nobody could be reached says more than that time is up.
    expect(await failureOf(long)).toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('that comes while others wait for the daemon, and is over before, is told why', async () => {
    const { client, advance, rpc, rpcs } = setUp()
    client.allocate({ setHandle }).catch(() => {})
    await settle()
    rpc(0).answer(grpcError('UNAVAILABLE', 'connect ENOENT'))
    await settle()
    const short = failureOf(client.allocate({ setHandle }, { deadlineMs: 20 }))
    await advance(20)
    expect(await short).toMatchObject({ code: 'UNAVAILABLE', message: 'connect ENOENT' })
    expect(rpcs).toHaveLength(1)
    await client.close()
  })

  it.each(['INTERNAL', 'UNIMPLEMENTED', 'RESOURCE_EXHAUSTED'] as const)('is not tried again after %s', async (code) => {
    const { client, rpcs, rpc } = setUp()
    const all = [1, 2].map((count) => failureOf(client.allocate({ setHandle, count })))
    await settle()
    rpc(0).answer(grpcError(code))
    for (const error of await Promise.all(all)) expect(error.code).toBe(code)
    await settle()
    expect(rpcs).toHaveLength(1)
  })
})

describe('a change in a Batch', () => {
  it('is given up by its own signal at once, and the others go on', async () => {
    const { client, rpc, timers } = setUp()
    const user = new AbortController()
    const given = failureOf(client.allocate({ setHandle }, { signal: user.signal }))
    const other = client.allocate({ setHandle })
    await settle()
    user.abort('enough')
    expect(await given).toMatchObject({ code: 'CANCELLED', cause: 'enough' })
    expect(rpc(0).signal?.aborted).toBe(false)
    allocated(rpc(0))
    expect((await other).ioasids).toEqual([2])
    await settle()
    expect(timers()).toBe(0)
  })

  it('that is given up before it was sent is not sent', async () => {
    const { client, rpc, rpcs, names } = setUp()
    const user = new AbortController()
    const { signal } = user
    const given = [
      failureOf(client.allocate({ setHandle }, { signal })),
      failureOf(client.freeAll({ setHandle }, { signal })),
    ]
    const other = client.allocate({ setHandle })
    user.abort()
    for (const error of await Promise.all(given)) expect(error.code).toBe('CANCELLED')
    await settle()
    expect(names()).toEqual(['Allocate'])
    rpc(0).answer({ ioasids: [1], revision: '1' })
    await other
    expect(await failureOf(client.allocate({ setHandle }, { signal }))).toMatchObject({ code: 'CANCELLED' })
    await settle()
    expect(rpcs).toHaveLength(1)
  })

  it('that everyone has given up is no RPC any more, and holds up nobody', async () => {
    const { client, rpc, names } = setUp()
    const user = new AbortController()
    const { signal } = user
    const given = [1, 2].map((count) => failureOf(client.allocate({ setHandle, count }, { signal })))
    await settle()
    client.allocate({ setHandle }).catch(() => {})
    user.abort()
    await Promise.all(given)
    expect(rpc(0).signal?.aborted).toBe(true)
    await settle()
    expect(names()).toEqual(['Batch', 'Allocate'])
    await client.close()
  })

  it('that is given up between two attempts is not sent again', async () => {
    const { client, advance, rpc, rpcs, names, timers } = setUp()
    const user = new AbortController()
    const given = failureOf(client.allocate({ setHandle }, { signal: user.signal }))
    const other = client.allocate({ setHandle })
    await settle()
    rpc(0).answer(grpcError('UNAVAILABLE'))
    await settle()
    user.abort()
    await given
    await advance(50)
    expect(names()).toEqual(['Batch', 'Allocate'])
    rpc(1).answer({ ioasids: [1], revision: '1' })
    await other

    const alone = new AbortController()
    const last = failureOf(client.allocate({ setHandle }, { signal: alone.signal }))
    await settle()
    rpc(2).answer(grpcError('UNAVAILABLE'))
    await settle()
    alone.abort()
    await last
    await settle()
    expect(timers()).toBe(0)
    expect(rpcs).toHaveLength(3)
  })

  it('ends at its own deadline; that of the RPC is the latest', async () => {
    const { client, advance, rpc, timers } = setUp()
    const ends: string[] = []
    const note = (name: string, call: Promise<unknown>) =>
      void call.catch((error: IoasidError) => ends.push(`${name} ${error.code}`))
    note('short', client.allocate({ setHandle }, { deadlineMs: 100 }))
    note('middle', client.allocate({ setHandle }, { deadlineMs: 200 }))
    const long = client.allocate({ setHandle }, { deadlineMs: 5_000 })
    await settle()
    expect(rpc(0).timeoutMs).toBe(5_000)
    expect(timers()).toBe(1)
    await advance(99)
    expect(ends).toEqual([])
    await advance(1)
    expect(ends).toEqual(['short DEADLINE_EXCEEDED'])
    // One that waits for its turn has a deadline too.
    note('waiting', client.allocate({ setHandle }, { deadlineMs: 50 }))
    await advance(50)
    expect(ends).toEqual(['short DEADLINE_EXCEEDED', 'waiting DEADLINE_EXCEEDED'])
    await advance(50)
    expect(ends).toHaveLength(3)
    allocated(rpc(0))
    expect((await long).ioasids).toEqual([3])
    await settle()
    expect(timers()).toBe(0)
  })

  it('ends with the RPC where its deadline is the same, and no timer is set', async () => {
    const { client, rpc, timers } = setUp()
    const all = [1, 2].map((count) => failureOf(client.allocate({ setHandle, count })))
    await settle()
    expect(timers()).toBe(0)
    rpc(0).answer(grpcError('DEADLINE_EXCEEDED', 'time is up'))
    for (const error of await Promise.all(all)) {
      expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED', message: 'time is up' })
    }
  })

  it('is given up when the client is closed, under way or not', async () => {
    const { client, rpc, rpcs, timers } = setUp()
    const all = [1, 2].map((count) => failureOf(client.allocate({ setHandle, count })))
    await settle()
    all.push(failureOf(client.allocate({ setHandle })), failureOf(client.freeAll({ setHandle })))
    await settle()
    await client.close()
    for (const error of await Promise.all(all)) {
      expect(error).toMatchObject({ code: 'CANCELLED', message: 'The client is closed.' })
    }
    expect(rpc(0).signal?.aborted).toBe(true)
    expect(await failureOf(client.allocate({ setHandle }))).toMatchObject({ code: 'CANCELLED' })
    await settle()
    expect(rpcs).toHaveLength(1)
    expect(timers()).toBe(0)
  })
})
