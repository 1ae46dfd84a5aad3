import { describe, expect, it } from 'vitest'
import { grpcError } from './grpc-error.ts'
import { setUp } from './held-rpcs.ts'
import { settle } from './manual-clock.ts'

const setHandle = 'handle'
const results = (count: number) => ({
  results: Array.from({ length: count }, () => ({ allocate: { ioasids: [1], revision: '1' } })),
})
const quietly = (...calls: readonly Promise<unknown>[]): void => {
  for (const call of calls) call.catch(() => {})
}

describe('changes that no Batch takes', () => {
  it('are sent when what was asked for before them is answered, and what follows when they are; reads go ahead', async () => {
    const { client, rpc, names } = setUp()
    quietly(
      client.allocate({ setHandle }),
      client.allocate({ setHandle }),
      client.freeAll({ setHandle }),
      client.deleteSet({ setHandle }),
      client.allocate({ setHandle }),
      client.getSet({ setHandle }),
    )
    await settle()
    expect(names()).toEqual(['GetSet', 'Batch'])
    rpc(1).answer(results(2))
    await settle()
    expect(names().slice(2)).toEqual(['FreeAll'])
    rpc(2).answer({ revision: '2' })
    await settle()
    expect(names().slice(3)).toEqual(['DeleteSet'])
    rpc(3).answer(grpcError('NOT_FOUND'))
    await settle()
    expect(names().slice(4)).toEqual(['Allocate'])
    await client.close()
  })

  it('go together where each concerns another set, or a new one', async () => {
    const { client, rpc, names } = setUp()
    quietly(
      client.createSet(),
      client.createSet({ token: 'vm-a' }),
      client.grantLease({ ttlMs: 1_000 }),
      client.freeAll({ setHandle: 'a' }),
      client.deleteSet({ setHandle: 'b' }),
      client.freeAll({ setHandle: 'b' }),
      client.batch([{ kind: 'allocate', setHandle: 'c' }]),
      client.createSet(),
    )
    await settle()
    expect(names()).toEqual(['CreateSet', 'CreateSet', 'GrantLease', 'FreeAll', 'DeleteSet'])
    for (const index of [0, 1, 2, 3, 4]) rpc(index).answer(grpcError('PERMISSION_DENIED'))
    await settle()
    expect(names().slice(5)).toEqual(['FreeAll'])
    rpc(5).answer({ revision: '2' })
    await settle()
    expect(names().slice(6)).toEqual(['Batch'])
    rpc(6).answer(results(1))
    await settle()
    expect(names().slice(7)).toEqual(['CreateSet'])
    await client.close()
  })

  it('keep their place while the one before them is tried again', async () => {
    const { client, rpc, names, advance } = setUp()
    quietly(client.allocate({ setHandle }), client.freeAll({ setHandle }), client.allocate({ setHandle }))
    await settle()
    rpc(0).answer(grpcError('UNAVAILABLE'))
    await advance(1_000)
    expect(names()).toEqual(['Allocate', 'Allocate'])
    rpc(1).answer({ ioasids: [1], revision: '1' })
    await settle()
    rpc(2).answer(grpcError('UNAVAILABLE'))
    await advance(1_000)
    expect(names().slice(2)).toEqual(['FreeAll', 'FreeAll'])
    rpc(3).answer({ revision: '2' })
    await settle()
    expect(names().slice(4)).toEqual(['Allocate'])
    await client.close()
  })

  it('do not keep those who wait behind them from their deadlines and signals', async () => {
    const { client, names, advance } = setUp()
    quietly(client.freeAll({ setHandle }))
    await settle()
    const caller = new AbortController()
    const late = client.allocate({ setHandle }, { deadlineMs: 100 }).catch(({ code }) => code)
    const unwanted = client.allocate({ setHandle }, { signal: caller.signal }).catch(({ code }) => code)
    await settle()
    await advance(100)
    expect(await late).toBe('DEADLINE_EXCEEDED')
    caller.abort()
    expect(await unwanted).toBe('CANCELLED')
    expect(names()).toEqual(['FreeAll'])
    await client.close()
  })
})

it('why nobody could be reached is forgotten with the calls that it was the answer of', async () => {
  const { client, rpc, advance } = setUp()
  const caller = new AbortController()
  const first = client.allocate({ setHandle }, { signal: caller.signal }).catch(({ code }) => code)
  await settle()
  rpc(0).answer(grpcError('UNAVAILABLE'))
  await settle()
  caller.abort()
  expect(await first).toBe('CANCELLED')
  await advance(3_600_000)
  const second = client.allocate({ setHandle }).catch(({ code }) => code)
  await settle()
  rpc(1).answer(grpcError('DEADLINE_EXCEEDED'))
  expect(await second).toBe('DEADLINE_EXCEEDED')
})

it('what a caller does with its bytes after a call changes nothing of the call, nor of its next attempt', async () => {
  const { client, rpc, advance } = setUp()
  const privateData = new Uint8Array([1, 2, 3])
  quietly(client.allocate({ setHandle, privateData }))
  privateData.fill(9)
  await settle()
  expect([...(rpc(0).request['private_data'] as Uint8Array)]).toEqual([1, 2, 3])
  rpc(0).answer(grpcError('UNAVAILABLE'))
  await advance(1_000)
  expect(rpc(1).request).toEqual(rpc(0).request)
  await client.close()
})

it('one signal for many calls is no leak to be warned of', async () => {
  const warnings: Error[] = []
  const note = (warning: Error) => warnings.push(warning)
  process.on('warning', note)
  const { client } = setUp()
  const caller = new AbortController()
  const calls = Array.from({ length: 64 }, () => client.allocate({ setHandle }, { signal: caller.signal }))
  quietly(...calls)
  await settle()
  caller.abort()
  expect(await Promise.all(calls.map((call) => call.catch(({ code }) => code)))).toEqual(calls.map(() => 'CANCELLED'))
  process.off('warning', note)
  expect(warnings).toEqual([])
})
