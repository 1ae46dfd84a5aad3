import { describe, expect, it } from 'vitest'
import { makeClient } from '../../client/client.ts'
import { retryDelayMs } from '../../client/retry.ts'
import { fakeTransport } from './fake-transport.ts'
import { grpcError } from './grpc-error.ts'
import { manualClock, settle } from './manual-clock.ts'

const setHandle = 'handle'

/** A client whose daemon gives these answers, one after the other; the last one for ever. */
function setUp(answers: (Error | object)[], settings: Parameters<typeof makeClient>[2] = {}, random = 1) {
  const times: number[] = []
  const timeouts: number[] = []
  const manual = manualClock(random)
  const fake = fakeTransport((_path, _request, timeoutMs) => {
    times.push(manual.clock.nowMs())
    timeouts.push(timeoutMs)
    const answer = answers.length > 1 ? answers.shift() : answers[0]
    if (answer instanceof Error) throw answer
    return answer
  })
  const client = makeClient(() => fake.transport, manual.clock, settings)
  return { client, ...fake, ...manual, times, timeouts }
}

describe('a call', () => {
  it('is tried again while nobody answers, with the same request and ever longer waits', async () => {
    const down = grpcError('UNAVAILABLE')
    const { client, advance, calls, times, timeouts } = setUp([down, down, down, { ioasids: [7], revision: '3' }])
    const allocated = client.allocate({ setHandle })
    await advance(1_000)
    expect(await allocated).toEqual({ ioasids: [7], revision: 3n })
    expect(times).toEqual([0, 50, 150, 350])
    // What is left of the deadline, not a deadline for each attempt.
    expect(timeouts).toEqual([10_000, 9_950, 9_850, 9_650])
    const ids = new Set(calls.map(({ request }) => request['request_id']))
    expect(ids.size).toBe(1)
    expect([...ids][0]).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('may wait beside a hundred others without a warning of the runtime', async () => {
    const warnings: Error[] = []
    const note = (warning: Error) => void warnings.push(warning)
    process.on('warning', note)
    const { client, advance } = setUp([grpcError('UNAVAILABLE')], { deadlineMs: 1_000 })
    const calls = Promise.allSettled(Array.from({ length: 100 }, () => client.freeAll({ setHandle })))
    await advance(2_000)
    await calls
    // Warnings are told a turn later.
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', note)
    expect(warnings).toEqual([])
  })

  it('has another request_id than the next one, unless the caller gives one', async () => {
    const { client, calls } = setUp([{ revision: '1' }])
    await client.freeAll({ setHandle })
    await client.freeAll({ setHandle })
    await client.freeAll({ setHandle, requestId: 'mine' })
    const ids = calls.map(({ request }) => request['request_id'])
    expect(ids[0]).not.toBe(ids[1])
    expect(ids[2]).toBe('mine')
  })

  it.each([
    'CANCELLED',
    'UNKNOWN',
    'INVALID_ARGUMENT',
    'DEADLINE_EXCEEDED',
    'NOT_FOUND',
    'ALREADY_EXISTS',
    'PERMISSION_DENIED',
    'RESOURCE_EXHAUSTED',
    'FAILED_PRECONDITION',
    'ABORTED',
    'OUT_OF_RANGE',
    'UNIMPLEMENTED',
    'INTERNAL',
    'DATA_LOSS',
    'UNAUTHENTICATED',
  ] as const)('is not tried again after %s', async (code) => {
    const { client, calls } = setUp([grpcError(code)])
    await expect(client.getStatus()).rejects.toMatchObject({ code })
    expect(calls).toHaveLength(1)
  })

  it('waits for as long as the daemon asks for, though it would try earlier', async () => {
    const busy = grpcError('UNAVAILABLE', 'busy', { reason: 'OVERLOADED', retryAfterMs: 3_000 })
    const { client, advance, times } = setUp([busy, { revision: '1' }])
    const freed = client.freeAll({ setHandle })
    await advance(5_000)
    await freed
    expect(times).toEqual([0, 3_000])
  })

  it('ends with the last failure when the deadline has no room for another attempt', async () => {
    const { client, advance, times } = setUp([grpcError('UNAVAILABLE', 'connect ENOENT')], { deadlineMs: 400 })
    const status = client.getStatus()
    const failed = expect(status).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'connect ENOENT' })
    await advance(1_000)
    await failed
    expect(times).toEqual([0, 50, 150, 350])
  })

  it('that could reach nobody says why, though its last attempt ran out of time', async () => {
    const late = grpcError('DEADLINE_EXCEEDED', 'time is up')
    const { client, advance } = setUp([grpcError('UNAVAILABLE', 'connect ENOENT'), late])
    const failed = expect(client.getStatus()).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'connect ENOENT' })
    await advance(100)
    await failed
  })

  it('does not wait for a time beyond its deadline', async () => {
    const busy = grpcError('UNAVAILABLE', 'busy', { reason: 'STARTING', retryAfterMs: 20_000 })
    const { client, timers } = setUp([busy])
    await expect(client.getStatus()).rejects.toMatchObject({ reason: 'STARTING' })
    expect(timers()).toBe(0)
  })

  it('has no more attempts than the settings allow', async () => {
    const { client, calls, advance } = setUp([grpcError('UNAVAILABLE')], { retry: { maxAttempts: 2 } })
    const failed = expect(client.getStatus()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await advance(60_000)
    await failed
    expect(calls).toHaveLength(2)
  })

  it('is given up by its signal, also between two attempts', async () => {
    const { client, calls, timers } = setUp([grpcError('UNAVAILABLE')])
    const user = new AbortController()
    const failed = expect(client.getStatus({ signal: user.signal })).rejects.toMatchObject({
      code: 'CANCELLED',
      cause: 'enough',
    })
    await settle()
    user.abort('enough')
    await failed
    expect(calls).toHaveLength(1)
    expect(timers()).toBe(0)
    await expect(client.getStatus({ signal: user.signal })).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(calls).toHaveLength(1)
  })

  it('is given up when the client is closed, and none is made after', async () => {
    const { client, calls, isClosed } = setUp([grpcError('UNAVAILABLE')])
    const failed = expect(client.getStatus()).rejects.toMatchObject({ code: 'CANCELLED' })
    await settle()
    await client.close()
    await failed
    expect(isClosed()).toBe(true)
    await expect(client.getStatus()).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(calls).toHaveLength(1)
  })

  it.each([0, -1, 1.5, Number.NaN, 86_400_001])(
    'with a deadline of %s is refused before it is made',
    async (deadlineMs) => {
      const { client, calls } = setUp([{}])
      await expect(client.getStatus({ deadlineMs })).rejects.toMatchObject({ metadata: { field: 'deadline_ms' } })
      expect(() => setUp([{}], { deadlineMs })).toThrow('deadline_ms')
      expect(calls).toHaveLength(0)
    },
  )
})

describe('the wait before another attempt', () => {
  const settings = { initialDelayMs: 50, maxDelayMs: 2_000, maxAttempts: Infinity }
  const wait = (failures: number, random: number) =>
    retryDelayMs(settings, manualClock(random).clock, failures, undefined)

  it('doubles up to its most, and half of it is chance', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 8, 10_000].map((failures) => wait(failures, 1))).toEqual([
      50, 100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000,
    ])
    expect([wait(1, 0), wait(1, 0.5), wait(1_000_000, 0)]).toEqual([25, 37.5, 1_000])
  })
})
