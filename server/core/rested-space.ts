import { findMany, findOne, followLeads } from './rested-find.ts'
import { emptyTree, lowerAbove, NOT_AVAILABLE, raiseAbove, raiseAboveOne, sumUp } from './rested-tree.ts'
import { assertRun, type GiveRun, type Runs } from './runs.ts'

/**
 * Policy `rested`: ids never used first, ascending, then the one that was reclaimed at the smallest revision, ties
 * ascending. A queue in order of reclaim would be simpler, but could not answer for a range, and events of another release
 * take ids from its middle: so it is a tree of minima.
 */

/** An IdSpace, as id-space.ts describes it and checks there. */
export function createRestedSpace(capacity: number, fill: (give: GiveRun) => void) {
  const tree = emptyTree(capacity)
  // The leaf of an id is at the id's own place.
  const leaves = tree.smallest
  let available = 0
  fill((first, count, reclaimRevision) => {
    setLeaves(first, count, reclaimRevision)
    available += count
  })
  sumUp(tree, capacity)

  return {
    capacity,
    get available() {
      return available
    },
    isAvailable: (id: number) => id < capacity && (leaves[id] ?? NOT_AVAILABLE) !== NOT_AVAILABLE,
    find,
    take,
    give,
  }

  function find(count: number, min: number, max: number): Runs {
    assertRun(min, max - min + 1, capacity)
    if (count !== 1) return findMany(tree, count, min, max)
    // The common request names no range, and the root's leads answer it.
    const isWhole = min === 0 && max === capacity - 1
    const id = isWhole && available > 0 ? followLeads(tree, tree.top, 0) : findOne(tree, min, max)
    return id < 0 ? [] : [id, 1]
  }

  function take(first: number, count: number): void {
    assertRun(first, count, capacity)
    const last = first + count - 1
    for (let id = first; id <= last; id++) {
      if (leaves[id] === NOT_AVAILABLE) throw new Error(`id ${id} is not available to take`)
    }
    for (let id = first; id <= last; id++) leaves[id] = NOT_AVAILABLE
    if (count === 1) raiseAboveOne(tree, first)
    else raiseAbove(tree, first, last)
    available -= count
  }

  function give(first: number, count: number, reclaimRevision: number): void {
    setLeaves(first, count, reclaimRevision)
    lowerAbove(tree, first, first + count - 1, reclaimRevision)
    available += count
  }

  function setLeaves(first: number, count: number, reclaimRevision: number): void {
    assertRun(first, count, capacity)
    assertRevision(reclaimRevision)
    const end = first + count
    for (let id = first; id < end; id++) {
      if (leaves[id] !== NOT_AVAILABLE) throw new Error(`id ${id} is available already`)
    }
    for (let id = first; id < end; id++) leaves[id] = reclaimRevision
  }
}

function assertRevision(revision: number): void {
  if (!Number.isInteger(revision) || revision < 0 || revision > 2 ** 53) {
    throw new Error(`${revision} is no reclaim revision`)
  }
}
