import { describe, expect, it } from 'vitest'
import type { Client } from '../../client/api.ts'
import { makeClient } from '../../client/client.ts'
import { fakeTransport } from './fake-transport.ts'
import { grpcError } from './grpc-error.ts'
import { manualClock } from './manual-clock.ts'

const leaseHandle = 'key-to-lease'
const setHandle = 'key-to-set'
const wireLease = {
  lease_handle: leaseHandle,
  lease_id: '9007199254740993',
  name: 'kvm',
  ttl_ms: '30000',
  remaining_ms: '29999',
  on_expiry: 'HOLD',
  references: '3',
  sets: 1,
  state: 'ALIVE',
  hold: {
    priority: 'CPU',
    tokens: ['vm-a'],
    set_ids: ['9007199254740993'],
    all: false,
    register_revision: '4',
    acknowledged_revision: '18446744073709551615',
  },
  owner: 'dns:kvm.example',
}
const lease = {
  leaseHandle,
  leaseId: 9_007_199_254_740_993n,
  name: 'kvm',
  ttlMs: 30_000,
  remainingMs: 29_999,
  onExpiry: 'HOLD',
  references: 3,
  sets: 1,
  state: 'ALIVE',
  hold: {
    priority: 'CPU',
    tokens: ['vm-a'],
    setIds: [9_007_199_254_740_993n],
    all: false,
    registerRevision: 4n,
    acknowledgedRevision: 18_446_744_073_709_551_615n,
  },
  owner: 'dns:kvm.example',
}

function setUp(answer: Parameters<typeof fakeTransport>[0]) {
  const fake = fakeTransport(answer)
  return { ...fake, client: makeClient(() => fake.transport, manualClock().clock) }
}

/** What a caller in JavaScript may give, whatever the types say. */
const untyped = (value: unknown): never => value as never

const refused: [string, string, (client: Client) => unknown][] = [
  ['no time', 'ttl_ms', (c) => c.grantLease(untyped({}))],
  ['a time of none', 'ttl_ms', (c) => c.grantLease({ ttlMs: 0 })],
  ['a time with a fraction', 'ttl_ms', (c) => c.grantLease({ ttlMs: 0.5 })],
  ['a name with a line in it', 'name', (c) => c.grantLease({ ttlMs: 1000, name: 'a\nb' })],
  ['an unknown end', 'on_expiry', (c) => c.grantLease({ ttlMs: 1000, onExpiry: untyped('KEEP') })],
  ['a lease without its handle', 'lease_handle', (c) => c.keepLeaseAlive({ leaseHandle: '' })],
  ['a revocation of nothing', 'lease_handle', (c) => c.revokeLease(untyped({}))],
  ['a look at nothing', 'lease_handle', (c) => c.getLease(untyped({}))],
  ['a page below zero', 'page_size', (c) => c.listLeases({ pageSize: -1 })],
  ['an acknowledgement of nobody', 'lease_handle', (c) => c.acknowledge(untyped({ revision: 1n }))],
  ['an acknowledgement of nothing', 'revision', (c) => c.acknowledge(untyped({ leaseHandle }))],
  ['a history that is a number', 'space_id', (c) => c.acknowledge({ leaseHandle, revision: 1n, spaceId: untyped(7) })],
  ['a revision that is a number', 'revision', (c) => c.acknowledge({ leaseHandle, revision: untyped(7) })],
  ['a set of an empty lease', 'lease_handle', (c) => c.createSet({ leaseHandle: '' })],
  ['a reference without a lease', 'lease_handle', (c) => c.acquire(untyped({ setHandle, ioasid: 1 }))],
  ['a reference in no set', 'set_ref', (c) => c.release(untyped({ ioasid: 1, leaseHandle }))],
  ['a reference to no id', 'ioasid', (c) => c.release({ setHandle, ioasid: -1, leaseHandle })],
  ['a find for an empty lease', 'acquire_for_lease', (c) => c.findBySpid({ setHandle, spid: 1, acquireForLease: '' })],
  [
    'an item without a lease',
    'items[0].acquire.lease_handle',
    (c) => c.batch([untyped({ kind: 'acquire', setHandle, ioasid: 1 })]),
  ],
  ['a lease too short to keep', 'ttl_ms', (c) => c.openLease({ ttlMs: 99 })],
  ['an option that is none', 'ttl', (c) => c.openLease(untyped({ ttl: 1000 }))],
]

