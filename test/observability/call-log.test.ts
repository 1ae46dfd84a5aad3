import { expect, it } from 'vitest'
import { createCallLog, type NotableCall } from '../../server/observability/call-log.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { keepLines } from './lines.ts'

const REFUSED: NotableCall = {
  method: 'Allocate',
  outcome: 'QUOTA_EXCEEDED',
  identity: 'uid:1000',
  peer: '127.0.0.1:9',
  durationMs: 1.23456,
  revision: undefined,
  trace: undefined,
}

function start() {
  const clock = createManualClock()
  const { log, lines } = keepLines()
  return { clock, lines, ...createCallLog(log, clock.after) }
}

it('a refused call has a line with method, reason, caller and duration, and no more', () => {
  const { lines, tell } = start()
  tell(REFUSED)
  const facts = {
    method: 'Allocate',
    reason: 'QUOTA_EXCEEDED',
    caller: 'uid:1000',
    peer: '127.0.0.1:9',
    duration_ms: 1.235,
  }
  expect(lines).toEqual([{ level: 'info', message: 'a call was refused', facts }])
})

it('of a caller that nobody knows a line has the address alone', () => {
  const { lines, tell } = start()
  tell({ ...REFUSED, identity: '' })
  expect(Object.keys(lines[0]?.facts ?? {})).toEqual(['method', 'reason', 'peer', 'duration_ms'])
})

it('a slow call has one with the revision of its answer and its place in a trace', () => {
  const { lines, tell } = start()
  const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), end: () => undefined }
  tell({ ...REFUSED, outcome: 'OK', durationMs: 1500, revision: 7, trace })
  expect(lines).toMatchObject([
    { level: 'warn', facts: { reason: 'OK', revision: 7, trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) } },
  ])
})

it('a flood of refusals has 20 lines a second, and one more that says how many were left out', () => {
  const { clock, lines, tell } = start()
  for (let second = 1; second <= 3; second++) {
    for (let call = 0; call < 10_000; call++) tell(REFUSED)
    clock.advance(1000)
    expect(lines).toHaveLength(21 * second)
    expect(lines.at(-1)).toMatchObject({ facts: { calls: 9980 } })
  }
  // A quiet second says nothing.
  clock.advance(5000)
  expect(lines).toHaveLength(63)
  expect(clock.timers).toBe(0)
})

it('what the daemon says once for all calls, and calls that their peers gave up, have no line', () => {
  const { lines, tell } = start()
  for (const outcome of ['DRAINING', 'STORE_FAILED', 'CANCELLED'] as const) tell({ ...REFUSED, outcome })
  expect(lines).toEqual([])
})

it('nothing follows the last word, not even what was left out before it', () => {
  const { clock, lines, tell, stop } = start()
  for (let call = 0; call < 30; call++) tell(REFUSED)
  stop()
  tell(REFUSED)
  clock.advance(5000)
  expect(lines).toHaveLength(20)
})
