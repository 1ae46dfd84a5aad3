import { describe, expect, it } from 'vitest'
import { idsOn } from '../../server/core/id-list.ts'
import { PAGE_IDS, pageNumber } from '../../server/core/id-pages.ts'
import { asIoasid, asLeaseId, asSetId, asSpid } from '../../server/core/ids.ts'
import { reindex } from '../../server/core/reindex.ts'
import { snapshotItems } from '../../server/core/snapshot.ts'
import { findId, freeze } from '../../server/core/state.ts'
import { CONFIG, contentOf, start, submit, thaw } from '../support/space.ts'

const setId = asSetId(1)
const capacity = 4 * PAGE_IDS

/** One set with the ids 1 … 16,383, so that every page is in use. */
function full() {
  const running = start({ capacity })
  submit(running, { kind: 'create_set', token: 'vm-a', quota: 0, leaseId: null })
  const count = capacity - 1
  submit(running, { kind: 'allocate', setId, count, min: 0, max: count, spids: null, privateData: null })
  return running
}

describe('a frozen view', () => {
  it('costs a list of pages and a list of sets: no page and no record is copied', () => {
    const { state } = full()
    const frozen = freeze(state)
    expect(frozen.table.pages).toHaveLength(4)
    for (const [number, page] of frozen.table.pages.entries()) expect(page).toBe(state.table.pages[number])
    expect(frozen.sets[0]).toBe(state.sets.get(setId))
    expect(frozen.endedSets.order).toBe(state.endedSets.order)
  })

  it('makes the next change copy the pages that it touches, each once, and no other', () => {
    const running = full()
    const { pages } = freeze(running.state).table
    const own = running.state.table.pages
    submit(running, { kind: 'attach_spid', setId, ioasid: asIoasid(5000), spid: asSpid(1), device: 'nic' })
    const touched = own[pageNumber(5000)]
    expect(touched).not.toBe(pages[1])
    for (const number of [0, 2, 3]) expect(own[number]).toBe(pages[number])
    submit(running, { kind: 'attach_data', setId, ioasid: asIoasid(5001), privateData: new Uint8Array(3) })
    expect(own[1]).toBe(touched)
  })

  it('is not copied again after a further view was frozen and nothing changed', () => {
    const { state } = full()
    const first = freeze(state)
    const second = freeze(state)
    expect(second.table.pages[2]).toBe(first.table.pages[2])
  })

  it('shows what was, whatever of it changes: sets, ids, SPIDs, devices, data and neighbours', () => {
    const running = full()
    submit(running, { kind: 'attach_spid', setId, ioasid: asIoasid(7), spid: asSpid(1), device: 'nic' })
    submit(running, { kind: 'attach_data', setId, ioasid: asIoasid(8), privateData: new Uint8Array([1, 2]) })
    const frozen = freeze(running.state)
    const was = contentOf(frozen)
    submit(running, { kind: 'attach_spid', setId, ioasid: asIoasid(7), spid: asSpid(1), device: 'gpu' })
    submit(running, { kind: 'detach_data', setId, ioasid: asIoasid(8) })
    submit(running, { kind: 'free', setId, ioasids: [asIoasid(4095), asIoasid(4096)], generation: null })
    submit(running, { kind: 'delete_set', setId, force: true })
    submit(running, { kind: 'create_set', token: 'vm-b', quota: 9, leaseId: null })
    expect(contentOf(frozen)).toStrictEqual(was)
    expect(findId(running.state.table, 7)).toBeUndefined()
  })

  it('shows what was of leases, references and pending ids, and copies only the pages that they touch', () => {
    const running = full()
    const set = { setId }
    const acquire = (id: number, lease: number) =>
      submit(running, { kind: 'acquire', set, ioasid: asIoasid(id), leaseId: asLeaseId(lease) })
    const terms = { name: 'kvm', ttlMs: 1000, onExpiry: 'HOLD' } as const
    submit(running, { kind: 'grant_lease', terms })
    submit(running, { kind: 'grant_lease', terms })
    submit(running, { kind: 'create_set', token: 'vm-b', quota: 0, leaseId: asLeaseId(2) })
    for (const id of [5000, 5001, 9000]) acquire(id, 1)
    submit(running, { kind: 'free', setId, ioasids: [asIoasid(5001)], generation: null })
    const frozen = freeze(running.state)
    const was = contentOf(frozen)
    const { pages } = frozen.table
    acquire(5000, 1)
    acquire(5000, 2)
    expect(running.state.table.pages.map((page, number) => page === pages[number])).toEqual([true, false, true, true])
    submit(running, { kind: 'release', set, ioasid: asIoasid(5001), leaseId: asLeaseId(1) })
    submit(running, { kind: 'free', setId, ioasids: [asIoasid(9000)], generation: null })
    submit(running, { kind: 'expire_lease', leaseId: asLeaseId(2) })
    submit(running, { kind: 'revoke_lease', leaseId: asLeaseId(1) })
    submit(running, { kind: 'delete_set', setId, force: true })
    expect(running.state.freePending).toBe(1)
    expect(contentOf(frozen)).toStrictEqual(was)
  })

  it('shows what was of holds, and copies only the pages whose ids they are written to', () => {
    const running = full()
    const { state } = running
    const leaseId = asLeaseId(1)
    submit(running, { kind: 'grant_lease', terms: { name: 'kvm', ttlMs: 1000, onExpiry: 'HOLD' } })
    const attach = (id: number) =>
      submit(running, { kind: 'attach_spid', setId, ioasid: asIoasid(id), spid: asSpid(id), device: '' })
    const detach = (id: number) => submit(running, { kind: 'detach_spid', setId, ioasid: asIoasid(id), device: '' })
    for (const id of [1, 5000, 9000]) attach(id)
    const frozen = freeze(state)
    const kept = () => state.table.pages.map((page, number) => page === frozen.table.pages[number])
    submit(running, { kind: 'register', leaseId, names: 'all', priority: 'CPU' })
    expect(kept()).toEqual([true, true, true, true])
    detach(5000)
    expect(kept()).toEqual([true, false, true, true])

    const later = freeze(state)
    const [was, wasLater] = [contentOf(frozen), contentOf(later)]
    const { pages } = later.table
    submit(running, { kind: 'acknowledge', leaseId, revision: state.revision })
    expect(state.table.pages.map((page, number) => page === pages[number])).toEqual([true, false, true, true])
    attach(5000)
    submit(running, { kind: 'free', setId, ioasids: [asIoasid(9000)], generation: null })
    submit(running, { kind: 'expire_lease', leaseId })
    submit(running, { kind: 'acknowledge', leaseId, revision: state.revision })
    expect(state.table.pages[0]?.holds.size).toBe(1)
    submit(running, { kind: 'revive_lease', leaseId })
    submit(running, { kind: 'register', leaseId, names: { tokens: ['vm-a'], setIds: [] }, priority: 'DEVICE' })
    submit(running, { kind: 'revoke_lease', leaseId })
    expect(contentOf(frozen)).toStrictEqual(was)
    expect(contentOf(later)).toStrictEqual(wasLater)
  })

  it('tells a subscriber every set and then every id, in the order of allocation', () => {
    const running = start({ policy: 'lowest' })
    const allocate = (owner: number, count: number) =>
      submit(running, {
        kind: 'allocate',
        setId: asSetId(owner),
        count,
        min: 0,
        max: 15,
        spids: null,
        privateData: null,
      })
    submit(running, { kind: 'create_set', token: 'vm-a', quota: 0, leaseId: null })
    submit(running, { kind: 'create_set', token: 'vm-b', quota: 0, leaseId: null })
    allocate(1, 2)
    allocate(2, 2)
    submit(running, { kind: 'free', setId, ioasids: [asIoasid(1)], generation: null })
    allocate(1, 1)
    const { table, sets } = freeze(running.state)
    const told = [...snapshotItems(table, sets)].map((item) =>
      item.kind === 'set' ? item.set.token : `${item.set.token} ${item.ioasid} of r${item.record.generation}`,
    )
    expect(told).toEqual(['vm-a', 'vm-b', 'vm-a 2 of r3', 'vm-a 1 of r6', 'vm-b 3 of r4', 'vm-b 4 of r4'])
  })
})

