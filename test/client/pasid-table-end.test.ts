import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { OpenPasidTableOptions } from '../../client/index.ts'
import { grpcError } from './grpc-error.ts'
import { settle } from './manual-clock.ts'
import { bind, change, header, snapshotEnd, unbind } from './messages.ts'
import { gate, openTable, setUpTable } from './table.ts'

const down = () => grpcError('UNAVAILABLE', 'connect ENOENT')
const gone = () => grpcError('NOT_FOUND', 'no such lease', { reason: 'LEASE_NOT_FOUND' })
const first = [header(10), change(10, 10, [bind(4, 7, 101), bind(5, 8, 102), bind(6, 9, 103)]), snapshotEnd(10)]

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

type Handlers = Pick<OpenPasidTableOptions, 'onBind' | 'onUnbind'>

/** Handlers that write down what they are told, of which the named one fails. */
function failing(what: 'bind' | 'unbind', failingSpid: number) {
  const told: string[] = []
  let isBroken = true
  const handle = async (kind: string, why: string, spid: number) => {
    told.push(`${why} ${spid}`)
    if (isBroken && kind === what && spid === failingSpid) throw new Error('the device does not answer')
  }
  const options: Handlers = {
    onBind: (spid) => handle('bind', 'bind', spid),
    onUnbind: (spid, _ioasid, { why }) => handle('unbind', why, spid),
  }
  const mend = () => {
    isBroken = false
  }
  return { told, mend, options }
}

describe('a handler that fails', () => {
  it('ends the table with its error: nothing more is called or acknowledged, and the lease lives on', async () => {
    const { told, options } = failing('unbind', 101)
    const { stream, table, errors, acknowledged, renewals, advance, log } = await openTable({ options }, ...first)
    stream(0).send(change(12, 10, [unbind(12, 7, 101, 4), unbind(12, 8, 102, 5)]))
    stream(0).send(change(13, 12, [unbind(13, 9, 103, 6)]))
    await advance(60_000)
    expect(told.slice(3)).toEqual(['unbound 101'])
    expect({ acknowledged, log }).toEqual({ acknowledged: [], log: [] })
    expect(renewals.length).toBeGreaterThan(15)
    expect(errors).toMatchObject([
      {
        name: 'IoasidError',
        code: 'ABORTED',
        reason: undefined,
        message: 'onUnbind of SPID 101 (IOASID 7, set 1) failed: the device does not answer',
        metadata: { set_id: '1', spid: '101', ioasid: '7' },
        cause: new Error('the device does not answer'),
      },
    ])
    await expect(table.closed).rejects.toBe(errors[0])
    await expect(table.waitForRevision(12n)).rejects.toBe(errors[0])
    expect([...table.entries()].map(({ spid }) => spid)).toEqual([102, 103])
    expect(stream(0).isCancelled()).toBe(true)
  })

  it('is called again by close, which revokes the lease when all is clean, and not before', async () => {
    const { told, mend, options } = failing('unbind', 101)
    const { stream, table, errors, log } = await openTable({ options }, ...first)
    stream(0).send(change(12, 10, [unbind(12, 7, 101, 4)]))
    await settle()
    told.length = 0
    await expect(table.close()).rejects.toMatchObject({ code: 'ABORTED' })
    expect({ told, log }).toEqual({ told: ['closed 101', 'closed 102', 'closed 103'], log: [] })
    expect(errors).toHaveLength(2)
    mend()
    told.length = 0
    await table.close()
    expect({ told, log }).toEqual({ told: ['closed 101'], log: ['revoke'] })
  })

  it('to bind leaves an entry that cannot be found, and that close unbinds', async () => {
    const { told, options } = failing('bind', 104)
    const { stream, table } = await openTable({ options }, ...first)
    stream(0).send(change(12, 10, [bind(12, 10, 104)]))
    await settle()
    expect(table.get(104)).toBeUndefined()
    await table.close()
    expect(told.slice(3)).toEqual(['bind 104', 'closed 101', 'closed 102', 'closed 103', 'closed 104'])
  })

  it('while the table is opened rejects the opening, when what was bound is unbound and the lease revoked', async () => {
    const { told, options } = failing('bind', 102)
    const { opening, stream, log, errors, timers } = setUpTable({ options })
    await settle()
    for (const message of first) stream(0).send(message)
    await expect(opening).rejects.toMatchObject({ code: 'ABORTED', metadata: { spid: '102' } })
    expect(told).toEqual(['bind 101', 'bind 102', 'closed 101', 'closed 102'])
    expect({ log, errors, timers: timers() }).toEqual({ log: ['revoke'], errors: [], timers: 0 })
  })

  it('while an opening is given up is told too, and the lease is left to its time', async () => {
    const { options } = failing('unbind', 101)
    const user = new AbortController()
    const bound = gate()
    const onBind = (spid: number) => (spid === 102 ? bound.passed : undefined)
    const { opening, stream, log, timers } = setUpTable({ options: { ...options, onBind, signal: user.signal } })
    await settle()
    for (const message of first) stream(0).send(message)
    await settle()
    user.abort()
    bound.pass()
    await expect(opening).rejects.toMatchObject({
      code: 'CANCELLED',
      message: expect.stringMatching(/^The caller gave up the table\. Then: onUnbind of SPID 101 .* failed/),
    })
    expect({ log, timers: timers() }).toEqual({ log: [], timers: 0 })
  })

  it('is an unhandled rejection where nobody wants to know of it', async () => {
    const { options } = failing('bind', 104)
    const { stream } = await openTable({ options: { ...options, onError: undefined } }, ...first)
    stream(0).send(change(12, 10, [bind(12, 10, 104)]))
    await settle()
    expect(unhandled.splice(0)).toMatchObject([{ code: 'ABORTED' }])
  })
})

