import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeClient } from '../../client/client.ts'
import { systemClock } from '../../client/clock.ts'
import type { IoasidError, OpenLeaseOptions } from '../../client/index.ts'
import { fakeTransport } from './fake-transport.ts'
import { grpcError } from './grpc-error.ts'
import { manualClock, settle } from './manual-clock.ts'

const down = () => grpcError('UNAVAILABLE', 'connect ENOENT')
const gone = () => grpcError('NOT_FOUND', 'no such lease', { reason: 'LEASE_NOT_FOUND' })

/** What the daemon does with the n-th renewal (1 is the first); undefined: it grants it. */
type Renewal = (attempt: number) => Error | undefined | Promise<Error | undefined>

function setUp({ renewal = () => undefined, settings = {} }: { renewal?: Renewal; settings?: object } = {}) {
  const manual = manualClock(1)
  const renewals: number[] = []
  const timeouts: number[] = []
  const revocations: (string | undefined)[] = []
  const lease = (ttlMs: string) => ({
    lease_handle: 'key',
    lease_id: '5',
    ttl_ms: ttlMs,
    on_expiry: 'RELEASE',
    state: 'ALIVE',
  })
  let revocation: () => Error | undefined = () => undefined
  let grant: () => Error | undefined = () => undefined
  let ttlMs = ''
  const fake = fakeTransport(async (path, request, timeoutMs) => {
    const method = path.split('/').at(-1)
    if (method === 'GrantLease') {
      ttlMs = String(request['ttl_ms'])
      const failure = grant()
      if (failure !== undefined) throw failure
    }
    if (method === 'KeepLeaseAlive') {
      renewals.push(manual.clock.nowMs())
      timeouts.push(timeoutMs)
      const failure = await renewal(renewals.length)
      if (failure !== undefined) throw failure
    }
    if (method === 'RevokeLease') {
      revocations.push(String(request['request_id']))
      const failure = revocation()
      if (failure !== undefined) throw failure
    }
    return { lease: lease(ttlMs), revision: '1' }
  })
  const client = makeClient(() => fake.transport, manual.clock, settings)
  const lostAt: { atMs: number; error: IoasidError }[] = []
  const open = (options: Partial<OpenLeaseOptions> = {}) =>
    client.openLease({
      ttlMs: 9_000,
      onLost: (error) => lostAt.push({ atMs: manual.clock.nowMs(), error }),
      ...options,
    })
  return {
    ...manual,
    ...fake,
    client,
    open,
    renewals,
    timeouts,
    revocations,
    lostAt,
    failRevocation: (failure: () => Error | undefined) => {
      revocation = failure
    },
    failGrant: (failure: () => Error | undefined) => {
      grant = failure
    },
  }
}

const unhandled: unknown[] = []
const note = (error: unknown) => void unhandled.push(error)

beforeEach(() => {
  unhandled.length = 0
  process.on('unhandledRejection', note)
})

afterEach(async () => {
  // Rejections that nobody handles are told a turn later.
  await settle()
  process.off('unhandledRejection', note)
  expect(unhandled).toEqual([])
})

