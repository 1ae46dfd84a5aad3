import { describe, expect, it } from 'vitest'
import { settle } from './manual-clock.ts'
import { bind, change, free, header, heartbeat, snapshotEnd, unbind } from './messages.ts'
import { gate, openTable, setUpTable } from './table.ts'

describe('a table', () => {
  it('grants a lease of its own and holds by it, from a snapshot on, with what a holder has to be told', async () => {
    const options = { priority: 'CPU', name: 'kvm vm-a', heartbeatMs: 300 } as const
    const { calls, stream } = setUpTable({ options })
    await settle()
    expect(calls.map(({ path }) => path.split('/').at(-1))).toEqual(['GrantLease'])
    expect(calls[0]?.request).toMatchObject({ ttl_ms: '10000', name: 'kvm vm-a' })
    expect(stream(0).request).toMatchObject({
      tokens: ['vm-a'],
      types: ['BIND', 'UNBIND', 'FREE'],
      start: 'snapshot',
      space_id: '',
      hold: true,
      lease_handle: 'key',
      priority: 'CPU',
      heartbeat_ms: 300,
    })
  })

  it('is open when the snapshot is through its handlers, and acknowledges it', async () => {
    const bound = gate()
    const set = setUpTable({ options: { onBind: () => bound.passed } })
    let isOpen = false
    void set.opening.then(() => {
      isOpen = true
    })
    await settle()
    for (const message of [header(10), change(10, 10, [bind(4, 7, 101)], true)]) set.stream(0).send(message)
    set.stream(0).send(snapshotEnd(10))
    await settle()
    expect({ isOpen, acknowledged: set.acknowledged }).toEqual({ isOpen: false, acknowledged: [] })
    bound.pass()
    await settle()
    expect({ isOpen, acknowledged: set.acknowledged }).toEqual({ isOpen: true, acknowledged: ['10'] })
    const table = await set.opening
    expect([...table.entries()]).toEqual([
      { spid: 101, ioasid: 7, token: 'vm-a', setId: 1n, generation: 1n, bindRevision: 4n },
    ])
    expect(table).toMatchObject({ size: 1, revision: 10n, leaseId: 5n })
    expect(table.get(101)).toBe(7)
    expect(table.get(7)).toBeUndefined()
  })

  it('calls its handlers one after the other, in the order of events, each when the one before it is through', async () => {
    const gates = [gate(), gate(), gate()]
    const told: string[] = []
    const handler = (what: string) => async (spid: number) => {
      told.push(`${what} ${spid}`)
      await gates[told.length - 1]?.passed
    }
    const options = { onBind: handler('bind'), onUnbind: handler('unbind') }
    const { stream, table } = await openTable({ options }, header(10), snapshotEnd(10))
    stream(0).send(change(11, 10, [bind(11, 7, 101), bind(11, 8, 102)]))
    stream(0).send(change(12, 11, [unbind(12, 7, 101, 11)]))
    await settle()
    expect({ told, found: table.get(101) }).toEqual({ told: ['bind 101'], found: undefined })
    gates[0]?.pass()
    await settle()
    expect({ told, found: table.get(101) }).toEqual({ told: ['bind 101', 'bind 102'], found: 7 })
    gates[1]?.pass()
    await settle()
    expect({ told, found: table.get(101) }).toEqual({ told: ['bind 101', 'bind 102', 'unbind 101'], found: undefined })
    gates[2]?.pass()
    await settle()
    expect([...table.entries()].map(({ ioasid }) => ioasid)).toEqual([8])
  })

  it('acknowledges a teardown when its handler’s promise has resolved, and not before', async () => {
    const cleaned = gate()
    const { stream, acknowledged } = await openTable(
      { options: { onUnbind: () => cleaned.passed } },
      header(10),
      change(10, 10, [bind(4, 7, 101)]),
      snapshotEnd(10),
    )
    stream(0).send(change(12, 10, [unbind(12, 7, 101, 4)]))
    stream(0).send(heartbeat(15, 12))
    await settle()
    expect(acknowledged).toEqual([])
    cleaned.pass()
    await settle()
    expect(acknowledged).toEqual(['12'])
  })

  it('acknowledges a revision of many messages when the last of them is through', async () => {
    const { stream, acknowledged, log } = await openTable(
      {},
      header(10),
      change(10, 10, [bind(4, 7, 101)], true),
      change(10, 10, [bind(5, 8, 102)]),
      snapshotEnd(10),
    )
    stream(0).send(change(12, 10, [unbind(12, 7, 101, 4), free(12, 7)], true))
    await settle()
    expect({ acknowledged, log }).toEqual({ acknowledged: [], log: [] })
    stream(0).send(change(12, 12, [unbind(12, 8, 102, 5), free(12, 8)]))
    await settle()
    expect(log).toEqual(['unbound 101 7', 'unbound 102 8', 'acknowledge 12'])
  })

  it('acknowledges a FREE of what was not bound, but neither a BIND nor a heartbeat', async () => {
    const { stream, log } = await openTable({}, header(10), snapshotEnd(10))
    stream(0).send(change(12, 10, [bind(12, 7, 101)]))
    stream(0).send(heartbeat(13, 12))
    await settle()
    expect(log).toEqual(['bind 101 7'])
    stream(0).send(change(14, 13, [free(14, 9)]))
    await settle()
    expect(log).toEqual(['bind 101 7', 'acknowledge 14'])
  })

  it('passes on what a handler may want to know: whose turn it was not, and which binding it is', async () => {
    const facts: object[] = []
    const onUnbind = (_spid: number, _ioasid: number, told: object) => facts.push(told)
    const { stream } = await openTable(
      { options: { onUnbind } },
      header(10),
      change(10, 10, [bind(4, 7, 101)]),
      snapshotEnd(10),
    )
    stream(0).send(change(12, 10, [unbind(12, 7, 101, 4, { overrun: true }), free(12, 7)]))
    await settle()
    expect(facts).toEqual([
      {
        spid: 101,
        ioasid: 7,
        token: 'vm-a',
        setId: 1n,
        generation: 1n,
        bindRevision: 4n,
        why: 'unbound',
        overrun: true,
        revision: 12n,
      },
    ])
  })

  it('renews its lease however slow a handler is', async () => {
    const { stream, advance, renewals, table, errors } = await openTable(
      { options: { onBind: () => new Promise<void>(() => {}) } },
      header(10),
      snapshotEnd(10),
    )
    stream(0).send(change(11, 10, [bind(11, 7, 101)]))
    await advance(60_000)
    expect(renewals.length).toBeGreaterThanOrEqual(17)
    expect({ errors, size: table.size }).toEqual({ errors: [], size: 0 })
  })

  it('renews its lease also where many handlers wait for nothing', async () => {
    const set = setUpTable({ options: { onBind: () => set.block(200) } })
    await settle()
    const binds = Array.from({ length: 100 }, (_, index) => bind(4, index, index))
    for (const message of [header(10), change(10, 10, binds), snapshotEnd(10)]) set.stream(0).send(message)
    await set.advance(20_000)
    expect((await set.opening).size).toBe(100)
    expect(set.renewals.length).toBeGreaterThanOrEqual(4)
    expect(set.errors).toEqual([])
  })
})