describe('a state made of a snapshot', () => {
  it('shares no page with the view that it was made of', () => {
    const running = full()
    const frozen = freeze(running.state)
    const was = contentOf(frozen)
    const state = reindex(thaw(frozen), { ...CONFIG, capacity })
    if ('contradiction' in state) throw new Error(state.contradiction)
    submit({ state, log: [], nowMs: 0 }, { kind: 'delete_set', setId, force: true })
    expect(contentOf(frozen)).toStrictEqual(was)
    expect([...idsOn(frozen.table, frozen.sets[0]?.ids ?? { first: 0, last: 0, count: 0 })]).toHaveLength(capacity - 1)
  })

  it('keeps what rests beyond a capacity that shrank, so that it rests on when the capacity grows again', () => {
    const running = start({ capacity, reuseDelayMs: 1000 })
    const last = capacity - 1
    const allocate = {
      kind: 'allocate',
      setId,
      count: 1,
      min: last,
      max: last,
      spids: null,
      privateData: null,
    } as const
    submit(running, { kind: 'create_set', token: 'vm-a', quota: 0, leaseId: null })
    submit(running, allocate)
    submit(running, { kind: 'free_all', setId })
    const small = reindex(thaw(freeze(running.state)), { ...CONFIG, capacity: 16, reuseDelayMs: 1000 })
    if ('contradiction' in small) throw new Error(small.contradiction)
    const large = reindex(thaw(freeze(small)), { ...CONFIG, capacity, reuseDelayMs: 1000 })
    if ('contradiction' in large) throw new Error(large.contradiction)
    expect(submit({ state: large, log: [], nowMs: 1000 }, allocate)).toMatchObject({ reason: 'RANGE_EXHAUSTED' })
    expect(submit({ state: large, log: [], nowMs: 1001 }, allocate)).toMatchObject({ answer: { runs: [last, 1] } })
  })
})
