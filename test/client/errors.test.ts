import { readFileSync } from 'node:fs'
import { Metadata } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'
import { fromFailure, fromGrpc, IoasidError, REASONS } from '../../client/errors.ts'
import { grpcError } from './grpc-error.ts'

describe('an error', () => {
  it('knows the reasons of the error table, no more and no fewer', () => {
    const proto = readFileSync(new URL('../../proto/ioasid/v1/resources.proto', import.meta.url), 'utf8')
    const rows = [...proto.matchAll(/^\/\/ {3}[A-Z_]+ {2,}([A-Z_]+) {2,}\S/gm)].map(([, reason]) => reason)
    expect(rows).toContain('SET_NOT_FOUND')
    expect([...REASONS].sort()).toEqual(rows.sort())
  })

  it('has the reason and the facts of the daemon', () => {
    const facts = { set_id: '1', limit: '16', used: '16', requested: '1' }
    const cause = grpcError('RESOURCE_EXHAUSTED', 'full', { reason: 'QUOTA_EXCEEDED', metadata: facts })
    const error = fromGrpc(cause)
    expect(error).toBeInstanceOf(IoasidError)
    expect(error).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'QUOTA_EXCEEDED', message: 'full', cause })
    expect(error.metadata).toEqual(facts)
    expect(error.violations).toEqual([])
  })

  it('names the fields that are wrong', () => {
    const violations = [{ field: 'spids[2]', description: 'no.' }]
    const error = fromGrpc(grpcError('INVALID_ARGUMENT', 'spids[2]: no.', { reason: 'INVALID_FIELD', violations }))
    expect(error.violations).toEqual(violations)
  })

  it('says when to try again, by RetryInfo or by retry_after_ms', () => {
    const info = grpcError('UNAVAILABLE', 'busy', { reason: 'OVERLOADED', retryAfterMs: 1250 })
    expect(fromGrpc(info).retryAfterMs).toBe(1250)
    const metadata = { retry_after_ms: '40' }
    const fact = grpcError('RESOURCE_EXHAUSTED', 'rest', { reason: 'RANGE_EXHAUSTED', metadata })
    expect(fromGrpc(fact).retryAfterMs).toBe(40)
    expect(fromGrpc(grpcError('UNAVAILABLE')).retryAfterMs).toBeUndefined()
  })

  it('has no reason where it was not the daemon that answered', () => {
    const error = fromGrpc(grpcError('UNAVAILABLE', 'connect ENOENT /run/x.sock'))
    expect(error).toMatchObject({ code: 'UNAVAILABLE', message: 'connect ENOENT /run/x.sock', reason: undefined })
    const other = fromGrpc(grpcError('UNAVAILABLE', 'proxy', { reason: 'DRAINING', domain: 'proxy.example' }))
    expect(other.reason).toBeUndefined()
  })

  it('says where nobody listens, and nothing of resolvers', () => {
    const details = 'No connection established. Last error: Error: connect ENOENT /run/x.sock. Resolution note: '
    expect(fromGrpc(grpcError('UNAVAILABLE', details)).message).toBe('No connection: connect ENOENT /run/x.sock')
    const late =
      'No connection established. Last error: Failed to connect (2026-11-22T17:53:31.326Z). Resolution note: x'
    expect(fromGrpc(grpcError('UNAVAILABLE', late)).message).toBe('No connection: Failed to connect')
    expect(fromGrpc(grpcError('UNAVAILABLE', late), (why) => `[${why}]`).message).toBe('[Failed to connect]')
  })

  it('survives details that are none', () => {
    const metadata = new Metadata()
    metadata.set('grpc-status-details-bin', Buffer.from('this is no protobuf'))
    const error = fromGrpc(Object.assign(new Error('5 NOT_FOUND: gone'), { code: 5, details: 'gone', metadata }))
    expect(error).toMatchObject({ code: 'NOT_FOUND', message: 'gone', reason: undefined })
  })

  it('is total: a bug and a thing that is no error become one too', () => {
    const bug = new TypeError('x is not a function')
    expect(fromGrpc(bug)).toMatchObject({ code: 'INTERNAL', cause: bug })
    expect(fromGrpc('odd')).toMatchObject({ code: 'UNKNOWN', message: 'odd' })
    expect(fromGrpc(Object.assign(new Error('99'), { code: 99 }))).toMatchObject({ code: 'UNKNOWN' })
    const own = fromGrpc(bug)
    expect(fromGrpc(own)).toBe(own)
  })

  it('is made of a failure of a batch as of a status', () => {
    const failure = { code: 3, reason: 'INVALID_FIELD', message: 'count: 0.', metadata: { field: 'count' } }
    expect(fromFailure(failure)).toMatchObject({
      code: 'INVALID_ARGUMENT',
      reason: 'INVALID_FIELD',
      violations: [{ field: 'count', description: '0.' }],
    })
    expect(fromFailure({ code: 13, reason: '', message: 'bug', metadata: {} })).toMatchObject({
      code: 'INTERNAL',
      reason: undefined,
    })
  })
})