describe('a table whose lease is lost', () => {
  const all = ['lost 101 7', 'lost 102 8', 'lost 103 9']

  it('unbinds everything at once when the stream says so, and ends with that', async () => {
    const { stream, table, log, errors, renewals, advance, timers } = await openTable({}, ...first)
    stream(0).end(gone())
    await settle()
    expect(log).toEqual(all)
    expect(errors).toMatchObject([{ reason: 'LEASE_NOT_FOUND' }])
    await expect(table.closed).rejects.toBe(errors[0])
    await table.close()
    await advance(60_000)
    expect({ log, renewals, timers: timers(), size: table.size }).toEqual({
      log: all,
      renewals: [],
      timers: 0,
      size: 0,
    })
  })

  it('does so when its time has passed without an answer, whatever the stream does', async () => {
    const { table, log, errors, advance } = await openTable({ renew: down }, ...first)
    await advance(9_999)
    expect(log).toEqual([])
    await advance(1)
    expect(log).toEqual(all)
    expect(errors).toMatchObject([{ code: 'DEADLINE_EXCEEDED' }])
    await expect(table.closed).rejects.toBe(errors[0])
  })

  it('does so when an acknowledgement is told so', async () => {
    const { stream, log, errors } = await openTable(
      { acknowledge: (revision) => (revision === '12' ? gone() : undefined) },
      ...first,
    )
    stream(0).send(change(12, 10, [unbind(12, 7, 101, 4)]))
    await settle()
    expect(log).toEqual(['unbound 101 7', 'acknowledge 12', 'lost 102 8', 'lost 103 9'])
    expect(errors).toMatchObject([{ reason: 'LEASE_NOT_FOUND' }])
  })

  it('waits for the handler that runs, which may give up, and unbinds what that had begun', async () => {
    const log: string[] = []
    const onBind = (spid: number, _ioasid: number, { signal }: { signal: AbortSignal }) =>
      spid < 104 ||
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('gave up'))))
    const onUnbind = (spid: number) => void log.push(`unbind ${spid}`)
    const { stream, errors, advance } = await openTable({ renew: down, options: { onBind, onUnbind } }, ...first)
    stream(0).send(change(12, 10, [bind(12, 10, 104)]))
    await advance(10_000)
    expect(log).toEqual(['unbind 101', 'unbind 102', 'unbind 103', 'unbind 104'])
    expect(errors).toMatchObject([{ code: 'DEADLINE_EXCEEDED' }])
  })

  it('also after a handler has failed, when nothing else was in a hurry', async () => {
    const { told, options } = failing('bind', 104)
    let renew: () => Error | undefined = () => undefined
    const { stream, errors, advance } = await openTable({ renew: () => renew(), options }, ...first)
    stream(0).send(change(12, 10, [bind(12, 10, 104)]))
    await advance(30_000)
    expect(errors).toMatchObject([{ code: 'ABORTED' }])
    told.length = 0
    renew = gone
    await advance(5_000)
    expect(told).toEqual(['lost 101', 'lost 102', 'lost 103', 'lost 104'])
    expect(errors).toMatchObject([{ code: 'ABORTED' }, { reason: 'LEASE_NOT_FOUND' }])
  })

  it('with HOLD lets go of its references when everything is unbound, so that no operator has to', async () => {
    const { stream, log } = await openTable({ options: { onExpiry: 'HOLD' } }, ...first)
    stream(0).end(gone())
    await settle()
    expect(log).toEqual([...all, 'revoke'])
  })

  it('with HOLD keeps its references where something could not be unbound', async () => {
    const { told, options } = failing('unbind', 102)
    const { stream, log, errors, table } = await openTable({ options: { ...options, onExpiry: 'HOLD' } }, ...first)
    told.length = 0
    stream(0).end(gone())
    await settle()
    expect({ told, log }).toEqual({ told: ['lost 101', 'lost 102', 'lost 103'], log: [] })
    expect(errors).toMatchObject([{ reason: 'LEASE_NOT_FOUND' }, { code: 'ABORTED' }])
    await expect(table.closed).rejects.toMatchObject({
      reason: 'LEASE_NOT_FOUND',
      message: expect.stringMatching(/ Then: onUnbind of SPID 102 /),
    })
  })
})

