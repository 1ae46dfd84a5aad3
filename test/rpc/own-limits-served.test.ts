import { credentials, makeClientConstructor, type ServiceError } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { serviceDefinition } from '../../proto/load.ts'
import { data, grpcMessage, request } from '../hostile/frames.ts'
import { type RawPeer, rawPeer, vanishAll } from '../hostile/raw-peer.ts'
import { controlStore } from '../support/controlled-store.ts'
import { memoryStore } from '../support/engine.ts'
import { readRefusal, refusalOf } from '../support/rpc.ts'
import { connect, type Wire } from '../support/wire.ts'
import { type LimitedOptions, type LimitedServer, startLimitedServer } from './limited-server.ts'

const MIB = 1024 * 1024
const SETS = 'ioasid.v1.SetService'
const IOASIDS = 'ioasid.v1.IoasidService'
const REFLECTION = 'grpc.reflection.v1.ServerReflection'

let server: LimitedServer
const opened: { close(): void }[] = []
afterEach(async () => {
  for (const each of opened.splice(0)) each.close()
  vanishAll()
  await server.stop()
})

async function start(options: LimitedOptions = {}) {
  server = await startLimitedServer(options)
  const addresses = { a: await server.addressFor('uid:1'), b: await server.addressFor('uid:2') }
  return { ...server, ...addresses, nobody: await server.addressFor('') }
}

function wireTo(address: string): Wire {
  const wire = connect(address)
  opened.push(wire)
  return wire
}

async function rawTo(address: string): Promise<RawPeer> {
  const { hostname: host, port } = new URL(`tcp://${address}`)
  return await rawPeer({ host, port: Number(port) })
}

/** What is told of a limit, wherever it is told. */
const tooMany = (what: string, limit: number, retryMs: number) => ({
  status: 'RESOURCE_EXHAUSTED',
  reason: 'TOO_MANY',
  domain: 'ioasid',
  metadata: { what, limit: String(limit), retry_after_ms: String(retryMs) },
  retryMs,
})

const list = (wire: Wire) => wire.call(SETS, 'ListSets', {})
const subscribe = (wire: Wire) => wire.open('ioasid.v1.NotificationService', 'Subscribe', { all: true, now: true })
const createSet = async (wire: Wire, fields: object = {}) =>
  ((await wire.call(SETS, 'CreateSet', fields)) as { set: { set_handle: string; set_id: string } }).set

