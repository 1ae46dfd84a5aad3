import { describe, expect, it } from 'vitest'
import type { Client } from '../../client/index.ts'
import { grpcError } from './grpc-error.ts'
import { settle } from './manual-clock.ts'
import { header } from './messages.ts'
import { setUpTable } from './table.ts'

/** What a caller in JavaScript may give, whatever the types say. */
const untyped = (value: unknown): never => value as never
const handlers = { onBind: () => {}, onUnbind: () => {} }

const refused: [string, string, (client: Client) => Promise<unknown>][] = [
  ['no filter', 'all', (c) => c.openPasidTable({ ...handlers })],
  ['no handler', 'on_unbind', (c) => c.openPasidTable(untyped({ tokens: ['vm-a'], onBind: () => {} }))],
  ['a priority of none', 'priority', (c) => c.openPasidTable(untyped({ all: true, ...handlers, priority: 'GPU' }))],
  ['a lease too short', 'ttl_ms', (c) => c.openPasidTable({ all: true, ...handlers, ttlMs: 99 })],
  ['a name with a line', 'name', (c) => c.openPasidTable({ all: true, ...handlers, name: 'a\nb' })],
  ['a signal of none', 'signal', (c) => c.openPasidTable(untyped({ all: true, ...handlers, signal: 1 }))],
  ['an unknown option', 'types', (c) => c.openPasidTable(untyped({ all: true, ...handlers, types: ['BIND'] }))],
]

describe('a table that cannot be', () => {
  it.each(refused)('is refused before anything is sent: %s', async (_name, field, act) => {
    const { client, calls, streams } = setUpTable({ options: { tokens: [''] } })
    await expect(act(client)).rejects.toMatchObject({ reason: 'INVALID_FIELD', metadata: { field } })
    expect(calls.length + streams.length).toBe(0)
  })

  it.each([
    ['NOT_FOUND', 'SET_NOT_FOUND'],
    ['PERMISSION_DENIED', 'NOT_PERMITTED'],
  ] as const)('is refused with the daemon’s own error, and its lease revoked: %s', async (code, reason) => {
    const { opening, stream, log, errors, timers } = setUpTable()
    await settle()
    stream(0).end(grpcError(code, 'no', { reason }))
    await expect(opening).rejects.toMatchObject({ code, reason })
    expect({ log, errors, timers: timers() }).toEqual({ log: ['revoke'], errors: [], timers: 0 })
  })
})

describe('giving up the opening of a table', () => {
  it('sends nothing where the signal is aborted already', async () => {
    const { opening, calls, streams } = setUpTable({ options: { signal: AbortSignal.abort() } })
    await expect(opening).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(calls.length + streams.length).toBe(0)
  })

  it('revokes the lease that was granted already', async () => {
    const user = new AbortController()
    const { opening, stream, log, timers } = setUpTable({ options: { signal: user.signal } })
    await settle()
    stream(0).send(header(10))
    user.abort()
    await expect(opening).rejects.toMatchObject({ code: 'CANCELLED', message: 'The caller gave up the table.' })
    expect({ log, timers: timers(), cancelled: stream(0).isCancelled() }).toEqual({
      log: ['revoke'],
      timers: 0,
      cancelled: true,
    })
  })

  it('comes by itself when the lease is lost before the daemon has said anything', async () => {
    const { opening, advance, timers, errors } = setUpTable({ renew: () => grpcError('UNAVAILABLE') })
    await advance(10_000)
    await expect(opening).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    expect({ timers: timers(), errors }).toEqual({ timers: 0, errors: [] })
  })
})