describe('an open lease', () => {
  it('is renewed whenever a third of its time has passed, for as long as it is open', async () => {
    const { open, advance, renewals, lostAt } = setUp()
    const lease = await open({ name: 'kvm' })
    expect(lease).toMatchObject({ handle: 'key', leaseId: 5n })
    await advance(30_000)
    expect(renewals).toEqual([3_000, 6_000, 9_000, 12_000, 15_000, 18_000, 21_000, 24_000, 27_000, 30_000])
    expect(lease.signal.aborted).toBe(false)
    expect(lostAt).toEqual([])
  })

  it('survives a daemon that is away for less than its time, and tries ever more slowly', async () => {
    const { open, advance, renewals, lostAt } = setUp({ renewal: (n) => (n <= 5 ? down() : undefined) })
    const lease = await open()
    await advance(20_000)
    expect(renewals.slice(0, 7)).toEqual([3_000, 3_050, 3_150, 3_350, 3_750, 4_550, 7_550])
    expect(lease.signal.aborted).toBe(false)
    expect(lostAt).toEqual([])
  })

  it('waits no longer than a sixth of its time between two attempts, whatever the client may', async () => {
    const settings = { retry: { initialDelayMs: 60_000, maxDelayMs: 60_000 } }
    const { open, advance, renewals } = setUp({ renewal: (n) => (n === 1 ? down() : undefined), settings })
    await open()
    await advance(5_000)
    expect(renewals).toEqual([3_000, 4_500])
  })

  it('gives an attempt a third of its time, so that there is room for another one', async () => {
    const { open, advance, timeouts } = setUp()
    await open({ ttlMs: 1_000 })
    await advance(1_000)
    expect(new Set(timeouts)).toEqual(new Set([333]))
  })

  it('is lost its time after the last renewal that was answered was sent, to the millisecond', async () => {
    const { open, advance, lostAt, timers, renewals } = setUp({ renewal: (n) => (n > 2 ? down() : undefined) })
    const lease = await open()
    await advance(6_000 + 8_999)
    expect(lease.signal.aborted).toBe(false)
    await advance(1)
    expect(lease.signal.aborted).toBe(true)
    const error = await lease.lost
    expect(error).toMatchObject({ name: 'IoasidError', code: 'DEADLINE_EXCEEDED', cause: { code: 'UNAVAILABLE' } })
    expect(error.message).toBe('The lease could not be renewed for 9000 ms: connect ENOENT')
    expect(lease.signal.reason).toBe(error)
    await settle()
    expect(lostAt).toEqual([{ atMs: 15_000, error }])
    const attempts = renewals.length
    await advance(60_000)
    expect(renewals).toHaveLength(attempts)
    expect(timers()).toBe(0)
  })

  it('counts from when the renewal was sent, not from its answer', async () => {
    const { open, advance, clock, lostAt } = setUp({
      renewal: (n) => {
        if (n > 1) return down()
        return new Promise((resolve) => clock.schedule(2_500, () => resolve(undefined)))
      },
    })
    await open()
    await advance(30_000)
    expect(lostAt.map(({ atMs }) => atMs)).toEqual([3_000 + 9_000])
  })

  it('is lost though an attempt hangs, and is not found again by its late answer', async () => {
    const { open, advance, clock, lostAt, renewals } = setUp({
      renewal: () => new Promise((resolve) => clock.schedule(20_000, () => resolve(undefined))),
    })
    const lease = await open()
    await advance(60_000)
    expect(lostAt.map(({ atMs }) => atMs)).toEqual([9_000])
    expect(renewals).toEqual([3_000])
    expect((await lease.lost).message).toContain('nobody has answered')
  })

  it('is lost at once when the daemon does not know it', async () => {
    const { open, advance, lostAt, timers } = setUp({ renewal: (n) => (n === 2 ? gone() : undefined) })
    const lease = await open()
    await advance(6_000)
    expect(lostAt).toMatchObject([{ atMs: 6_000, error: { reason: 'LEASE_NOT_FOUND' } }])
    expect(await lease.lost).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
    expect(timers()).toBe(0)
  })

  it('is told as lost to whoever listens, without a warning of the runtime, and to nobody as a rejection', async () => {
    const warnings: Error[] = []
    const noteWarning = (warning: Error) => void warnings.push(warning)
    process.on('warning', noteWarning)
    const { client, advance } = setUp({ renewal: () => gone() })
    const lease = await client.openLease({ ttlMs: 9_000 })
    let told = 0
    for (let listener = 0; listener < 100; listener += 1) lease.signal.addEventListener('abort', () => (told += 1))
    await advance(3_000)
    await settle()
    process.off('warning', noteWarning)
    expect({ told, warnings }).toEqual({ told: 100, warnings: [] })
  })

  it('is tried again after a refusal that may pass, and lost only by its time', async () => {
    const { open, advance, lostAt, renewals } = setUp({ renewal: () => grpcError('PERMISSION_DENIED') })
    await open()
    await advance(30_000)
    expect(lostAt).toMatchObject([{ atMs: 9_000, error: { cause: { code: 'PERMISSION_DENIED' } } }])
    // No tight loop.
    expect(renewals.length).toBeLessThan(15)
  })

  it('keeps no process running', () => {
    const running = () => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length
    const before = running()
    const cancel = systemClock.scheduleUnref(60_000, () => {})
    expect(running()).toBe(before)
    cancel()
  })

  it('may be longer than a timer of the runtime', async () => {
    const delays: number[] = []
    const { clock, advance } = manualClock()
    const scheduleUnref: typeof clock.scheduleUnref = (delayMs, run) => {
      delays.push(delayMs)
      return clock.scheduleUnref(delayMs, run)
    }
    const lasting = { lease_handle: 'key', ttl_ms: '31536000000', on_expiry: 'HOLD', state: 'ALIVE' }
    const fake = fakeTransport(() => ({ lease: lasting, revision: '1' }))
    const client = makeClient(() => fake.transport, { ...clock, scheduleUnref })
    const lease = await client.openLease({ ttlMs: 31_536_000_000 })
    await advance(60_000_000_000)
    expect(Math.max(...delays)).toBeLessThan(2 ** 31)
    expect(lease.signal.aborted).toBe(false)
  })
})