/** Sockets take turns of the event loop, and not time, to say that they have ended. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve))
}

const succeeds = (call: () => Promise<unknown>) => async () =>
  await call().then(
    () => true,
    () => false,
  )

describe('a call over the limit of', () => {
  it('calls of its identity is refused at once, streams count, and those of others go on', async () => {
    const { a, b } = await start({ own: { maxCalls: 2 } })
    const [one, other] = [wireTo(a), wireTo(b)]
    const streams = [subscribe(one), subscribe(one)]
    for (const stream of streams) expect(await stream.next()).toMatchObject({ kind: 'HEADER' })
    expect(await refusalOf(list(one))).toMatchObject(tooMany('own_calls', 2, 100))
    const third = subscribe(one)
    expect(await third.next()).toBeUndefined()
    expect(readRefusal((await third.ended) as ServiceError)).toMatchObject(tooMany('own_calls', 2, 100))
    await list(other)
    streams[0]?.cancel()
    await until(succeeds(() => list(one)))
  })

  it('requests of its identity is told when to come again, and can come then', async () => {
    const { a, b, tenants, clock } = await start()
    const [one, other] = [wireTo(a), wireTo(b)]
    await list(one)
    expect(tenants.of('uid:1').ask(4999)).toBeUndefined()
    expect(await refusalOf(list(one))).toMatchObject(tooMany('own_requests', 5000, 1))
    await list(other)
    clock.advance(1)
    await list(one)
  })

  it('calls of all, or requests of all, is refused whoever makes it', async () => {
    const { a, b, tenants } = await start({ all: { maxCalls: 2, maxRequests: 2000 } })
    const [one, other] = [wireTo(a), wireTo(b)]
    const streams = [subscribe(one), subscribe(one)]
    for (const stream of streams) await stream.next()
    expect(await refusalOf(list(other))).toMatchObject(tooMany('calls', 2, 100))
    for (const stream of streams) stream.cancel()
    await until(succeeds(() => list(other)))
    const asked = tenants.of('uid:1')
    while (asked.ask(1) === undefined);
    expect(await refusalOf(list(other))).toMatchObject({ metadata: { what: 'requests', limit: '2000' } })
  })

  it('bytes under way of its identity is refused on whichever connection, and those of others are not', async () => {
    const { a, b } = await start({ own: { maxInFlightBytes: 8 * MIB } })
    const [first, second] = [wireTo(a), wireTo(a)]
    const peer = await rawTo(a)
    const path = '/ioasid.v1.SetService/GetSet'
    // Two that never come to their end: what is compressed counts as what it may grow to, 1,032 times as much.
    for (const id of [1, 3])
      peer.send(Buffer.concat([request(id, path), data(id, grpcMessage(Buffer.alloc(0), 1, 4000))]))
    const big = { token: 'x'.repeat(150_000) }
    const getBig = (wire: Wire) => refusalOf(wire.call(SETS, 'GetSet', big))
    await until(async () => (await getBig(first)).reason === 'TOO_MANY')
    for (const wire of [first, second]) {
      expect(await getBig(wire)).toMatchObject(tooMany('own_in_flight', 8 * MIB, 100))
      // A small one still has its place.
      await list(wire)
    }
    expect(await getBig(wireTo(b))).toMatchObject({ reason: 'INVALID_FIELD' })
    peer.vanish()
    await until(async () => (await getBig(first)).reason === 'INVALID_FIELD')
  })
})

describe('a Batch', () => {
  it('counts as many requests as it has items, and is refused whole where they are too many', async () => {
    const { a, tenants, engine, clock } = await start()
    const wire = wireTo(a)
    const { set_handle } = await createSet(wire)
    const batch = (count: number) =>
      wire.call(IOASIDS, 'Batch', { items: Array.from({ length: count }, () => ({ allocate: { set_handle } })) })
    expect(tenants.of('uid:1').ask(4999 - 699)).toBeUndefined()
    expect(await refusalOf(batch(700))).toMatchObject(tooMany('own_requests', 5000, 1))
    expect(await engine.status()).toMatchObject({ revision: 1 })
    expect(((await batch(699)) as { results: unknown[] }).results).toHaveLength(699)
    expect(await refusalOf(batch(1))).toMatchObject({ metadata: { what: 'own_requests' } })
    clock.advance(1000)
    expect(await refusalOf(batch(1001))).toMatchObject({ reason: 'INVALID_FIELD' })
    await batch(1000)
  })

  it('without an item counts as one request', async () => {
    const { a, tenants } = await start()
    const wire = wireTo(a)
    expect(tenants.of('uid:1').ask(4999)).toBeUndefined()
    const empty = () => refusalOf(wire.call(IOASIDS, 'Batch', { items: [] }))
    expect(await empty()).toMatchObject({ reason: 'INVALID_FIELD' })
    expect(await empty()).toMatchObject({ metadata: { what: 'own_requests' } })
  })
})

it('a question of reflection counts as a request', async () => {
  const { a, tenants } = await start()
  const Client = makeClientConstructor(serviceDefinition(REFLECTION), REFLECTION)
  const client = new Client(a, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
  opened.push(client)
  expect(tenants.of('uid:1').ask(4997)).toBeUndefined()
  const call = client['ServerReflectionInfo']?.()
  const ended = new Promise<ServiceError>((resolve) => call.once('error', resolve))
  let answers = 0
  call.on('data', () => {
    answers += 1
  })
  for (let question = 0; question < 3; question++) call.write({ list_services: '' })
  expect(readRefusal(await ended)).toMatchObject({ reason: 'TOO_MANY', metadata: { what: 'own_requests' } })
  expect(answers).toBe(2)
})

it('a health check of somebody unknown is answered, whatever others who are unknown have used up', async () => {
  const { nobody, tenants } = await start({ own: { maxCalls: 1 } })
  const busy = wireTo(nobody)
  const stream = subscribe(busy)
  await stream.next()
  expect(tenants.of('').ask(4999)).toBeUndefined()
  expect(await refusalOf(list(busy))).toMatchObject({ reason: 'TOO_MANY' })
  expect(await wireTo(nobody).call('grpc.health.v1.Health', 'Check', {})).toEqual({ status: 'SERVING' })
})

it('a connection over the limit of its identity is closed, and the log says so', async () => {
  const { a, b, warnings } = await start({ own: { maxConnections: 1 } })
  const first = await rawTo(a)
  const second = await rawTo(a)
  await second.closed
  expect(first.isClosed()).toBe(false)
  const why = 'a connection was refused: its identity has --max-own-connections already'
  expect(warnings).toEqual([[{ identity: 'uid:1' }, why]])
  await list(wireTo(b))
  first.vanish()
  await first.closed
  await until(succeeds(() => list(wireTo(a))))
})

describe('an identity that goes on asking where it is told to wait', () => {
  const GET_SET = '/ioasid.v1.SetService/GetSet'
  const calls = (from: number, count: number) =>
    Buffer.concat(
      Array.from({ length: count }, (_, index) => {
        const id = 1 + 2 * (from + index)
        return Buffer.concat([request(id, GET_SET), data(id, grpcMessage(Buffer.alloc(0)), true)])
      }),
    )

  it('is cut off with ENHANCE_YOUR_CALM, waits a second when it comes again, and nobody else does', async () => {
    const { a, b, tenants, warnings, clock } = await start()
    const other = wireTo(b)
    await list(other)
    const flooding = await rawTo(a)
    expect(tenants.of('uid:1').ask(5000)).toBeUndefined()
    flooding.send(calls(0, 1999))
    const headers = () => flooding.received.get(1) ?? 0
    await until(() => headers() === 1999)
    expect(flooding.isClosed()).toBe(false)
    flooding.send(calls(1999, 100))
    await flooding.closed
    expect(flooding.goaway()).toBe(11)
    expect(warnings).toEqual([
      [{ calls: 2000, identity: 'uid:1' }, 'a connection was cut off: its identity does not wait where it is told to'],
    ])
    const again = wireTo(a)
    const answer = list(again)
    await list(wireTo(b))
    await list(other)
    const isWaiting = await Promise.race([answer.then(() => false), list(other).then(() => true)])
    expect(isWaiting).toBe(true)
    clock.advance(1000)
    await answer
  })

  it('is cut off as well where what it sends is no call of a method', async () => {
    const { a, b, tenants, warnings } = await start()
    const ids = Array.from({ length: 2010 }, (_, index) => 1 + 2 * index)
    const unknown = await rawTo(a)
    const paths = [GET_SET, '/ioasid.v1.SetService/NoSuchMethod']
    expect(tenants.of('uid:1').ask(5000)).toBeUndefined()
    unknown.send(Buffer.concat(ids.map((id) => request(id, paths[id % 4 === 1 ? 1 : 0] ?? '', true))))
    await unknown.closed
    expect(unknown.goaway()).toBe(11)
    expect(warnings).toMatchObject([
      [{ identity: 'uid:1' }, 'a connection was cut off: its identity does not wait where it is told to'],
    ])
    const few = await rawTo(b)
    few.send(Buffer.concat(ids.slice(0, 1900).map((id) => request(id, '/nothing', true))))
    await until(() => few.received.get(1) === 1900)
    expect(few.isClosed()).toBe(false)
    await list(wireTo(b))
  })

  it('is not, as long as it is few calls in a second', async () => {
    const { a, tenants, warnings, clock } = await start()
    const peer = await rawTo(a)
    for (let second = 0; second < 3; second++) {
      const asked = tenants.of('uid:1')
      while (asked.ask(1) === undefined);
      const before = peer.received.get(1) ?? 0
      peer.send(calls(second * 1500, 1500))
      await until(() => peer.received.get(1) === before + 1500)
      clock.advance(1000)
    }
    expect(peer.isClosed()).toBe(false)
    expect(warnings).toEqual([])
  })
})

it('calls that end in whichever way leave room, and an identity that has gone leaves nothing', async () => {
  const store = controlStore(memoryStore())
  const { a, tenants, connections, clock } = await start({ store, own: { maxCalls: 3 } })
  const wire = wireTo(a)
  const answered = async () => {
    // Three at a time: no call that has ended counts any more.
    await until(succeeds(() => Promise.all([list(wire), list(wire), list(wire)])))
  }
  await list(wire)
  await answered()
  for (let call = 0; call < 10; call++) await refusalOf(wire.call(SETS, 'GetSet', { set_handle: 'no such set' }))
  await answered()
  store.hold()
  const givenUp = await rawTo(a)
  const bytes = Buffer.concat([
    request(1, '/ioasid.v1.SetService/CreateSet'),
    data(1, grpcMessage(Buffer.alloc(0)), true),
  ])
  givenUp.send(bytes)
  await until(() => store.batches.length > 0)
  const stream = subscribe(wire)
  givenUp.vanish()
  await givenUp.closed
  stream.cancel()
  store.release()
  await answered()
  const ended = subscribe(wire)
  await ended.next()
  ended.cancel()
  wire.close()
  await until(() => connections.count === 0)
  await until(() => {
    clock.advance(2000)
    return tenants.size === 0
  })
})

it('at the limit of its sets a request that was answered gets its answer again, and another one is refused', async () => {
  const { a, b } = await start({ maxSets: 2 })
  const wire = wireTo(a)
  const request_id = 'first'
  const first = await createSet(wire, { request_id, token: 'vm-a' })
  await createSet(wire, { token: 'vm-b' })
  const refused = await refusalOf(createSet(wire, { token: 'vm-c' }))
  expect(refused).toMatchObject({ reason: 'TOO_MANY', metadata: { what: 'own_sets', limit: '2' } })
  expect(await createSet(wire, { request_id, token: 'vm-a' })).toEqual(first)
  expect((await createSet(wireTo(b), { token: 'vm-d' })).set_id).not.toBe(first.set_id)
  await wire.call(SETS, 'DeleteSet', { set_handle: first.set_handle })
  await createSet(wire, { token: 'vm-c' })
})
