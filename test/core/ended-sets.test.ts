import { describe, expect, it } from 'vitest'
import {
  addEndedSet,
  createEndedSets,
  endedSetsIn,
  forgetEndedSets,
  freezeEndedSets,
} from '../../server/core/ended-sets.ts'
import { asRevision, asSetId, NO_SET } from '../../server/core/ids.ts'
import { isKnownSet } from '../../server/core/query.ts'
import { start, submit } from '../support/space.ts'

/** Sets 1 … count; set n ended at revision 10 n. */
function endedSets(count: number) {
  const ended = createEndedSets()
  for (let set = 1; set <= count; set++) addEndedSet(ended, asSetId(set), asRevision(10 * set))
  return ended
}

describe('the sets that have ended', () => {
  it('are told in the order of their end, with its revision', () => {
    expect([...endedSetsIn(freezeEndedSets(endedSets(3)))]).toEqual([
      [1, 10],
      [2, 20],
      [3, 30],
    ])
  })

  it('are forgotten up to a compacted revision, that one included, and no further', () => {
    const ended = endedSets(5)
    forgetEndedSets(ended, asRevision(9))
    expect(ended.revisions.size).toBe(5)
    forgetEndedSets(ended, asRevision(20))
    expect([...ended.revisions.keys()]).toEqual([3, 4, 5])
    forgetEndedSets(ended, asRevision(20))
    expect([...endedSetsIn(freezeEndedSets(ended))].map(([setId]) => setId)).toEqual([3, 4, 5])
    forgetEndedSets(ended, asRevision(1000))
    expect([...endedSetsIn(freezeEndedSets(ended))]).toEqual([])
  })

  it('do not pile up: what is forgotten makes room in the order, too', () => {
    const ended = createEndedSets()
    for (let set = 1; set <= 1000; set++) {
      addEndedSet(ended, asSetId(set), asRevision(set))
      forgetEndedSets(ended, asRevision(set - 10))
      expect(ended.order.length).toBeLessThanOrEqual(22)
      expect(ended.revisions.size).toBe(Math.min(set, 10))
    }
  })

  it('leave nothing when all of them are forgotten at once, and are not copied for a few', () => {
    const ended = endedSets(10)
    const { order } = ended
    forgetEndedSets(ended, asRevision(20))
    expect(ended.order).toBe(order)
    forgetEndedSets(ended, asRevision(100))
    expect(ended).toEqual(createEndedSets())
    expect(createEndedSets().order).toEqual([])
  })

  it('that end after a view was frozen are not in it, and those forgotten since are left out of it', () => {
    const ended = endedSets(4)
    const frozen = freezeEndedSets(ended)
    addEndedSet(ended, asSetId(5), asRevision(50))
    expect([...endedSetsIn(frozen)].map(([setId]) => setId)).toEqual([1, 2, 3, 4])
    // More than half: the order is replaced, and the view keeps the old one.
    forgetEndedSets(ended, asRevision(30))
    addEndedSet(ended, asSetId(6), asRevision(60))
    expect([...endedSetsIn(frozen)]).toEqual([[4, 40]])
    expect([...endedSetsIn(freezeEndedSets(ended))].map(([setId]) => setId)).toEqual([4, 5, 6])
  })

  it('are known by their number until they are forgotten, as live ones are; no set is not', () => {
    const running = start()
    const setId = asSetId(1)
    expect(isKnownSet(running.state, setId)).toBe(false)
    submit(running, { kind: 'create_set', token: 'vm-a', quota: 0, leaseId: null })
    expect(isKnownSet(running.state, setId)).toBe(true)
    submit(running, { kind: 'delete_set', setId, force: false })
    expect(isKnownSet(running.state, setId)).toBe(true)
    forgetEndedSets(running.state.endedSets, running.state.revision)
    expect(isKnownSet(running.state, setId)).toBe(false)
    expect(isKnownSet(running.state, NO_SET)).toBe(false)
  })
})
