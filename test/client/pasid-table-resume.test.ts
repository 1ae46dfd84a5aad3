import { describe, expect, it } from 'vitest'
import { grpcError } from './grpc-error.ts'
import { settle } from './manual-clock.ts'
import { bind, change, free, header, heartbeat, SPACE, snapshotEnd, unbind } from './messages.ts'
import { gate, openTable, setUpTable } from './table.ts'

const down = () => grpcError('UNAVAILABLE', 'going down')
const lost = (reason: string) => grpcError('OUT_OF_RANGE', 'lost', { reason })
const held = { hold: true, lease_handle: 'key', priority: 'IOMMU' }
const options = { priority: 'IOMMU' } as const

describe('a restart of the daemon', () => {
  it('makes a table go on after its cursor, with the same hold, and tells it of nothing twice', async () => {
    const { stream, log, advance, table } = await openTable(
      { options },
      header(10),
      change(10, 10, [bind(4, 7, 101)]),
      snapshotEnd(10),
    )
    stream(0).send(change(12, 10, [bind(12, 8, 102)]))
    stream(0).send(change(13, 12, [unbind(13, 7, 101, 4), free(13, 7)], true))
    stream(0).end(down())
    await advance(100)
    expect(stream(1).request).toMatchObject({ ...held, start: 'after_revision', after_revision: '12', space_id: SPACE })
    stream(1).send(header(12))
    stream(1).send(change(13, 12, [unbind(13, 7, 101, 4), free(13, 7)]))
    await settle()
    expect(log).toEqual(['bind 102 8', 'unbound 101 7', 'acknowledge 13'])
    expect(table.get(102)).toBe(8)
  })

  it('in the middle of the first snapshot makes it begin again', async () => {
    const { stream, log, advance, opening } = setUpTable({ options })
    await settle()
    stream(0).send(header(10))
    stream(0).send(change(10, 10, [bind(4, 7, 101)], true))
    stream(0).end(down())
    await advance(100)
    expect(log).toEqual([])
    expect(stream(1).request).toMatchObject({ ...held, start: 'snapshot' })
    for (const message of [header(12), change(12, 12, [bind(11, 7, 102)]), snapshotEnd(12)]) stream(1).send(message)
    const table = await opening
    expect({ log, size: table.size }).toEqual({ log: ['bind 102 7', 'acknowledge 12'], size: 1 })
  })
})

describe('a table that was told too little', () => {
  it.each(['COMPACTED', 'HISTORY_CHANGED', 'FUTURE_REVISION'])(
    'compares with a snapshot after %s: what is gone or bound anew is unbound first, then acknowledged',
    async (reason) => {
      const { stream, log, advance, table } = await openTable(
        { options },
        header(10),
        change(10, 10, [bind(4, 7, 101), bind(5, 8, 102), bind(6, 9, 103)]),
        snapshotEnd(10),
      )
      stream(0).end(down())
      await advance(100)
      stream(1).end(lost(reason))
      await advance(200)
      expect(stream(2).request).toMatchObject({ ...held, start: 'snapshot', space_id: '' })
      stream(2).send(header(90))
      // 101 is bound to the same id, but not by the same binding; 102 is gone; 103 is as it was.
      stream(2).send(change(90, 90, [bind(80, 7, 101), bind(6, 9, 103)]))
      expect(table.get(101)).toBe(7)
      stream(2).send(snapshotEnd(90))
      await settle()
      expect(log).toEqual(['missed 101 7', 'missed 102 8', 'bind 101 7', 'acknowledge 90'])
      expect([...table.entries()].map(({ spid, bindRevision }) => [spid, bindRevision])).toEqual([
        [103, 6n],
        [101, 80n],
      ])
      expect(table.revision).toBe(90n)
    },
  )

  it('acknowledges nothing of the old history in the new one', async () => {
    const answered = gate<Error | undefined>()
    const { stream, log, advance } = await openTable(
      { options, acknowledge: (revision) => (revision === '5000' ? answered.passed : undefined) },
      header(10),
      change(10, 10, [bind(4, 7, 101)]),
      snapshotEnd(10),
    )
    stream(0).send(change(5_000, 10, [unbind(5_000, 7, 101, 4)]))
    await settle()
    stream(0).end(down())
    await advance(100)
    stream(1).end(lost('HISTORY_CHANGED'))
    await advance(200)
    stream(2).send(header(300, 'space-2'))
    await settle()
    answered.pass(down())
    await advance(5_000)
    expect(log).toEqual(['unbound 101 7', 'acknowledge 5000'])
    stream(2).send({ ...snapshotEnd(300), space_id: 'space-2' })
    await settle()
    expect(log).toEqual(['unbound 101 7', 'acknowledge 5000', 'acknowledge 300'])
  })

  it('does not take an answer of the old history for one of the new, though the numbers are the same', async () => {
    const answered = gate<Error | undefined>()
    let isOld = true
    const { stream, log, histories, advance } = await openTable(
      { acknowledge: (revision) => (revision === '12' && isOld ? answered.passed : undefined) },
      header(10),
      change(10, 10, [bind(4, 7, 101)]),
      snapshotEnd(10),
    )
    stream(0).send(change(12, 10, [unbind(12, 7, 101, 4)]))
    await settle()
    stream(0).end(lost('HISTORY_CHANGED'))
    await advance(200)
    isOld = false
    const inNew = { space_id: 'space-2' }
    stream(1).send({ ...header(12), ...inNew })
    stream(1).send({ ...snapshotEnd(12), ...inNew })
    await settle()
    answered.pass(undefined)
    await settle()
    expect(log).toEqual(['unbound 101 7', 'acknowledge 12', 'acknowledge 12'])
    expect(histories).toEqual([SPACE, 'space-2'])
  })

  it('takes another space for another history, though all its numbers are the same', async () => {
    const { stream, log, advance } = await openTable({}, header(10), change(10, 10, [bind(4, 7, 101)]), snapshotEnd(10))
    stream(0).end(down())
    await advance(100)
    stream(1).end(lost('HISTORY_CHANGED'))
    await advance(200)
    const inNew = { space_id: 'space-2' }
    stream(2).send({ ...header(10), ...inNew })
    stream(2).send({ ...change(10, 10, [bind(4, 7, 101)]), ...inNew })
    stream(2).send({ ...snapshotEnd(10), ...inNew })
    await settle()
    expect(log).toEqual(['missed 101 7', 'bind 101 7', 'acknowledge 10'])
  })

  it('has done nothing of a snapshot that is cut off', async () => {
    const { stream, log, advance, table } = await openTable(
      {},
      header(10),
      change(10, 10, [bind(4, 7, 101)]),
      snapshotEnd(10),
    )
    stream(0).end(lost('COMPACTED'))
    await advance(100)
    stream(1).send(header(90))
    stream(1).send(change(90, 90, [bind(80, 8, 102)], true))
    stream(1).end(down())
    await advance(200)
    expect({ log, found: table.get(101), revision: table.revision }).toEqual({ log: [], found: 7, revision: 10n })
    expect(stream(2).request).toMatchObject({ start: 'snapshot' })
  })
})

