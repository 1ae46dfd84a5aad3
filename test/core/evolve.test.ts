import { describe, expect, it } from 'vitest'
import type { Event } from '../../server/core/event.ts'
import { evolve } from '../../server/core/evolve.ts'
import { asIoasid, asRevision, asSetId, asSpid } from '../../server/core/ids.ts'
import { createReplay, emptyBase, reindex } from '../../server/core/reindex.ts'
import type { State } from '../../server/core/state.ts'
import { CONFIG, canonical, start, submit } from '../support/space.ts'

const a = { setId: asSetId(1), token: 'vm-a' }
const b = { setId: asSetId(2), token: 'vm-b' }
const gone = { setId: asSetId(9), token: 'vm-z' }

/**
 * r1, r2: sets a and b; r3: a has 1-3; r4: b has 4; r5: SPID 10 binds 1 by the unnamed device, r6: by nic, too; r7: 3 is
 * freed, and rests.
 */
function space() {
  const running = start({ reuseDelayMs: 1000 })
  const { setId } = a
  const allocate = { kind: 'allocate', min: 0, max: 15, spids: null, privateData: null } as const
  submit(running, { kind: 'create_set', token: 'vm-a', quota: 0, leased: false })
  submit(running, { kind: 'create_set', token: 'vm-b', quota: 4, leased: false })
  submit(running, { ...allocate, setId, count: 3 })
  submit(running, { ...allocate, setId: b.setId, count: 1 })
  submit(running, { kind: 'attach_spid', setId, ioasid: asIoasid(1), spid: asSpid(10), device: '' })
  submit(running, { kind: 'attach_spid', setId, ioasid: asIoasid(1), spid: asSpid(10), device: 'nic' })
  submit(running, { kind: 'free', setId, ioasids: [asIoasid(3)], generation: null })
  return running
}

function add(state: State, events: readonly Event[], ahead = 1, servingMs = 0): void {
  evolve(state, { revision: asRevision(state.revision + ahead), servingMs, wallMs: 0, events })
}

const misfits: readonly [string, Event][] = [
  ['a set whose number was used', { kind: 'SET_ALLOC', set: { ...b, token: 'new' }, quota: 0 }],
  ['a set with the token of a live one', { kind: 'SET_ALLOC', set: { ...gone, token: 'vm-a' }, quota: 0 }],
  ['a quota of a set that is not there', { kind: 'SET_ADJUST', set: gone, quota: 1 }],
  ['the end of a set that is not there', { kind: 'SET_FREE', set: gone }],
  ['the end of a set that has ids', { kind: 'SET_FREE', set: b }],
  ['ids for a set that is not there', { kind: 'ALLOC', set: gone, runs: [5, 1] }],
  ['an id that its set has already', { kind: 'ALLOC', set: a, runs: [1, 1] }],
  ['an id that another set has', { kind: 'ALLOC', set: a, runs: [4, 1] }],
  ['a stretch of free ids and one that is not', { kind: 'ALLOC', set: a, runs: [3, 2] }],
  ['id 0', { kind: 'ALLOC', set: a, runs: [0, 1] }],
  ['an id beyond the space', { kind: 'ALLOC', set: a, runs: [15, 2] }],
  ['a binding of an id of another set', { kind: 'BIND', set: a, runs: [4, 1, 11, 4], device: '' }],
  ['a binding of a free id', { kind: 'BIND', set: a, runs: [3, 1, 11, 3], device: '' }],
  ['a binding of another life', { kind: 'BIND', set: a, runs: [2, 1, 11, 2], device: '' }],
  ['a second SPID for an id', { kind: 'BIND', set: a, runs: [1, 1, 11, 3], device: '' }],
  ['a SPID that another id of the set has', { kind: 'BIND', set: a, runs: [2, 1, 10, 3], device: '' }],
  ['the end of a binding that is not there', { kind: 'UNBIND', set: a, runs: [2, 1, 10, 3, 5] }],
  ['the end of a binding of another SPID', { kind: 'UNBIND', set: a, runs: [1, 1, 11, 3, 5] }],
  ['the end of a binding of another time', { kind: 'UNBIND', set: a, runs: [1, 1, 10, 3, 4] }],
  ['the end of a binding of another life', { kind: 'UNBIND', set: a, runs: [1, 1, 10, 2, 5] }],
  ['the end of a binding of another set', { kind: 'UNBIND', set: b, runs: [1, 1, 10, 3, 5] }],
  ['a reclaim of an id of another set', { kind: 'RECLAIM', set: b, runs: [2, 1, 3] }],
  ['a reclaim of a free id', { kind: 'RECLAIM', set: a, runs: [3, 1, 3] }],
  ['a reclaim of another life', { kind: 'RECLAIM', set: a, runs: [2, 1, 2] }],
  ['a reclaim of an id that is still bound', { kind: 'RECLAIM', set: a, runs: [1, 1, 3] }],
  ['a further device of an id without a SPID', { kind: 'DEVICE_ATTACH', set: a, ioasid: asIoasid(2), device: 'nic' }],
  ['a device that is attached', { kind: 'DEVICE_ATTACH', set: a, ioasid: asIoasid(1), device: 'nic' }],
  ['a device of an id of another set', { kind: 'DEVICE_ATTACH', set: b, ioasid: asIoasid(1), device: 'gpu' }],
  ['a device that is not attached', { kind: 'DEVICE_DETACH', set: a, ioasid: asIoasid(1), device: 'gpu' }],
  ['data of an id of another set', { kind: 'DATA', set: b, runs: [1, 1], data: new Uint8Array(1) }],
  ['data of a free id', { kind: 'DATA', set: a, runs: [3, 1], data: new Uint8Array(1) }],
]

