import { expect, test } from 'vitest'
import { asIoasid, asLeaseId, asSetId, asSpid } from '../../server/core/ids.ts'
import { changed, check, done, lease, logOf, rulesOf, set, streamOf } from './by-hand.ts'

test.each([
  [7_500, []],
  [5_500, ['early end of a lease']],
])('a lease of 5 s that was granted at 1 s and ended at %i ms breaks %j', (endMs, rules) => {
  const create = { kind: 'create_set', token: 'vm', quota: 0, leaseId: asLeaseId(1) } as const
  const operations = [changed(1, ...lease(1)), changed(2, create, set(1, 2))]
  const log = logOf([
    [2_050, 2, ['SET_ALLOC - of 1 vm, 0']],
    [endMs, 3, ['SET_FREE - of 1 vm,']],
  ])
  expect(rulesOf(check(operations, 3, log))).toEqual(rules)
})

test('a grant that is told again renews nothing', () => {
  const [command, answer] = lease(1)
  const ask = { kind: 'change', requestId: 'a grant', command } as const
  const granted = { ...changed(1, command, answer), ask }
  const create = { kind: 'create_set', token: 'vm', quota: 0, leaseId: asLeaseId(1) } as const
  const operations = [granted, changed(2, create, set(1, 2)), { ...changed(1, command, answer, 3_000), ask }]
  const log = logOf([
    [2_050, 2, ['SET_ALLOC - of 1 vm, 0']],
    [7_500, 3, ['SET_FREE - of 1 vm,']],
  ])
  expect(rulesOf(check(operations, 3, log))).toEqual([])
})

const ofVm = { all: false, tokens: ['vm'], setIds: [], types: [] }
const bound = ['ALLOC 1 of 1 vm, 6', 'BIND 1 of 1 vm, 6 101 6']
const unbound = ['UNBIND 1 of 1 vm, 6 101 6']

/**
 * A CPU holder acknowledges at 9 s what was unbound at 8 s; a holder of this priority is told of it at a time. isHeld: the
 * lease of the first ended before, and its references stay.
 */
function told(priority: 'CPU' | 'DEVICE', atMs: number, overrun: readonly number[], isHeld = false) {
  const vm = asSetId(1)
  const register = (leaseId: number, rank: 'CPU' | 'DEVICE') =>
    ({ kind: 'register', leaseId: asLeaseId(leaseId), names: { tokens: ['vm'], setIds: [] }, priority: rank }) as const
  const whole = { count: 1, min: asIoasid(0), max: asIoasid(7), spids: [asSpid(101)], privateData: null }
  const data = { kind: 'attach_data', setId: vm, ioasid: asIoasid(1), privateData: Uint8Array.of(65) } as const
  const operations = [
    changed(1, { kind: 'create_set', token: 'vm', quota: 0, leaseId: null }, set(undefined, 1)),
    changed(2, ...lease(1, 'HOLD')),
    changed(3, ...lease(2)),
    changed(4, register(1, 'CPU'), done),
    changed(5, register(2, priority), done),
    changed(6, { kind: 'allocate', setId: vm, ...whole }, { kind: 'allocated', ids: [1] }),
    ...(isHeld ? [] : [changed(7, data, done)]),
    changed(8, { kind: 'detach_spid', setId: vm, ioasid: asIoasid(1), device: '' }, done),
    changed(9, { kind: 'acknowledge', leaseId: asLeaseId(1), revision: 8 }, done),
  ]
  const log = logOf([
    [1_050, 1, ['SET_ALLOC - of 1 vm, 0']],
    [6_050, 6, bound],
    [8_050, 8, unbound],
    [9_960, 9, []],
  ])
  const held = streamOf('held', { filter: ofVm, start: 5, hold: { leaseId: 2, priority } }, [
    [5_050, 5, []],
    [6_050, 6, bound],
    [atMs, 8, unbound, overrun],
  ])
  return rulesOf(check(operations, 9, log, { streams: [held] }))
}

test.each([
  ['after the acknowledgement', 9_050, [], []],
  ['before it', 8_060, [], ['told out of turn']],
  ['after two time-outs, and marked', 9_450, [1], []],
  ['before two time-outs, and marked', 8_760, [1], ['told out of turn']],
])(
  'a DEVICE holder that is told of a teardown %s, at %i ms with %j as overrun, breaks %j',
  (_, atMs, overrun, rules) => {
    expect(told('DEVICE', atMs, overrun)).toEqual(rules)
    expect(told('DEVICE', atMs, overrun, true)).toEqual(rules)
  },
)

test('a holder with nobody before it is told of no overrun', () => {
  expect(told('CPU', 8_060, [])).toEqual([])
  expect(told('CPU', 9_960, [1])).toEqual(['told out of turn'])
})
