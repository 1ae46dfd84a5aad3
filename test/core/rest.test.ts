import { describe, expect, it } from 'vitest'
import { idsOn } from '../../server/core/id-list.ts'
import { asIoasid, asSetId } from '../../server/core/ids.ts'
import { violations } from '../../server/core/invariants.ts'
import { ripen } from '../../server/core/rest.ts'
import { start, submit } from '../support/space.ts'
import { rebuilt } from './copies.ts'

const setId = asSetId(1)

/** At 600 ms: 1 rests until 1001, 2 and 3 until 1501, 4 is allocated, 5 is free. */
function space() {
  const running = start({ capacity: 6, reuseDelayMs: 1000 })
  const free = (...ids: readonly number[]) =>
    submit(running, { kind: 'free', setId, ioasids: ids.map(asIoasid), generation: null })
  submit(running, { kind: 'create_set', token: 'vm-a', quota: 0, leaseId: null })
  submit(running, { kind: 'allocate', setId, count: 4, min: 0, max: 5, spids: null, privateData: null })
  free(1)
  running.nowMs = 500
  free(2, 3)
  running.nowMs = 600
  return running
}

function refusalOf(count: number, min: number, max: number): object {
  return submit(space(), { kind: 'allocate', setId, count, min, max, spids: null, privateData: null })
}

describe('an Allocate that only rest keeps from succeeding', () => {
  it.each([
    ['one of them is enough', 2, 0, 5, 3, 401],
    ['two are', 3, 0, 5, 3, 901],
    ['all are', 4, 0, 5, 3, 901],
    ['the range is all that may be handed out', 2, 1, 5, 3, 401],
    ['the range ends before the free one', 1, 1, 4, 3, 401],
    ['the range begins behind one that rests', 2, 2, 5, 2, 901],
    ['the range ends with one that rests', 1, 0, 2, 2, 401],
  ])('says how many rest in its range, and when enough will have rested: %s', (_what, count, min, max, rest, ms) => {
    const metadata = { resting: String(rest), retry_after_ms: String(ms) }
    expect(refusalOf(count, min, max)).toMatchObject({ reason: 'RANGE_EXHAUSTED', metadata })
  })

  it.each([
    ['behind one that rests', 4, 2, 5],
    ['between others that rest', 3, 3, 5],
  ])('says nothing of rest where not that many rest: %s', (_what, count, min, max) => {
    const refusal = refusalOf(count, min, max)
    expect(refusal).toMatchObject({ metadata: { min: String(min), max: String(max), requested: String(count) } })
    expect(refusal).not.toHaveProperty('metadata.resting')
  })
})

/** Ids that were freed in this order at once and have rested, and the runs in which they were given back. */
function ripened(ids: readonly number[]) {
  const running = start({ reuseDelayMs: 1000 })
  submit(running, { kind: 'create_set', token: 'vm-a', quota: 0, leaseId: null })
  submit(running, { kind: 'allocate', setId, count: 5, min: 0, max: 15, spids: null, privateData: null })
  submit(running, { kind: 'free', setId, ioasids: ids.map(asIoasid), generation: null })
  const { space } = running.state
  const given: (readonly [first: number, count: number])[] = []
  const give: typeof space.give = (first, count, revision) => {
    given.push([first, count])
    space.give(first, count, revision)
  }
  running.state.space = { ...space, give }
  ripen(running.state, 1001)
  running.state.space = space
  return { running, given }
}

describe('an id that rests', () => {
  it('rests on when the id before it is allocated', () => {
    const running = start({ reuseDelayMs: 1000 })
    const allocate = (id: number) =>
      submit(running, { kind: 'allocate', setId, count: 1, min: id, max: id, spids: null, privateData: null })
    submit(running, { kind: 'create_set', token: 'vm-a', quota: 0, leaseId: null })
    allocate(4)
    submit(running, { kind: 'free_all', setId })
    expect(allocate(3)).toMatchObject({ answer: { runs: [3, 1] } })
    expect(allocate(4)).toMatchObject({ reason: 'RANGE_EXHAUSTED', metadata: { resting: '1' } })
  })

  it('returns with what was reclaimed at its revision, and not with the ids beside it', () => {
    const running = start({ capacity: 5, reuseDelayMs: 1000 })
    const free = (...ids: readonly number[]) =>
      submit(running, { kind: 'free', setId, ioasids: ids.map(asIoasid), generation: null })
    const allocate = { kind: 'allocate', setId, count: 4, min: 0, max: 4, spids: null, privateData: null } as const
    submit(running, { kind: 'create_set', token: 'vm-a', quota: 0, leaseId: null })
    submit(running, allocate)
    free(2, 3)
    free(4, 1)
    running.nowMs = 1001
    expect(submit(running, allocate)).toMatchObject({ answer: { runs: [2, 2, 1, 1, 4, 1] } })
  })

  it('returns once, in whatever order it was freed with others', () => {
    const { running, given } = ripened([3, 2])
    expect(given).toEqual([
      [3, 1],
      [2, 1],
    ])
    expect(violations(running.state)).toEqual([])
  })

  it('returns in one run with those that were reclaimed with it', () => {
    expect(ripened([2, 3, 4]).given).toEqual([[2, 3]])
  })
})

describe('after a restart', () => {
  /** 3 was reclaimed at 5000 ms, and 2 at 5500; the restart is at 5600. */
  function restarted() {
    const running = start({ reuseDelayMs: 1000 })
    const free = (id: number) => submit(running, { kind: 'free', setId, ioasids: [asIoasid(id)], generation: null })
    submit(running, { kind: 'create_set', token: 'vm-a', quota: 0, leaseId: null })
    submit(running, { kind: 'allocate', setId, count: 3, min: 0, max: 15, spids: null, privateData: null })
    running.nowMs = 5000
    free(3)
    running.nowMs = 5500
    free(2)
    running.nowMs = 5600
    ripen(running.state, running.nowMs)
    running.state = rebuilt(running.state)
    return running
  }

  it('ids rest for as long as they would have', () => {
    const running = restarted()
    expect([...idsOn(running.state.table, running.state.resting)]).toEqual([3, 2])
    for (const [nowMs, isAvailable] of [
      [6000, [false, false]],
      [6001, [true, false]],
      [6500, [true, false]],
      [6501, [true, true]],
    ] as const) {
      ripen(running.state, nowMs)
      expect([3, 2].map((id) => running.state.space.isAvailable(id))).toEqual(isAvailable)
      expect([3, 2].map((id) => rebuilt(running.state).space.isAvailable(id))).toEqual(isAvailable)
    }
  })

  it('an id whose rest ended while nobody served is there at once', () => {
    const { state } = restarted()
    state.servingMs = 6001
    expect([3, 2].map((id) => rebuilt(state).space.isAvailable(id))).toEqual([true, false])
  })
})

describe('serving time', () => {
  it('goes on and never back', () => {
    const { state } = start()
    ripen(state, 70)
    ripen(state, 30)
    expect(state.servingMs).toBe(70)
  })
})
