import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeClient } from '../../client/client.ts'
import { type Client, connect } from '../../client/index.ts'
import { type Served, serve } from '../support/rpc.ts'
import { failureOf } from './failure-of.ts'
import { fakeTransport } from './fake-transport.ts'
import { grpcError } from './grpc-error.ts'
import { manualClock, settle } from './manual-clock.ts'
import { change, free, header, snapshotEnd } from './messages.ts'

describe('free with waitForReclaim, before a daemon,', () => {
  let served: Served
  let client: Client
  let setHandle: string
  let leaseHandle: string

  beforeEach(async () => {
    served = await serve()
    client = connect({ endpoint: served.address })
    setHandle = (await client.createSet({ token: 'vm-a' })).set.setHandle
    leaseHandle = (await client.grantLease({ ttlMs: 60_000 })).lease.leaseHandle
    await client.allocate({ setHandle, count: 3 })
    for (const ioasid of [1, 2]) await client.acquire({ token: 'vm-a', ioasid, leaseHandle })
  })

  afterEach(async () => {
    await client.close()
    served.stop()
  })

  it('resolves when the last holder has let go of the last id', async () => {
    let isDone = false
    const freed = client.free({ setHandle, ioasids: [3, 1, 2] }, { waitForReclaim: true }).finally(() => {
      isDone = true
    })
    await expect.poll(async () => (await client.getSet({ setHandle })).freePending).toBe(2)
    await client.release({ token: 'vm-a', ioasid: 1, leaseHandle })
    await settle()
    expect(isDone).toBe(false)
    const { revision } = await client.release({ token: 'vm-a', ioasid: 2, leaseHandle })
    const { results, revision: freeRevision } = await freed
    expect(freeRevision).toBeLessThan(revision)
    expect(results).toEqual([3, 1, 2].map((ioasid) => ({ ioasid, state: 'FREE', references: 0 })))
  })

  it('does not wait where nobody holds anything', async () => {
    expect(await client.free({ setHandle, ioasids: [3] }, { waitForReclaim: true })).toMatchObject({
      results: [{ ioasid: 3, state: 'FREE' }],
    })
    expect(await client.getStatus()).toMatchObject({ subscriptions: 0 })
  })

  it('resolves when the set has gone meanwhile', async () => {
    const freed = client.free({ setHandle, ioasids: [1] }, { waitForReclaim: true })
    await expect.poll(async () => (await client.getSet({ setHandle })).freePending).toBe(1)
    await client.deleteSet({ setHandle, force: true })
    await client.revokeLease({ leaseHandle })
    expect((await freed).results).toEqual([{ ioasid: 1, state: 'FREE', references: 0 }])
  })

  it('is given up by its deadline and by its signal; the ids are freed all the same', async () => {
    const late = await failureOf(client.free({ setHandle, ioasids: [1] }, { waitForReclaim: true, deadlineMs: 300 }))
    expect(late).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    const user = new AbortController()
    const given = failureOf(client.free({ setHandle, ioasids: [2] }, { waitForReclaim: true, signal: user.signal }))
    await expect.poll(async () => (await client.getSet({ setHandle })).freePending).toBe(2)
    user.abort('enough')
    expect(await given).toMatchObject({ code: 'CANCELLED', cause: 'enough' })
    const closing = failureOf(client.free({ setHandle, ioasids: [2] }, { waitForReclaim: true }))
    await expect.poll(async () => (await client.getStatus()).subscriptions).toBeGreaterThan(0)
    await client.close()
    expect(await closing).toMatchObject({ code: 'CANCELLED' })
  })

  it('is refused as without it', async () => {
    const refused = await failureOf(client.free({ setHandle, ioasids: [99] }, { waitForReclaim: true }))
    expect(refused).toMatchObject({ reason: 'IOASID_NOT_FOUND' })
    const wrong = client.free({ setHandle, ioasids: [3] }, { waitForReclaim: 1 } as never)
    expect(await failureOf(wrong)).toMatchObject({ metadata: { field: 'wait_for_reclaim' } })
  })
})

describe('free with waitForReclaim, where the daemon no longer keeps what came after it,', () => {
  const results = [1, 2, 3].map((ioasid) => ({ ioasid, state: 'FREE_PENDING' as const, references: '1' }))
  const lost = grpcError('OUT_OF_RANGE', 'gone', { reason: 'COMPACTED' })

  async function setUp() {
    const manual = manualClock()
    const fake = fakeTransport(() => ({ results, revision: '5' }))
    const client = makeClient(() => fake.transport, manual.clock)
    const freed = client.free({ setHandle: 'handle', ioasids: [1, 2, 3] }, { waitForReclaim: true })
    freed.catch(() => {})
    await settle()
    fake.streams[0]?.end(lost)
    await manual.advance(1_000)
    return { ...manual, freed, first: fake.streams[0], again: fake.streams[1] }
  }

  it('asks a snapshot which ids are pending still, and follows those', async () => {
    const { freed, first, again } = await setUp()
    expect(first?.request).toMatchObject({ after_revision: '5', types: ['FREE', 'RECLAIM'], set_handles: ['handle'] })
    again?.send(header(20))
    // Id 2 has a later life, whose end is none of ours; id 3 is not there.
    const later = { ...free(20, 2), generation: '9' }
    again?.send(
      change(
        20,
        20,
        [free(20, 1), later].map((event) => ({ ...event, snapshot: true })),
      ),
    )
    again?.send(snapshotEnd(20))
    let isDone = false
    void freed.finally(() => {
      isDone = true
    })
    await settle()
    expect(isDone).toBe(false)
    again?.send(change(21, 20, [{ ...free(21, 1), type: 'RECLAIM' }]))
    expect((await freed).results.map(({ state }) => state)).toEqual(['FREE', 'FREE', 'FREE'])
    expect(again?.isCancelled()).toBe(true)
  })

  it('takes a set that is gone for one whose ids are reclaimed, and no other refusal', async () => {
    const gone = await setUp()
    gone.again?.end(grpcError('NOT_FOUND', 'no such set', { reason: 'SET_NOT_FOUND' }))
    expect((await gone.freed).results.map(({ state }) => state)).toEqual(['FREE', 'FREE', 'FREE'])
    const refused = await setUp()
    refused.again?.end(grpcError('RESOURCE_EXHAUSTED', 'too many', { reason: 'TOO_MANY' }))
    expect(await failureOf(refused.freed)).toMatchObject({ reason: 'TOO_MANY' })
  })
})
