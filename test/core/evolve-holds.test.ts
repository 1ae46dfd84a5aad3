import { describe, expect, it } from 'vitest'
import type { Command } from '../../server/core/command.ts'
import type { Event } from '../../server/core/event.ts'
import { evolve } from '../../server/core/evolve.ts'
import { isFailure } from '../../server/core/failure.ts'
import { asIoasid, asLeaseId, asRevision, asSetId, asSpid } from '../../server/core/ids.ts'
import { createReplay, emptyBase } from '../../server/core/reindex.ts'
import type { State } from '../../server/core/state.ts'
import { CONFIG, start, submit } from '../support/space.ts'

const a = { setId: asSetId(1), token: 'vm-a' }
const alive = asLeaseId(1)
const held = asLeaseId(2)
const idle = asLeaseId(3)
const unregistered = asLeaseId(4)
const missing = asLeaseId(5)
const names = { tokens: ['vm-a'], setIds: [] }
const priority = 'CPU'

/**
 * r1 to r4: four leases; r5 to r7: the first two hold vm-a, the third what never comes; r8: set a; r9: it has 1-3, bound;
 * r10: 2 is unbound; r11: 3 is freed, and pending; r12: the first lease has acknowledged r10; r13: the second is held.
 */
function space() {
  const running = start()
  const terms = { name: '', ttlMs: 1000, onExpiry: 'HOLD' } as const
  const spids = [101, 102, 103].map(asSpid)
  const commands: readonly Command[] = [
    ...Array.from({ length: 4 }, () => ({ kind: 'grant_lease' as const, terms })),
    { kind: 'register', leaseId: alive, names, priority },
    { kind: 'register', leaseId: held, names, priority },
    { kind: 'register', leaseId: idle, names: { tokens: ['nobody'], setIds: [] }, priority },
    { kind: 'create_set', token: a.token, quota: 0, leaseId: null },
    { kind: 'allocate', setId: a.setId, count: 3, min: 0, max: 15, spids, privateData: null },
    { kind: 'detach_spid', setId: a.setId, ioasid: asIoasid(2), device: '' },
    { kind: 'free', setId: a.setId, ioasids: [asIoasid(3)], generation: null },
    { kind: 'acknowledge', leaseId: alive, revision: 10 },
    { kind: 'expire_lease', leaseId: held },
  ]
  for (const command of commands) {
    const decision = submit(running, command)
    if (isFailure(decision)) throw new Error(`${command.kind} was refused: ${decision.message}`)
  }
  return running
}

function add(state: State, events: readonly Event[]): void {
  evolve(state, { revision: asRevision(state.revision + 1), servingMs: 0, wallMs: 0, events })
}

function acknowledge(leaseId: typeof alive, revision: number): Event {
  return { kind: 'ACKNOWLEDGE', leaseId, acknowledged: asRevision(revision) }
}

const misfits: readonly [string, readonly Event[]][] = [
  ['a registration of no lease that is there', [{ kind: 'REGISTER', leaseId: missing, names, priority }]],
  ['a registration of a held lease', [{ kind: 'REGISTER', leaseId: held, names, priority }]],
  ['the same registration again', [{ kind: 'REGISTER', leaseId: alive, names, priority }]],
  ['a second registration of a lease', [{ kind: 'REGISTER', leaseId: alive, names: 'all', priority }]],
  [
    'two registrations of a lease at once',
    [
      { kind: 'REGISTER', leaseId: unregistered, names, priority },
      { kind: 'REGISTER', leaseId: unregistered, names: 'all', priority },
    ],
  ],
  ['the word of no lease that is there', [acknowledge(missing, 11)]],
  ['the word of a lease that never held', [acknowledge(unregistered, 11)]],
  ['the same word again', [acknowledge(alive, 10)]],
  ['a word for what was before another word', [acknowledge(alive, 9)]],
  ['a word for nothing', [acknowledge(held, 0)]],
  ['a word for its own revision', [acknowledge(alive, 14)]],
  ['a word for a revision that is yet to come', [acknowledge(held, 99)]],
  ['a lease whose registration came to nothing is held', [{ kind: 'LEASE_HELD', leaseId: idle }]],
  ['a lease that holds is held twice', [{ kind: 'LEASE_HELD', leaseId: held }]],
  ['a lease that holds is revived, which is alive', [{ kind: 'LEASE_REVIVE', leaseId: alive }]],
  ['the release of what is held, but not acquired', [{ kind: 'RELEASE', set: a, ioasid: asIoasid(1), leaseId: alive }]],
  ['a reclaim of a pending id that somebody holds', [{ kind: 'RECLAIM', set: a, runs: [3, 1, 9] }]],
  [
    'a reclaim of an unbound id that somebody holds',
    [
      { kind: 'FREE', set: a, runs: [2, 1, 9], pending: false },
      { kind: 'RECLAIM', set: a, runs: [2, 1, 9] },
    ],
  ],
  [
    'a reclaim of a bound id that a registration holds',
    [
      { kind: 'UNBIND', set: a, runs: [1, 1, 101, 9, 9], pending: false },
      { kind: 'FREE', set: a, runs: [1, 1, 9], pending: false },
      { kind: 'RECLAIM', set: a, runs: [1, 1, 9] },
    ],
  ],
  [
    'a reclaim too early: one of two holders is left',
    [acknowledge(alive, 13), { kind: 'RECLAIM', set: a, runs: [3, 1, 9] }],
  ],
]

describe('an entry of holds that does not fit the state throws', () => {
  it.each(misfits)('%s', (_what, events) => {
    const { state } = space()
    expect(state.revision).toBe(13)
    expect(() => add(state, events)).toThrow(/(IOASID|lease) \d/)
  })

  it.each(misfits)('in a replay, too: %s', (_what, events) => {
    const replay = createReplay(emptyBase(CONFIG.capacity))
    for (const entry of space().log) evolve(replay, entry)
    expect(() => add(replay, events)).toThrow(/(IOASID|lease) \d/)
  })
})

describe('an entry of holds that fits', () => {
  it('may settle the last holder and reclaim what waited for it, in one revision', () => {
    const { state } = space()
    add(state, [acknowledge(alive, 11)])
    add(state, [acknowledge(held, 13), { kind: 'RECLAIM', set: a, runs: [3, 1, 9] }])
    expect(state.allocated).toBe(2)
    expect(state.freePending).toBe(0)
  })
})
