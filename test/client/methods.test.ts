import { describe, expect, it } from 'vitest'
import { makeClient } from '../../client/client.ts'
import { fakeTransport } from './fake-transport.ts'
import { manualClock } from './manual-clock.ts'

const setHandle = 'handle'
const wireSet = {
  set_handle: 'handle',
  set_id: '9007199254740993',
  token: 'vm-a',
  quota: 16,
  allocated: 2,
  free_pending: 1,
  bound: 1,
  state: 'ACTIVE',
  create_revision: '4',
  owner: 'uid:1000',
}
const set = {
  setHandle: 'handle',
  setId: 9_007_199_254_740_993n,
  token: 'vm-a',
  quota: 16,
  allocated: 2,
  freePending: 1,
  bound: 1,
  state: 'ACTIVE',
  leaseId: undefined,
  createRevision: 4n,
  owner: 'uid:1000',
}
const wireInfo = {
  ioasid: 7,
  set_id: '1',
  token: 'vm-a',
  spid: 0,
  state: 'FREE_PENDING',
  references: '3',
  generation: '12',
  bind_revision: '13',
  devices: ['', 'nic'],
  private_data: Buffer.from([1, 2]),
  holders: [
    {
      lease_id: '5',
      name: 'kvm',
      count: 3,
      since_revision: '13',
      since_time: { seconds: '1700000000', nanos: 5_000_000 },
      awaiting_revision: '14',
    },
  ],
}
const info = {
  ioasid: 7,
  setId: 1n,
  token: 'vm-a',
  spid: 0,
  state: 'FREE_PENDING',
  references: 3,
  generation: 12n,
  bindRevision: 13n,
  devices: ['', 'nic'],
  privateData: Uint8Array.of(1, 2),
  holders: [
    {
      leaseId: 5n,
      name: 'kvm',
      count: 3,
      sinceRevision: 13n,
      sinceTime: new Date(1_700_000_000_005),
      awaitingRevision: 14n,
    },
  ],
}

function setUp(answer: Parameters<typeof fakeTransport>[0]) {
  const fake = fakeTransport(answer)
  return { ...fake, client: makeClient(() => fake.transport, manualClock().clock) }
}

