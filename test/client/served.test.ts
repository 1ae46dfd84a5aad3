import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fromGrpc } from '../../client/errors.ts'
import { type Client, connect } from '../../client/index.ts'
import { type Served, serve } from '../support/rpc.ts'
import { failureOf } from './failure-of.ts'

/** The SDK before the daemon's own services. */

let served: Served
let client: Client

beforeEach(async () => {
  served = await serve()
  client = connect({ endpoint: served.address })
})

afterEach(async () => {
  await client.close()
  served.stop()
})

describe('the SDK and the daemon', () => {
  it('agree on the life of a set and its ids', async () => {
    const { set, revision } = await client.createSet({ token: 'vm-a', quota: 4 })
    const { setHandle } = set
    expect(set).toMatchObject({
      token: 'vm-a',
      quota: 4,
      state: 'ACTIVE',
      createRevision: revision,
      leaseId: undefined,
    })
    const allocated = await client.allocate({ setHandle, spids: [101, 0], privateData: Uint8Array.of(1, 255) })
    const [first = 0, second = 0] = allocated.ioasids
    expect(await client.getIoasid({ ioasid: second, setHandle })).toMatchObject({
      spid: 0,
      state: 'ACTIVE',
      generation: allocated.revision,
      bindRevision: allocated.revision,
      devices: [''],
      privateData: Uint8Array.of(1, 255),
    })
    // This listener is for administrators, who see what an owner sees.
    expect(await client.getIoasid({ ioasid: second })).toMatchObject({ privateData: Uint8Array.of(1, 255) })
    expect((await client.findBySpid({ token: 'vm-a', spid: 101 })).info.ioasid).toBe(first)
    await client.detachSpid({ setHandle, ioasid: first })
    await client.detachData({ setHandle, ioasid: first })
    await client.attachData({ setHandle, ioasid: first, privateData: Uint8Array.of(7) })
    await client.attachSpid({ setHandle, ioasid: first, spid: 5, device: 'nic' })
    const freed = await client.free({ setHandle, ioasids: [first], generation: allocated.revision })
    expect(freed.results).toEqual([{ ioasid: first, state: 'FREE', references: 0 }])
    expect(await client.freeAll({ setHandle })).toMatchObject({ reclaimed: 1, pending: 0 })
    expect((await client.adjustQuota({ setHandle, quota: 8 })).set.quota).toBe(8)
    expect((await client.deleteSet({ setHandle })).set.state).toBe('GONE')
    expect(await failureOf(client.getSet({ setHandle }))).toMatchObject({ code: 'NOT_FOUND', reason: 'SET_NOT_FOUND' })
  })

  it('agree on lists, over pages', async () => {
    for (let number = 0; number < 5; number += 1) await client.createSet({ token: `vm-${number}` })
    const tokens: string[] = []
    for await (const { token } of client.listSets({ tokenPrefix: 'vm-', pageSize: 2 })) tokens.push(token)
    expect(tokens).toEqual(['vm-0', 'vm-1', 'vm-2', 'vm-3', 'vm-4'])
    const { setHandle } = (await client.createSet()).set
    const { ioasids } = await client.allocate({ setHandle, count: 5 })
    const listed: number[] = []
    for await (const { ioasid } of client.listIoasids({ setHandle, pageSize: 2 })) listed.push(ioasid)
    expect(listed).toEqual([...ioasids].sort((a, b) => a - b))
  })

  it('agree on a batch', async () => {
    const { setHandle } = (await client.createSet({ quota: 1 })).set
    const results = await client.batch([
      { kind: 'allocate', setHandle, spids: [5] },
      { kind: 'allocate', setHandle },
    ])
    expect(results).toMatchObject([
      { kind: 'allocate' },
      { kind: 'failure', error: { reason: 'QUOTA_EXCEEDED', metadata: { limit: '1', used: '1', requested: '1' } } },
    ])
  })

  it('agree on what was done twice', async () => {
    const requestId = crypto.randomUUID()
    const first = await client.createSet({ token: 'vm-a', requestId })
    expect(await client.createSet({ token: 'vm-a', requestId })).toEqual(first)
    expect(await failureOf(client.createSet({ token: 'vm-b', requestId }))).toMatchObject({
      reason: 'REQUEST_ID_REUSED',
    })
    expect(await failureOf(client.createSet({ token: 'vm-a' }))).toMatchObject({ reason: 'TOKEN_IN_USE' })
  })

  it('agree on the counts', async () => {
    await client.createSet({ quota: 10 })
    expect(await client.getStatus()).toMatchObject({ sets: 1, reserved: 10, revision: 1n, role: 'LEADER' })
  })

  const wrongFields: [string, object, () => Promise<unknown>][] = [
    ['IoasidService/Allocate', { set_handle: 'x', count: 0 }, () => client.allocate({ setHandle: 'x', count: 0 })],
    ['IoasidService/Free', { set_handle: 'x' }, () => client.free({ setHandle: 'x', ioasids: [] })],
    ['IoasidService/FreeAll', {}, () => client.freeAll({ setHandle: '' })],
    [
      'IoasidService/AttachData',
      { set_handle: 'x', ioasid: 1 },
      () => client.attachData({ setHandle: 'x', ioasid: 1, privateData: new Uint8Array() }),
    ],
    ['IoasidService/Batch', {}, () => client.batch([])],
    ['SetService/CreateSet', { token: 'ü'.repeat(128) }, () => client.createSet({ token: 'ü'.repeat(128) })],
    ['SetService/CreateSet', { request_id: 'x'.repeat(65) }, () => client.createSet({ requestId: 'x'.repeat(65) })],
    ['SetService/GetSet', { token: '' }, () => client.getSet({ token: '' })],
  ]

  it.each(wrongFields)('agree on a wrong field: %s %j', async (path, request, act) => {
    const [service, method = ''] = path.split('/')
    const call = service === 'SetService' ? served.set : served.ioasid
    const daemons = fromGrpc(await call(method, request).catch((error: unknown) => error))
    const own = await failureOf(act())
    expect(own).toMatchObject({ code: daemons.code, reason: daemons.reason, metadata: daemons.metadata })
    expect(own.violations[0]?.field).toBe(daemons.violations[0]?.field)
    expect(daemons.reason).toBe('INVALID_FIELD')
  })
})

