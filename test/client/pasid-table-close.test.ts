import { describe, expect, it } from 'vitest'
import { grpcError } from './grpc-error.ts'
import { settle } from './manual-clock.ts'
import { bind, change, header, snapshotEnd, unbind } from './messages.ts'
import { gate, openTable } from './table.ts'

const first = [header(10), change(10, 10, [bind(4, 7, 101), bind(5, 8, 102)]), snapshotEnd(10)]
const all = ['closed 101 7', 'closed 102 8']

describe('closing a table', () => {
  it('unbinds what is left, then revokes the lease and leaves nothing behind', async () => {
    const { table, stream, log, errors, timers, advance, calls } = await openTable({}, ...first)
    await table.close()
    expect(log).toEqual([...all, 'revoke'])
    await table.closed
    await table.close()
    await table[Symbol.asyncDispose]()
    const sent = calls.length
    await advance(60_000)
    expect({ sent: calls.length, errors, timers: timers(), size: table.size }).toEqual({
      sent,
      errors: [],
      timers: 0,
      size: 0,
    })
    expect(log).toHaveLength(3)
    expect(stream(0).isCancelled()).toBe(true)
  })

  it('waits for the handler that runs, and takes nothing up of what has come meanwhile', async () => {
    const bound = gate()
    const told: string[] = []
    const options = {
      onBind: (spid: number) => (spid < 103 ? undefined : bound.passed),
      onUnbind: (spid: number, _ioasid: number, { why }: { why: string }) => void told.push(`${why} ${spid}`),
    }
    const { table, stream, log } = await openTable({ options }, ...first)
    stream(0).send(change(12, 10, [bind(12, 9, 103), bind(12, 10, 104)]))
    stream(0).send(change(13, 12, [unbind(13, 7, 101, 4)]))
    await settle()
    const closing = Promise.all([table.close(), table.close()])
    await settle()
    expect({ told, log }).toEqual({ told: [], log: [] })
    bound.pass()
    await closing
    expect({ told, log }).toEqual({ told: ['closed 101', 'closed 102', 'closed 103'], log: ['revoke'] })
  })

  it('is done by leaving its block, and by its signal', async () => {
    const left = await openTable({}, ...first)
    await left.table[Symbol.asyncDispose]()
    expect(left.log).toEqual([...all, 'revoke'])
    const user = new AbortController()
    const aborted = await openTable({ options: { signal: user.signal } }, ...first)
    user.abort()
    await aborted.table.closed
    expect(aborted.log).toEqual([...all, 'revoke'])
    expect(aborted.errors).toEqual([])
  })

  it('with the client cleans up too, but cannot revoke', async () => {
    const { client, table, log, errors, timers, advance } = await openTable({}, ...first)
    await client.close()
    await table.closed
    await advance(60_000)
    expect({ log, errors, timers: timers() }).toEqual({ log: all, errors: [], timers: 0 })
  })

  it('rejects where the lease could not be revoked, and may be done again', async () => {
    let isAway = true
    const revoke = () => (isAway ? grpcError('UNAVAILABLE', 'connect ENOENT') : undefined)
    const { table, log, advance } = await openTable({ revoke }, ...first)
    const failed = expect(table.close()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await advance(20_000)
    await failed
    expect(log.slice(0, 3)).toEqual([...all, 'revoke'])
    isAway = false
    log.length = 0
    await table.close()
    await table.closed
    expect(log).toEqual(['revoke'])
  })

  it('by its signal tells of what goes wrong once', async () => {
    const user = new AbortController()
    const onUnbind = () => Promise.reject(new Error('stuck'))
    const { table, errors, log } = await openTable({ options: { signal: user.signal, onUnbind } }, ...first)
    user.abort()
    await expect(table.closed).rejects.toMatchObject({ code: 'ABORTED', metadata: { spid: '101' } })
    await settle()
    expect(errors).toMatchObject([{ metadata: { spid: '101' } }, { metadata: { spid: '102' } }])
    expect(log).toEqual([])
  })
})
