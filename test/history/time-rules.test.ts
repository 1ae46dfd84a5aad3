import { expect, test } from 'vitest'
import { asIoasid, asLeaseId, asSetId, asSpid } from '../../server/core/ids.ts'
import { checkHistory } from './check.ts'
import type { History, Operation, Stream } from './history.ts'
import type { Ask, Item, Outcome } from './record.ts'

/** Histories in which it matters when something came, written by hand. */

const everything = { all: true, tokens: [], setIds: [], types: [] }
const ofVm = { all: false, tokens: ['vm'], setIds: [], types: [] }
const done = { kind: 'done' }

type Command = Extract<Ask, { kind: 'change' }>['command']

/** The revision is also the second in which it was asked for. */
function changed(revision: number, command: Command, answer: object): Operation {
  const [invokedMs, returnedMs] = [revision * 1_000, revision * 1_000 + 100]
  const outcome: Outcome = { kind: 'answer', answer, revision }
  const ask = { kind: 'change', requestId: undefined, command } as const
  return { id: `r${revision}`, ask, invokedMs, lastInvokedMs: invokedMs, returnedMs, deadMs: Infinity, outcome }
}

function streamOf(
  id: string,
  stream: Stream['stream'],
  told: readonly [atMs: number, revision: number, events: string[]][],
) {
  const items = told.map(([atMs, revision, events]) => {
    const item: Item = { kind: events.length > 0 ? 'revision' : 'progress', revision, events, overrun: [] }
    return { atMs, item }
  })
  return { id, askedMs: 0, stream, items }
}

function rulesOf(operations: Operation[], revision: number, log: Stream, streams: Stream[] = []): string[] {
  const limits = { capacity: 8, reuseDelayMs: 0, teardownTimeoutMs: 700 }
  const history: History = { operations, streams: [log, ...streams], log, revision, ...limits }
  return checkHistory(history).map(({ rule }) => rule)
}

const lease = (leaseId: number) => {
  const seen = { leaseId, name: '', ttlMs: 5_000, onExpiry: 'RELEASE', references: 0, sets: 0, state: 'ALIVE' }
  return [
    { kind: 'grant_lease', terms: { name: '', ttlMs: 5_000, onExpiry: 'RELEASE' } },
    { kind: 'lease', ...seen },
  ] as const
}

function set(leaseId: number | undefined, createRevision: number): object {
  const counts = { quota: 0, allocated: 0, freePending: 0, bound: 0, state: 'ACTIVE' }
  return { kind: 'set', setId: 1, token: 'vm', ...counts, leaseId, createRevision }
}

test.each([
  [7_500, []],
  [5_500, ['early end of a lease']],
])('a lease of 5 s that was granted at 1 s and ended at %i ms breaks %j', (endMs, rules) => {
  const create = { kind: 'create_set', token: 'vm', quota: 0, leaseId: asLeaseId(1) } as const
  const operations = [changed(1, ...lease(1)), changed(2, create, set(1, 2))]
  const log = streamOf('log', { filter: everything, start: 0, hold: undefined }, [
    [500, 0, []],
    [2_050, 2, ['SET_ALLOC - of 1 vm, 0']],
    [endMs, 3, ['SET_FREE - of 1 vm,']],
  ])
  expect(rulesOf(operations, 3, log)).toEqual(rules)
})

test.each([
  [9_050, []],
  [8_060, ['told out of turn']],
])(
  'a DEVICE holder that is told at %i ms of an UNBIND that the CPU holder acknowledges at 9 s breaks %j',
  (atMs, rules) => {
    const vm = asSetId(1)
    const register = (leaseId: number, priority: 'CPU' | 'DEVICE') =>
      ({ kind: 'register', leaseId: asLeaseId(leaseId), names: { tokens: ['vm'], setIds: [] }, priority }) as const
    const whole = { count: 1, min: asIoasid(0), max: asIoasid(7), spids: [asSpid(101)], privateData: null }
    const operations = [
      changed(1, { kind: 'create_set', token: 'vm', quota: 0, leaseId: null }, set(undefined, 1)),
      changed(2, ...lease(1)),
      changed(3, ...lease(2)),
      changed(4, register(1, 'CPU'), done),
      changed(5, register(2, 'DEVICE'), done),
      changed(6, { kind: 'allocate', setId: vm, ...whole }, { kind: 'allocated', ids: [1] }),
      changed(7, { kind: 'attach_data', setId: vm, ioasid: asIoasid(1), privateData: Uint8Array.of(65) }, done),
      changed(8, { kind: 'detach_spid', setId: vm, ioasid: asIoasid(1), device: '' }, done),
      changed(9, { kind: 'acknowledge', leaseId: asLeaseId(1), revision: 8 }, done),
    ]
    const bound = ['ALLOC 1 of 1 vm, 6', 'BIND 1 of 1 vm, 6 101 6']
    const unbound = ['UNBIND 1 of 1 vm, 6 101 6']
    const log = streamOf('log', { filter: everything, start: 0, hold: undefined }, [
      [500, 0, []],
      [1_050, 1, ['SET_ALLOC - of 1 vm, 0']],
      [6_050, 6, bound],
      [8_050, 8, unbound],
      [9_060, 9, []],
    ])
    const hold = { leaseId: 2, priority: 'DEVICE' } as const
    const held = streamOf('held', { filter: ofVm, start: 5, hold }, [
      [5_050, 5, []],
      [6_050, 6, bound],
      [atMs, 8, unbound],
    ])
    expect(rulesOf(operations, 9, log, [held])).toEqual(rules)
  },
)