describe('a subscription', () => {
  it('keeps the table of a VM that does not exist yet', async () => {
    const table = new Map<number, number>()
    const subscription = client.subscribe({ tokens: ['vm-a'], types: ['BIND', 'UNBIND'], start: 'snapshot' })
    expect(await subscription.next()).toMatchObject({ value: { kind: 'snapshotBegin' } })
    const { setHandle } = (await client.createSet({ token: 'vm-a' })).set
    const other = (await client.createSet({ token: 'vm-b' })).set
    const { ioasids, revision } = await client.allocate({ setHandle, spids: [101, 102] })
    await client.allocate({ setHandle: other.setHandle, spids: [101] })
    await client.freeAll({ setHandle, requestId: 'last' })
    const seen: (Map<number, number> | string)[] = []
    for await (const item of subscription) {
      if (item.kind === 'snapshotEnd') seen.push('end')
      if (item.kind !== 'revision') continue
      for (const { type, spid, ioasid } of item.notifications) {
        if (type === 'BIND') table.set(spid, ioasid)
        if (type === 'UNBIND') table.delete(spid)
      }
      seen.push(new Map(table))
      if (table.size === 0) break
    }
    const [first = 0, second = 0] = ioasids
    expect(seen).toEqual([
      'end',
      new Map([
        [101, first],
        [102, second],
      ]),
      new Map(),
    ])
    expect(subscription.cursor?.revision).toBeGreaterThan(revision)
    expect(subscription).toMatchObject({ gaps: 0, interruptions: 0 })
  })

  it('is refused for what it asks, and says what', async () => {
    const { spaceId } = await client.getStatus()
    const start = { afterRevision: 99n }
    const next = (options: Parameters<Client['subscribe']>[0]) => failureOf(client.subscribe(options).next())
    expect(await next({ all: true, start })).toMatchObject({ reason: 'FUTURE_REVISION', metadata: { requested: '99' } })
    const other = await next({ all: true, start: { afterRevision: 0n }, spaceId: 'other' })
    expect(other).toMatchObject({ reason: 'HISTORY_CHANGED', metadata: { space_id: spaceId } })
    expect(await next({ setHandles: ['guess'], start: 'now' })).toMatchObject({ reason: 'SET_NOT_FOUND' })
  })

  it('may begin anew where the history is lost', async () => {
    const options = { all: true, start: { afterRevision: 99n }, onLost: 'snapshot' } as const
    const subscription = client.subscribe(options)
    expect(await subscription.next()).toMatchObject({ value: { kind: 'snapshotBegin', revision: 0n } })
    expect(await subscription.next()).toMatchObject({ value: { kind: 'snapshotEnd', revision: 0n } })
    await subscription.return()
  })
})
