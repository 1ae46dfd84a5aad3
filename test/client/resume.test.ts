import { describe, expect, it } from 'vitest'
import type { IoasidError } from '../../client/errors.ts'
import { decideNext, type Ending, type Standing, type Start } from '../../client/resume.ts'
import { refusal } from './grpc-error.ts'

const cursor = { revision: 12n, spaceId: 'space-1' }
const starts: Start[] = [{ kind: 'now' }, { kind: 'snapshot' }, { kind: 'after', revision: 3n }]

function standing(parts: Partial<Standing> = {}): Standing {
  return { start: { kind: 'now' }, cursor, failures: 1, onLost: 'fail', ...parts }
}

const ended = (error: IoasidError): Ending => ({ kind: 'error', error })

/** What follows each ending: by default, and with onLost snapshot. */
const table: [string, Ending, 'resume' | 'fail', 'resume' | 'fail' | 'snapshot'][] = [
  ['a clean end', { kind: 'clean' }, 'resume', 'resume'],
  ['silence', { kind: 'silence' }, 'resume', 'resume'],
  ['a gap', { kind: 'gap', what: 'x' }, 'resume', 'resume'],
  ['UNAVAILABLE of nobody', ended(refusal('UNAVAILABLE')), 'resume', 'resume'],
  ['UNAVAILABLE DRAINING', ended(refusal('UNAVAILABLE', 'DRAINING')), 'resume', 'resume'],
  ['UNAVAILABLE NOT_LEADER', ended(refusal('UNAVAILABLE', 'NOT_LEADER')), 'resume', 'resume'],
  ['UNAVAILABLE STORE_FAILED', ended(refusal('UNAVAILABLE', 'STORE_FAILED')), 'resume', 'resume'],
  ['CANCELLED', ended(refusal('CANCELLED')), 'resume', 'resume'],
  ['DEADLINE_EXCEEDED', ended(refusal('DEADLINE_EXCEEDED')), 'resume', 'resume'],
  ['INTERNAL', ended(refusal('INTERNAL')), 'resume', 'resume'],
  ['UNKNOWN', ended(refusal('UNKNOWN')), 'resume', 'resume'],
  ['TOO_MANY with a time', ended(refusal('RESOURCE_EXHAUSTED', 'TOO_MANY', 50)), 'resume', 'resume'],
  ['TOO_MANY without', ended(refusal('RESOURCE_EXHAUSTED', 'TOO_MANY')), 'fail', 'fail'],
  ['a message too large', ended(refusal('RESOURCE_EXHAUSTED')), 'fail', 'fail'],
  ['COMPACTED', ended(refusal('OUT_OF_RANGE', 'COMPACTED')), 'fail', 'snapshot'],
  ['HISTORY_CHANGED', ended(refusal('OUT_OF_RANGE', 'HISTORY_CHANGED')), 'fail', 'snapshot'],
  ['FUTURE_REVISION', ended(refusal('OUT_OF_RANGE', 'FUTURE_REVISION')), 'fail', 'snapshot'],
  ['OUT_OF_RANGE of something else', ended(refusal('OUT_OF_RANGE')), 'fail', 'fail'],
  ['SET_NOT_FOUND', ended(refusal('NOT_FOUND', 'SET_NOT_FOUND')), 'fail', 'fail'],
  ['LEASE_NOT_FOUND', ended(refusal('NOT_FOUND', 'LEASE_NOT_FOUND')), 'fail', 'fail'],
  ['SUPERSEDED', ended(refusal('ABORTED', 'SUPERSEDED')), 'fail', 'fail'],
  ['INVALID_FIELD', ended(refusal('INVALID_ARGUMENT', 'INVALID_FIELD')), 'fail', 'fail'],
  ['NOT_PERMITTED', ended(refusal('PERMISSION_DENIED', 'NOT_PERMITTED')), 'fail', 'fail'],
  ['NO_IDENTITY', ended(refusal('UNAUTHENTICATED', 'NO_IDENTITY')), 'fail', 'fail'],
  ['HOLD_DIFFERS', ended(refusal('FAILED_PRECONDITION', 'HOLD_DIFFERS')), 'fail', 'fail'],
  ['ALREADY_EXISTS', ended(refusal('ALREADY_EXISTS')), 'fail', 'fail'],
  ['UNIMPLEMENTED', ended(refusal('UNIMPLEMENTED')), 'fail', 'fail'],
  ['DATA_LOSS', ended(refusal('DATA_LOSS')), 'fail', 'fail'],
]

function outcome(from: Standing, ending: Ending): string {
  const decision = decideNext(from, ending)
  if (decision.kind === 'fail') return 'fail'
  return decision.newHistory ? 'snapshot' : 'resume'
}

describe('when a stream has ended', () => {
  it.each(table)('%s', (_name, ending, byDefault, withSnapshot) => {
    expect(outcome(standing(), ending)).toBe(byDefault)
    expect(outcome(standing({ onLost: 'snapshot' }), ending)).toBe(withSnapshot)
  })

  it('the table has every status but OK', () => {
    const codes = new Set(table.map(([, ending]) => (ending.kind === 'error' ? ending.error.code : '')))
    expect([...codes].filter((code) => code !== '').length).toBe(16)
  })

  it('it goes on after the cursor, however it began', () => {
    for (const start of starts) {
      expect(decideNext(standing({ start }), { kind: 'clean' })).toMatchObject({
        kind: 'open',
        start: { kind: 'after', revision: 12n },
      })
    }
  })

  it('without a cursor it begins again as it began', () => {
    for (const start of starts) {
      expect(decideNext(standing({ start, cursor: undefined }), { kind: 'silence' })).toMatchObject({ start })
    }
  })

  it('a failure is the very error of the daemon', () => {
    const error = refusal('OUT_OF_RANGE', 'COMPACTED')
    expect(decideNext(standing(), ended(error))).toEqual({ kind: 'fail', error })
  })

  it('an INTERNAL that does not pass is a failure', () => {
    const internal = ended(refusal('INTERNAL'))
    expect(outcome(standing({ failures: 4 }), internal)).toBe('resume')
    expect(outcome(standing({ failures: 5 }), internal)).toBe('fail')
    expect(outcome(standing({ failures: 1000 }), ended(refusal('UNAVAILABLE')))).toBe('resume')
  })

  it('it waits as long as the daemon asks for', () => {
    const ending = ended(refusal('UNAVAILABLE', 'OVERLOADED', 700))
    expect(decideNext(standing(), ending)).toMatchObject({ retryAfterMs: 700 })
  })
})