describe('acknowledgements', () => {
  const first = [header(10), change(10, 10, [bind(4, 7, 101), bind(5, 8, 102), bind(6, 9, 103)]), snapshotEnd(10)]
  const teardowns = [
    change(11, 10, [unbind(11, 7, 101, 4)]),
    change(12, 11, [unbind(12, 8, 102, 5)]),
    change(13, 12, [unbind(13, 9, 103, 6)]),
  ]

  it('go out one at a time, and what waits is replaced by what is newer', async () => {
    const answered = gate<undefined>()
    const { stream, acknowledged, log } = await openTable(
      { acknowledge: (revision) => (revision === '11' ? answered.passed : undefined) },
      ...first,
    )
    for (const teardown of teardowns) stream(0).send(teardown)
    await settle()
    expect(log).toEqual(['unbound 101 7', 'acknowledge 11', 'unbound 102 8', 'unbound 103 9'])
    answered.pass(undefined)
    await settle()
    expect(acknowledged).toEqual(['11', '13'])
  })

  it('are tried again while nobody answers, with what is newest then, ever more slowly', async () => {
    let isAway = true
    const { stream, acknowledged, advance, errors } = await openTable(
      { acknowledge: (revision) => (revision !== '10' && isAway ? down() : undefined) },
      ...first,
    )
    for (const teardown of teardowns.slice(0, 2)) stream(0).send(teardown)
    await settle()
    expect(acknowledged).toEqual(['11'])
    await advance(50 + 100 + 200)
    expect(acknowledged).toEqual(['11', '12', '12', '12'])
    for (const teardown of teardowns.slice(2)) stream(0).send(teardown)
    isAway = false
    await advance(400)
    expect(acknowledged).toEqual(['11', '12', '12', '12', '13'])
    stream(0).send(heartbeat(20, 13))
    await advance(4_000)
    expect({ acknowledged: acknowledged.length, errors }).toEqual({ acknowledged: 5, errors: [] })
  })

  it.each(['HISTORY_CHANGED', 'FUTURE_REVISION'])(
    'of a history that the daemon does not have (%s) are dropped: the stream will be told, and begins anew',
    async (reason) => {
      let isOld = true
      const { stream, acknowledged, histories, advance, errors, table } = await openTable(
        { acknowledge: (revision) => (revision === '11' && isOld ? lost(reason) : undefined) },
        ...first,
      )
      for (const teardown of teardowns.slice(0, 1)) stream(0).send(teardown)
      await advance(4_000)
      expect({ acknowledged, histories, errors }).toEqual({ acknowledged: ['11'], histories: [SPACE], errors: [] })
      stream(0).end(down())
      await advance(100)
      stream(1).end(lost('HISTORY_CHANGED'))
      await advance(200)
      isOld = false
      stream(2).send({ ...header(11), space_id: 'space-2' })
      stream(2).send({ ...snapshotEnd(11), space_id: 'space-2' })
      await settle()
      stream(2).send({ ...change(12, 11, [free(12, 9)]), space_id: 'space-2' })
      await settle()
      expect(histories).toEqual([SPACE, 'space-2', 'space-2'])
      expect({ size: table.size, errors }).toEqual({ size: 0, errors: [] })
    },
  )

  it.each([
    ['PERMISSION_DENIED', 1],
    ['INTERNAL', 5],
  ] as const)('that are refused for good end the table, which keeps its lease: %s', async (code, attempts) => {
    const { stream, acknowledged, advance, errors, table, log } = await openTable(
      { acknowledge: (revision) => (revision === '10' ? undefined : grpcError(code, 'no')) },
      ...first,
    )
    for (const teardown of teardowns) stream(0).send(teardown)
    await advance(8_000)
    expect(acknowledged).toHaveLength(attempts)
    expect(errors).toMatchObject([{ code }])
    await expect(table.closed).rejects.toBe(errors[0])
    expect(log).not.toContain('revoke')
  })
})