describe('the client of a holder', () => {
  it('speaks of leases as people do, and keeps their 64 bits', async () => {
    const { client, calls } = setUp(() => ({ lease: wireLease, revision: '5' }))
    const changed = { lease, revision: 5n }
    expect(await client.grantLease({ ttlMs: 30_000, name: 'kvm', onExpiry: 'HOLD' })).toEqual(changed)
    expect(await client.keepLeaseAlive({ leaseHandle })).toEqual(changed)
    expect(await client.getLease({ leaseHandle })).toEqual(lease)
    expect(await client.revokeLease({ leaseHandle })).toEqual({ revision: 5n })
    expect(calls[0]?.request).toMatchObject({ ttl_ms: '30000', name: 'kvm', on_expiry: 'HOLD' })
    expect(calls[0]?.request['request_id']).toMatch(/^[0-9a-f-]{36}$/)
    expect(calls[1]?.request).toEqual({ lease_handle: leaseHandle })
    expect(calls[3]?.request['request_id']).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('lists leases over all pages', async () => {
    const { client, calls } = setUp((_path, { page_token }) => ({
      leases: [{ ...wireLease, lease_handle: '', lease_id: page_token === '' ? '1' : '2' }],
      next_page_token: page_token === '' ? 'p' : '',
    }))
    const listed: bigint[] = []
    for await (const { leaseId } of client.listLeases({ pageSize: 1 })) listed.push(leaseId)
    expect(listed).toEqual([1n, 2n])
    expect(calls.map(({ request }) => [request['page_size'], request['page_token']])).toEqual([
      [1, ''],
      [1, 'p'],
    ])
  })

  it('takes and drops references', async () => {
    const { client, calls } = setUp((path) => ({
      references: '2',
      revision: '7',
      ...(path.endsWith('/Release') ? { reclaimed: true } : {}),
    }))
    expect(await client.acquire({ token: 'vm-a', ioasid: 7, leaseHandle })).toEqual({ references: 2, revision: 7n })
    const released = { references: 2, reclaimed: true, revision: 7n }
    expect(await client.release({ setHandle, ioasid: 7, leaseHandle, requestId: 'mine' })).toEqual(released)
    expect(calls[0]?.request).toMatchObject({ set_ref: 'token', token: 'vm-a', ioasid: 7, lease_handle: leaseHandle })
    expect(calls[0]?.request['request_id']).toMatch(/^[0-9a-f-]{36}$/)
    expect(calls[1]?.request).toMatchObject({ set_ref: 'set_handle', set_handle: setHandle, request_id: 'mine' })
  })

  it('acknowledges a revision, as often as nobody answers, and keeps its 64 bits', async () => {
    let attempts = 0
    const manual = manualClock()
    const fake = fakeTransport(() => {
      attempts += 1
      if (attempts < 3) throw grpcError('UNAVAILABLE')
      return { revision: '18446744073709551615' }
    })
    const client = makeClient(() => fake.transport, manual.clock)
    const answer = client.acknowledge({ leaseHandle, revision: 9_007_199_254_740_993n, spaceId: 'space-a' })
    await manual.advance(1_000)
    expect(await answer).toEqual({ revision: 18_446_744_073_709_551_615n })
    expect(fake.calls.map(({ path }) => path)).toEqual(Array(3).fill('/ioasid.v1.NotificationService/Acknowledge'))
    for (const { request } of fake.calls) {
      expect(request).toEqual({ lease_handle: leaseHandle, revision: '9007199254740993', space_id: 'space-a' })
    }
  })

  it('tells of a lease without a hold', async () => {
    const { client } = setUp(() => ({ lease: { ...wireLease, hold: null } }))
    expect((await client.getLease({ leaseHandle })).hold).toBeUndefined()
  })

  it('takes a reference where it finds an id, and has a set end with a lease', async () => {
    const set = { set_handle: setHandle, set_id: '1', state: 'ACTIVE', lease_id: '5', create_revision: '2' }
    const info = { ioasid: 7, set_id: '1', state: 'ACTIVE', references: '1', generation: '3' }
    const { client, calls } = setUp(() => ({ set, info, revision: '4' }))
    expect((await client.createSet({ token: 'vm-a', leaseHandle })).set.leaseId).toBe(5n)
    const found = await client.findBySpid({ token: 'vm-a', spid: 5, acquireForLease: leaseHandle, requestId: 'mine' })
    expect(found.info.references).toBe(1)
    expect(calls[0]?.request).toMatchObject({ lease_handle: leaseHandle })
    expect(calls[1]?.request).toMatchObject({ acquire_for_lease: leaseHandle, request_id: 'mine' })
  })

  it('takes and drops references in a batch', async () => {
    const { client, calls } = setUp(() => ({
      results: [
        { acquire: { references: '1', revision: '5' } },
        { release: { references: '0', reclaimed: false, revision: '6' } },
      ],
    }))
    const request = { token: 'vm-a', ioasid: 7, leaseHandle }
    const results = await client.batch([
      { kind: 'acquire', ...request },
      { kind: 'release', ...request },
    ])
    expect(results).toEqual([
      { kind: 'acquire', references: 1, revision: 5n },
      { kind: 'release', references: 0, reclaimed: false, revision: 6n },
    ])
    expect(calls[0]?.request).toMatchObject({
      items: [
        { item: 'acquire', acquire: { token: 'vm-a', ioasid: 7, lease_handle: leaseHandle } },
        { item: 'release', release: { token: 'vm-a', ioasid: 7, lease_handle: leaseHandle } },
      ],
    })
  })

  it('does not make up what an answer lacks', async () => {
    const { client } = setUp(() => ({ lease: { ...wireLease, state: 'STATE_UNSPECIFIED' } }))
    await expect(client.getLease({ leaseHandle })).rejects.toMatchObject({ code: 'INTERNAL' })
  })

  it.each(refused)('refuses what cannot be sent as it is meant: %s', async (_name, field, act) => {
    const { client, calls } = setUp(() => ({}))
    const error: unknown = await (async () => act(client))().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'INVALID_FIELD', metadata: { field } })
    expect(String(error)).not.toContain(leaseHandle)
    expect(calls).toHaveLength(0)
  })
})