describe('opening a lease', () => {
  it('renews it first where the grant has taken long: it may have been granted at the beginning', async () => {
    const { open, advance, renewals, lostAt, failGrant } = setUp()
    let attempts = 0
    failGrant(() => {
      attempts += 1
      return attempts <= 8 ? down() : undefined
    })
    const opened = open({ ttlMs: 3_000 })
    await advance(4_550)
    await opened
    expect(attempts).toBe(9)
    await advance(1_000)
    expect(renewals).toEqual([4_550, 5_550])
    expect(lostAt).toEqual([])
  })

  it('fails as the grant does, and leaves nothing running', async () => {
    const { open, failGrant, timers } = setUp()
    failGrant(() => grpcError('RESOURCE_EXHAUSTED', 'full', { reason: 'TOO_MANY' }))
    await expect(open()).rejects.toMatchObject({ reason: 'TOO_MANY' })
    expect(timers()).toBe(0)
  })

  it('is given up by its signal, as a call is', async () => {
    const { open, failGrant } = setUp()
    failGrant(down)
    const user = new AbortController()
    const failed = expect(open({ signal: user.signal })).rejects.toMatchObject({ code: 'CANCELLED', cause: 'enough' })
    await settle()
    user.abort('enough')
    await failed
  })
})

describe('a lease that was wanted', () => {
  it('is renewed no more once it is revoked, and is not called lost', async () => {
    const { open, advance, renewals, revocations, lostAt, timers } = setUp()
    const lease = await open()
    await advance(3_000)
    await lease.revoke()
    await lease[Symbol.asyncDispose]()
    await advance(60_000)
    expect(renewals).toEqual([3_000])
    expect(revocations).toHaveLength(1)
    expect({ lost: lostAt, aborted: lease.signal.aborted, timers: timers() }).toEqual({
      lost: [],
      aborted: false,
      timers: 0,
    })
  })

  it('is revoked while a renewal is under way, whose answer is nothing any more', async () => {
    const { open, advance, clock, lostAt, timers } = setUp({
      renewal: () => new Promise((resolve) => clock.schedule(100, () => resolve(gone()))),
    })
    const lease = await open()
    await advance(3_000)
    await lease.revoke()
    await advance(60_000)
    expect(lostAt).toEqual([])
    expect(timers()).toBe(0)
  })

  it('may be revoked again where nobody has answered, as the same request', async () => {
    const { open, revocations, failRevocation, advance, renewals } = setUp({
      settings: { retry: { maxAttempts: 1 } },
    })
    const lease = await open()
    failRevocation(down)
    await expect(lease.revoke()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    failRevocation(() => undefined)
    await lease.revoke()
    expect(revocations).toHaveLength(2)
    expect(new Set(revocations).size).toBe(1)
    await advance(60_000)
    expect(renewals).toEqual([])
  })

  it('is revoked where it is gone already', async () => {
    const { open, failRevocation } = setUp()
    const lease = await open()
    failRevocation(gone)
    await lease.revoke()
  })

  it('is revoked when its block is left', async () => {
    const { open, revocations } = setUp()
    const lease = await open()
    await lease[Symbol.asyncDispose]()
    expect(revocations).toHaveLength(1)
  })

  it.each(['close', 'signal', 'client'] as const)(
    'is left to its time by %s: nothing is sent any more',
    async (how) => {
      const { open, client, advance, calls, lostAt, timers } = setUp()
      const user = new AbortController()
      const lease = await open({ signal: user.signal })
      if (how === 'close') lease.close()
      else if (how === 'signal') user.abort()
      else await client.close()
      await lease[Symbol.asyncDispose]()
      lease.close()
      await advance(60_000)
      expect(calls).toHaveLength(1)
      expect(lostAt).toEqual([])
      expect(timers()).toBe(0)
    },
  )

  it('is not revoked by leaving its block when it is lost: with HOLD its references stay', async () => {
    const { open, advance, revocations } = setUp({ renewal: down })
    const lease = await open({ onExpiry: 'HOLD' })
    await advance(9_000)
    await lease[Symbol.asyncDispose]()
    expect(revocations).toEqual([])
  })
})
