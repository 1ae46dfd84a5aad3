import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Client, connect } from '../../client/index.ts'
import { type Served, serve } from '../support/rpc.ts'
import { failureOf } from './failure-of.ts'
import { movingDaemon } from './moving-daemon.ts'

/** Concurrent changes before the daemon's own services. */

let served: Served
let together: Client
let alone: Client
let setHandle: string

beforeEach(async () => {
  served = await serve()
  together = connect({ endpoint: served.address })
  alone = connect({ endpoint: served.address, coalesce: false })
  setHandle = (await alone.createSet({ token: 'vm-a', quota: 200 })).set.setHandle
})

afterEach(async () => {
  await together.close()
  await alone.close()
  served.stop()
})

describe('concurrent changes', () => {
  it('have each their own ids and revision, in the order of the calls', async () => {
    const all = await Promise.all(Array.from({ length: 100 }, () => together.allocate({ setHandle })))
    expect(all.flatMap(({ ioasids }) => ioasids)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1))
    expect(all.map(({ revision }) => revision)).toEqual(Array.from({ length: 100 }, (_, index) => BigInt(index + 2)))
  })

  it('of one id are done one after the other, as they were called', async () => {
    const ioasid = 1
    const results = await Promise.all([
      together.allocate({ setHandle, min: ioasid, max: ioasid }),
      together.attachSpid({ setHandle, ioasid, spid: 101 }),
      together.detachSpid({ setHandle, ioasid }),
      together.attachSpid({ setHandle, ioasid, spid: 102 }),
      together.freeAll({ setHandle }),
      together.adjustQuota({ setHandle, quota: 1 }),
      together.allocate({ setHandle }),
    ])
    const revisions = results.map(({ revision }) => revision)
    expect(revisions).toEqual([...revisions].sort((a, b) => Number(a - b)))
  })

  it('that are refused have the error that they have alone', async () => {
    const [ioasid = 0] = (await alone.allocate({ setHandle, spids: [101] })).ioasids
    const other = (await alone.createSet()).set.setHandle
    const { leaseHandle } = (await alone.grantLease({ ttlMs: 60_000 })).lease
    await alone.attachData({ setHandle, ioasid, privateData: Uint8Array.of(1) })
    const requestId = crypto.randomUUID()
    await alone.detachData({ setHandle, ioasid, requestId })
    const refused = (client: Client): Promise<unknown>[] => [
      client.allocate({ setHandle, count: 500 }),
      client.allocate({ setHandle, min: 5, max: 4 }),
      client.allocate({ setHandle, spids: [101] }),
      client.allocate({ setHandle, count: 2, spids: [1] }),
      client.allocate({ setHandle: 'guess' }),
      client.free({ setHandle, ioasids: [ioasid, ioasid] }),
      client.free({ setHandle, ioasids: [ioasid], generation: 99n }),
      client.free({ setHandle: other, ioasids: [ioasid] }),
      client.free({ setHandle, ioasids: [9_999_999] }),
      client.attachSpid({ setHandle, ioasid, spid: 0xffff_ffff, requestId: 'a' }),
      client.attachSpid({ setHandle, ioasid, spid: 101 }),
      client.detachSpid({ setHandle, ioasid, device: 'nic' }),
      client.detachData({ setHandle, ioasid }),
      client.attachData({ setHandle, ioasid, privateData: Uint8Array.of(2), requestId }),
      client.acquire({ token: 'vm-b', ioasid, leaseHandle }),
      client.acquire({ token: 'vm-a', ioasid, leaseHandle: 'guess' }),
      client.release({ token: 'vm-a', ioasid, leaseHandle }),
    ]
    const coalesced = await Promise.all(refused(together).map(failureOf))
    const single = await Promise.all(refused(alone).map(failureOf))
    coalesced.forEach((error, index) => {
      const { code, reason, message, metadata, violations, retryAfterMs } = single[index] ?? error
      expect(reason).toBeDefined()
      expect(error).toMatchObject({ code, reason, message, metadata, violations, retryAfterMs })
    })
    expect(new Set(coalesced.map(({ reason }) => reason)).size).toBeGreaterThan(10)
  })

  it('that were sent before, alone or together, are done once', async () => {
    const requestIds = Array.from({ length: 10 }, () => crypto.randomUUID())
    const all = (client: Client) =>
      Promise.all(requestIds.map((requestId) => client.allocate({ setHandle, requestId })))
    const first = await all(together)
    expect(await all(alone)).toEqual(first)
    expect(await all(together)).toEqual(first)
    expect((await alone.getSet({ setHandle })).allocated).toBe(10)
  })

  it('that are given up leave the others alone', async () => {
    const user = new AbortController()
    const given = failureOf(together.allocate({ setHandle }, { signal: user.signal }))
    const others = Promise.all(Array.from({ length: 10 }, () => together.allocate({ setHandle })))
    await new Promise((resolve) => setImmediate(resolve))
    user.abort()
    expect(await given).toMatchObject({ code: 'CANCELLED' })
    expect(new Set((await others).flatMap(({ ioasids }) => ioasids)).size).toBe(10)
  })
})

it('concurrent changes happen once and in order across a daemon that is away and comes back', async () => {
  const daemon = await movingDaemon()
  const client = connect({ endpoint: daemon.endpoint, retry: { initialDelayMs: 5, maxDelayMs: 20 } })
  const { set } = await client.createSet()
  const ask = (count: number) =>
    Array.from({ length: count }, () => client.allocate({ setHandle: set.setHandle }).then(({ ioasids }) => ioasids[0]))
  const before = ask(50)
  await new Promise((resolve) => setImmediate(resolve))
  daemon.stop()
  const meanwhile = ask(50)
  await daemon.start()
  const ids = await Promise.all([...before, ...meanwhile, ...ask(50)])
  expect(ids).toEqual(Array.from({ length: 150 }, (_, index) => index + 1))
  expect((await client.getSet({ setHandle: set.setHandle })).allocated).toBe(150)
  await client.close()
})