describe('a table that the daemon refuses to serve on', () => {
  it.each([
    ['ABORTED', 'SUPERSEDED'],
    ['FAILED_PRECONDITION', 'HOLD_DIFFERS'],
    ['PERMISSION_DENIED', 'NOT_PERMITTED'],
    ['UNAUTHENTICATED', 'NO_IDENTITY'],
  ] as const)('ends with %s %s, and keeps its ids until close', async (code, reason) => {
    const { stream, table, log, errors } = await openTable({}, ...first)
    stream(0).end(grpcError(code, 'no', { reason }))
    await settle()
    expect(errors).toMatchObject([{ code, reason }])
    await expect(table.closed).rejects.toBe(errors[0])
    expect({ log, size: table.size }).toEqual({ log: [], size: 3 })
    await table.close()
    expect(log).toEqual(['closed 101 7', 'closed 102 8', 'closed 103 9', 'revoke'])
  })
  it('since the policy has changed asks no more, and keeps its lease alive until what it has is torn down', async () => {
    let isDown = false
    const { told, options } = failing('unbind', -1)
    const { stream, streams, table, log, errors, renewals, acknowledged, advance } = await openTable(
      { options, acknowledge: () => (isDown ? down() : undefined) },
      ...first,
    )
    told.length = 0
    isDown = true
    stream(0).send(change(12, 10, [unbind(12, 7, 101, 4)]))
    await settle()
    isDown = false
    acknowledged.length = 0
    stream(0).end(grpcError('PERMISSION_DENIED', 'no', { reason: 'NOT_PERMITTED' }))
    // Several times as long as the lease would last: it goes on being renewed, and the daemon is not asked again.
    renewals.length = 0
    await advance(60_000)
    expect(streams).toHaveLength(1)
    expect(renewals.length).toBeGreaterThan(10)
    expect(renewals.length).toBeLessThan(30)
    expect(errors).toMatchObject([{ reason: 'NOT_PERMITTED' }])
    // What was torn down before is acknowledged all the same, and what was not is there until its user says so.
    expect(acknowledged).toEqual(['12'])
    expect({ told, log, size: table.size }).toEqual({
      told: ['unbound 101'],
      log: ['acknowledge 12', 'acknowledge 12'],
      size: 2,
    })
    await table.close()
    expect(told).toEqual(['unbound 101', 'closed 102', 'closed 103'])
    expect(log.at(-1)).toBe('revoke')
  })

  it('and does not renew its lease either holds its ids for no longer than that, and then unbinds them', async () => {
    const refused = () => grpcError('PERMISSION_DENIED', 'no', { reason: 'NOT_PERMITTED' })
    const { stream, log, errors, renewals, advance } = await openTable({ renew: refused }, ...first)
    stream(0).end(refused())
    await advance(10_000)
    expect(renewals.length).toBeLessThan(20)
    expect(errors).toMatchObject([{ reason: 'NOT_PERMITTED' }, { code: 'DEADLINE_EXCEEDED' }])
    expect(log).toEqual(['lost 101 7', 'lost 102 8', 'lost 103 9'])
  })
})
