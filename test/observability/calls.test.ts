import { afterEach, expect, it } from 'vitest'
import { createCallLog } from '../../server/observability/call-log.ts'
import { createCallObserver } from '../../server/observability/call-observer.ts'
import { createRecorder } from '../../server/observability/recorder.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { refusalOf, type Served, serve } from '../support/rpc.ts'
import { keepLines } from './lines.ts'

let served: Served | undefined
afterEach(() => served?.stop())

/** The services, watched; each look at the clock finds it `stepMs` later. */
async function start(stepMs = 0) {
  const { log, lines } = keepLines()
  const recorder = createRecorder()
  const clock = createManualClock()
  let nowMs = 0
  const callLog = createCallLog(log, clock.after)
  const now = () => {
    nowMs += stepMs
    return nowMs
  }
  const observer = createCallObserver({ recorder, callLog, nowMs: now, slowMs: 1000, trace: undefined })
  served = await serve({ observer })
  const counted = () => {
    const [requests] = recorder.families()
    const some = requests?.values.filter(({ value }) => value > 0) ?? []
    return Object.fromEntries(some.map(({ value, labels: { method, reason } }) => [`${method} ${reason}`, value]))
  }
  const timed = () => {
    const samples = recorder.families()[1]?.values ?? []
    const counts = samples.filter(({ metricName }) => metricName?.endsWith('_count'))
    return Object.fromEntries(counts.map(({ value, labels: { method } }) => [method, value]))
  }
  return { ...served, lines, counted, timed }
}

const handleOf = (created: unknown) => (created as { set: { set_handle: string } }).set.set_handle

it('each RPC is counted by method and reason, and how long it took by method', async () => {
  const { set, ioasid, counted, timed } = await start()
  const handle = handleOf(await set('CreateSet', { token: 'vm', quota: 2 }))
  await ioasid('Allocate', { set_handle: handle })
  await refusalOf(ioasid('Allocate', { set_handle: handle, count: 2 }))
  await refusalOf(ioasid('Allocate', { set_handle: '' }))
  await refusalOf(set('GetSet', { token: 'nobody' }))
  expect(counted()).toEqual({
    'CreateSet OK': 1,
    'Allocate OK': 1,
    'Allocate QUOTA_EXCEEDED': 1,
    'Allocate INVALID_FIELD': 1,
    'GetSet SET_NOT_FOUND': 1,
  })
  expect(timed()).toEqual({ CreateSet: 1, Allocate: 3, GetSet: 1 })
})

it('bytes that are no message are counted as what they were meant for', async () => {
  const { raw, counted } = await start()
  await refusalOf(raw('SetService/GetSet', Buffer.from([0xff, 0xff])))
  expect(counted()).toEqual({ 'GetSet INVALID_FIELD': 1 })
})

it('an item of a Batch is counted as a request of its own method, and the Batch once as an RPC', async () => {
  const { set, ioasid, counted, timed, lines } = await start()
  const handle = handleOf(await set('CreateSet', { token: 'vm', quota: 1 }))
  const items = [
    { allocate: { set_handle: handle } },
    { allocate: { set_handle: handle } },
    { free: { set_handle: handle, ioasids: [1] } },
    { detach_spid: { set_handle: handle, ioasid: 1 } },
  ]
  await ioasid('Batch', { items })
  expect(counted()).toEqual({
    'CreateSet OK': 1,
    'Batch OK': 1,
    'Allocate OK': 1,
    'Allocate QUOTA_EXCEEDED': 1,
    'Free OK': 1,
    'DetachSpid IOASID_NOT_FOUND': 1,
  })
  expect(timed()).toEqual({ CreateSet: 1, Batch: 1 })
  expect(lines.map(({ facts }) => [facts['method'], facts['reason']])).toEqual([
    ['Allocate', 'QUOTA_EXCEEDED'],
    ['DetachSpid', 'IOASID_NOT_FOUND'],
  ])
})

it('a Batch that is refused whole counts no items', async () => {
  const { ioasid, counted } = await start()
  await refusalOf(ioasid('Batch', { items: [{}] }))
  expect(counted()).toEqual({ 'Batch INVALID_FIELD': 1 })
})

it('a stream is counted when it is over: left by its peer, refused, or ended', async () => {
  const { wire, engine, counted, timed, lines } = await start()
  const open = (request: object) => wire.open('ioasid.v1.NotificationService', 'Subscribe', request)
  const left = open({ all: true, now: true })
  await left.next()
  left.cancel()
  await expect.poll(counted).toEqual({ 'Subscribe CANCELLED': 1 })
  await open({ all: true }).ended
  const ended = open({ all: true, now: true })
  await ended.next()
  await engine.drain({ reason: 'DRAINING', message: 'The end.', metadata: {} })
  await ended.ended
  const all = { 'Subscribe CANCELLED': 1, 'Subscribe INVALID_FIELD': 1, 'Subscribe DRAINING': 1 }
  await expect.poll(counted).toEqual(all)
  expect(timed()).toEqual({})
  // The one that was refused; that a peer leaves is no news, and that the daemon does is told once.
  expect(lines.map(({ facts }) => facts['reason'])).toEqual(['INVALID_FIELD'])
})

it('a call that takes as long as --log-slow-calls has a line with its revision', async () => {
  const { set, lines } = await start(1000)
  await set('CreateSet', { token: 'vm' })
  await set('GetSet', { token: 'vm' })
  const slow = { level: 'warn', message: 'a call was slow' }
  expect(lines).toMatchObject([
    { ...slow, facts: { method: 'CreateSet', reason: 'OK', duration_ms: 1000, revision: 1 } },
    { ...slow, facts: { method: 'GetSet', reason: 'OK' } },
  ])
})

it('no line of a call has a handle, a token, a lease id or private data', async () => {
  const { set, ioasid, lease, lines } = await start(1000)
  const handle = handleOf(await set('CreateSet', { token: 'secret-token', quota: 1 }))
  const granted = (await lease('GrantLease', { ttl_ms: 60_000, name: 'secret-name' })) as {
    lease: { lease_handle: string }
  }
  const leaseHandle = granted.lease.lease_handle
  await ioasid('Allocate', { set_handle: handle, spids: [7], private_data: Buffer.from('secret-data') })
  await refusalOf(set('CreateSet', { token: 'secret-token' }))
  await refusalOf(ioasid('Allocate', { set_handle: handle, private_data: Buffer.from('secret-data') }))
  await refusalOf(ioasid('Release', { token: 'secret-token', ioasid: 1, lease_handle: leaseHandle }))
  await refusalOf(lease('GetLease', { lease_handle: `${leaseHandle}x` }))
  expect(lines.length).toBeGreaterThanOrEqual(7)
  const text = JSON.stringify(lines)
  for (const secret of ['secret', handle, leaseHandle, 'set-', 'lease-', 'leaseId']) expect(text).not.toContain(secret)
})