describe('the client', () => {
  it('speaks of sets as people do, and keeps their 64 bits', async () => {
    const { client, calls } = setUp(() => ({ set: wireSet, revision: '5' }))
    const changed = { set, revision: 5n }
    expect(await client.createSet({ token: 'vm-a', quota: 16 })).toEqual(changed)
    expect(await client.adjustQuota({ setHandle, quota: 16 })).toEqual(changed)
    expect(await client.deleteSet({ setHandle, force: true })).toEqual(changed)
    expect(await client.getSet({ token: 'vm-a' })).toEqual(set)
    expect(calls.map(({ path }) => path.split('/').at(-1))).toEqual(['CreateSet', 'AdjustQuota', 'DeleteSet', 'GetSet'])
    expect(calls[2]?.request).toMatchObject({ set_handle: setHandle, force: true })
    expect(calls[3]?.request).toMatchObject({ set_ref: 'token', token: 'vm-a' })
  })

  it('speaks of ids as people do: SPID 0 is one', async () => {
    const { client, calls } = setUp(() => ({ info: wireInfo, revision: '20' }))
    expect(await client.getIoasid({ ioasid: 7, setHandle })).toEqual(info)
    expect(await client.findBySpid({ token: 'vm-a', spid: 0 })).toEqual({ info, revision: 20n })
    expect(calls[0]?.request).toMatchObject({ ioasid: 7, set_handle: setHandle })
  })

  it('tells an id without a SPID from one with SPID 0', async () => {
    const { client } = setUp(() => ({ info: { ioasid: 7, state: 'IDLE' } }))
    const idle = await client.getIoasid({ ioasid: 7 })
    expect(idle).toMatchObject({ spid: undefined, bindRevision: undefined, privateData: undefined, holders: [] })
  })

  it('frees and binds', async () => {
    const { client } = setUp((path) => ({
      revision: '6',
      ...(path.endsWith('/FreeAll') ? { reclaimed: 2, pending: 1 } : {}),
      ...(path.endsWith('/Free') ? { results: [{ ioasid: 7, state: 'FREE_PENDING', references: '2' }] } : {}),
    }))
    const results = [{ ioasid: 7, state: 'FREE_PENDING', references: 2 }]
    expect(await client.free({ setHandle, ioasids: [7] })).toEqual({ results, revision: 6n })
    expect(await client.freeAll({ setHandle })).toEqual({ reclaimed: 2, pending: 1, revision: 6n })
    const privateData = Uint8Array.of(1)
    expect(await client.attachSpid({ setHandle, ioasid: 7, spid: 1 })).toEqual({ revision: 6n })
    expect(await client.detachSpid({ setHandle, ioasid: 7 })).toEqual({ revision: 6n })
    expect(await client.attachData({ setHandle, ioasid: 7, privateData })).toEqual({ revision: 6n })
    expect(await client.detachData({ setHandle, ioasid: 7 })).toEqual({ revision: 6n })
  })

  it('lists over all pages, and asks for no page that nobody wants', async () => {
    const { client, calls } = setUp((_path, { page_token }) => {
      const page = Number(page_token || 0)
      const ioasids = [page * 2 + 1, page * 2 + 2]
      return {
        infos: ioasids.map((ioasid) => ({ ioasid, state: 'IDLE' })),
        next_page_token: page < 2 ? String(page + 1) : '',
      }
    })
    const listed: number[] = []
    for await (const { ioasid } of client.listIoasids({ token: 'vm-a', pageSize: 2 })) listed.push(ioasid)
    expect(listed).toEqual([1, 2, 3, 4, 5, 6])
    expect(calls.map(({ request }) => request['page_token'])).toEqual(['', '1', '2'])
    expect(calls.every(({ request }) => request['page_size'] === 2 && request['token'] === 'vm-a')).toBe(true)
    for await (const { ioasid } of client.listIoasids({ setHandle })) if (ioasid === 2) break
    expect(calls).toHaveLength(4)
  })

  it('does a batch: each item with its own request_id, each result of its kind or a failure', async () => {
    const { client, calls } = setUp(() => ({
      results: [
        { allocate: { ioasids: [7], revision: '5' } },
        { free: { results: [{ ioasid: 8, state: 'FREE', references: '0' }], revision: '6' } },
        { failure: { code: 6, reason: 'SPID_IN_USE', message: 'taken', metadata: { spid: '1' } } },
        { detach_data: { revision: '7' } },
      ],
    }))
    const results = await client.batch([
      { kind: 'allocate', setHandle, count: 1 },
      { kind: 'free', setHandle, ioasids: [8] },
      { kind: 'attachSpid', setHandle, ioasid: 7, spid: 1 },
      { kind: 'detachData', setHandle, ioasid: 7, requestId: 'mine' },
    ])
    expect(results.map(({ kind }) => kind)).toEqual(['allocate', 'free', 'failure', 'detachData'])
    expect(results[0]).toEqual({ kind: 'allocate', ioasids: [7], revision: 5n })
    expect(results[2]).toMatchObject({ error: { code: 'ALREADY_EXISTS', reason: 'SPID_IN_USE' } })
    const items = JSON.stringify(calls[0]?.request)
    expect([...items.matchAll(/"request_id":"([^"]+)"/g)].map(([, id]) => id?.length)).toEqual([36, 36, 36, 4])
  })

  it('does not make up what an answer lacks', async () => {
    const { client } = setUp(() => ({ set: null, info: { state: 'STATE_UNSPECIFIED' }, results: [] }))
    await expect(client.getSet({ token: 'a' })).rejects.toMatchObject({ code: 'INTERNAL' })
    await expect(client.getIoasid({ ioasid: 1 })).rejects.toMatchObject({ code: 'INTERNAL' })
    await expect(client.batch([{ kind: 'allocate', setHandle }])).rejects.toMatchObject({ code: 'INTERNAL' })
  })

  it('reports the daemon', async () => {
    const counts = { capacity: 1024, reserved: 16, available: 1007, sets: 1, allocated: 2, free_pending: 0 }
    const rest = { resting: 0, leases: 0, subscriptions: 3, revision: '9', compact_revision: '1' }
    const more = {
      version: '0.1.0',
      space_id: 's',
      request_window_ms: '600000',
      store: 'memory',
      role: 'LEADER',
      overruns: '4',
    }
    const { client } = setUp(() => ({ ...counts, ...rest, ...more }))
    expect(await client.getStatus()).toEqual({
      version: '0.1.0',
      spaceId: 's',
      capacity: 1024,
      reserved: 16,
      available: 1007,
      sets: 1,
      allocated: 2,
      freePending: 0,
      resting: 0,
      leases: 0,
      subscriptions: 3,
      revision: 9n,
      compactRevision: 1n,
      requestWindowMs: 600_000,
      store: 'memory',
      role: 'LEADER',
      overruns: 4,
    })
  })
})