describe('an entry that does not fit the state throws', () => {
  it.each(misfits)('%s', (_what, event) => {
    expect(() => add(space().state, [event])).toThrow()
  })

  // What a replay does not notice while it lasts, reindex says at its end: an id beyond the space, for example.
  it.each(misfits.filter(([what]) => !/id 0|beyond/.test(what)))('in a replay, too: %s', (_what, event) => {
    const replay = createReplay(emptyBase(CONFIG.capacity))
    for (const entry of space().log) evolve(replay, entry)
    expect(() => add(replay, [event])).toThrow()
  })

  it('the last device does not go without UNBIND', () => {
    const { state } = space()
    add(state, [{ kind: 'DEVICE_DETACH', set: a, ioasid: asIoasid(1), device: '' }])
    expect(() => add(state, [{ kind: 'DEVICE_DETACH', set: a, ioasid: asIoasid(1), device: 'nic' }])).toThrow()
  })

  it('a revision that is not the next one', () => {
    const { state } = space()
    for (const ahead of [-1, 0, 2]) expect(() => add(state, [], ahead)).toThrow(/does not follow revision 7/)
  })
})

describe('an entry that fits', () => {
  it('may take an id that still rests here: it was written under a shorter reuse delay', () => {
    const { state } = space()
    add(state, [{ kind: 'ALLOC', set: b, runs: [3, 1] }])
    expect(state.resting.count).toBe(0)
    expect(state.sets.get(b.setId)?.ids.count).toBe(2)
  })

  it('may take ids in another order than this release would have chosen', () => {
    const { state } = space()
    add(state, [{ kind: 'ALLOC', set: b, runs: [12, 2, 9, 1] }])
    expect(state.sets.get(b.setId)?.ids).toMatchObject({ last: 13, count: 4 })
  })

  it('takes serving time with it, forwards only', () => {
    const { state } = space()
    add(state, [], 1, 70)
    add(state, [], 1, 30)
    expect(state.servingMs).toBe(70)
  })
})

describe('a replay', () => {
  it('of an empty log is the empty space', () => {
    const state = reindex(createReplay(emptyBase(16)), CONFIG)
    if ('contradiction' in state) throw new Error(state.contradiction)
    expect(canonical(state)).toStrictEqual(canonical(start().state))
  })

  it('does not start from a snapshot that hands out id 0', () => {
    const { state } = space()
    const page = state.table.pages[0]
    if (page === undefined) throw new Error('no page')
    page.setId[0] = 1
    expect(() => createReplay(state)).toThrow('IOASID 0 is reserved, but set 1 has it')
  })
})