describe('a table of many sets', () => {
  const other = { set_id: '2', token: 'vm-b' }

  it('tells them apart by token and by number, and wants to be told which', async () => {
    const { table } = await openTable(
      { options: { tokens: ['vm-a', 'vm-b'] } },
      header(10),
      change(10, 10, [bind(4, 7, 101), bind(5, 8, 101, other)]),
      snapshotEnd(10),
    )
    expect(table.get(101, { token: 'vm-a' })).toBe(7)
    expect(table.get(101, { token: 'vm-b' })).toBe(8)
    expect(table.get(101, { setId: 2n })).toBe(8)
    expect(table.get(101, { token: 'vm-c' })).toBeUndefined()
    expect(() => table.get(101)).toThrow(/^set: missing/)
    expect(table.size).toBe(2)
  })

  it('may be of every set, or of sets by handle', async () => {
    const every = setUpTable({ options: { tokens: undefined, all: true } as never })
    await settle()
    expect(every.stream(0).request).toMatchObject({ all: true, tokens: [], set_handles: [] })
    const one = await openTable(
      { options: { tokens: undefined, setHandles: ['key-to-a'] } as never },
      header(10),
      change(10, 10, [bind(4, 7, 101, { token: '', set_id: '9' })]),
      snapshotEnd(10),
    )
    expect(one.stream(0).request).toMatchObject({ set_handles: ['key-to-a'] })
    expect(one.table.get(101)).toBe(7)
  })
})

describe('waiting for a revision', () => {
  it('is over when every handler up to it is through, or was not needed', async () => {
    const { table, stream } = await openTable({}, header(10), snapshotEnd(10))
    await table.waitForRevision(10n)
    const reached: bigint[] = []
    for (const revision of [12n, 15n]) void table.waitForRevision(revision).then(() => reached.push(revision))
    stream(0).send(change(12, 10, [bind(12, 7, 101)]))
    await settle()
    expect(reached).toEqual([12n])
    stream(0).send(heartbeat(20, 12))
    await settle()
    expect(reached).toEqual([12n, 15n])
  })

  it('is given up with its signal, and with the table', async () => {
    const { table } = await openTable({}, header(10), snapshotEnd(10))
    const user = new AbortController()
    const given = [table.waitForRevision(11n, { signal: user.signal }), table.waitForRevision(11n)]
    user.abort()
    await expect(given[0]).rejects.toMatchObject({ code: 'CANCELLED' })
    await expect(table.waitForRevision(11n, { signal: user.signal })).rejects.toMatchObject({ code: 'CANCELLED' })
    await Promise.all([table.close(), expect(given[1]).rejects.toMatchObject({ code: 'CANCELLED' })])
    await expect(table.waitForRevision(11n)).rejects.toMatchObject({ code: 'CANCELLED' })
    await table.waitForRevision(10n)
  })
})
