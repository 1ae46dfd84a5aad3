import { CHILD_SHIFT, LAST_CHILD, leavesOf, NOT_AVAILABLE, startOf, type Tree } from './rested-tree.ts'
import { appendId, type Runs } from './runs.ts'

/** Searches of the tree of policy `rested` (rested-tree.ts): they read it and change nothing. */

/**
 * The first id of the range in the policy's order, or -1. The range is cut into subtrees, small ones at its ends and
 * larger ones towards its middle; the leads of the best one go down to the id. The subtrees come from both ends, so
 * among equals it matters which one starts further left.
 */
export function findOne(tree: Tree, min: number, max: number): number {
  const { smallest } = tree
  let best = NOT_AVAILABLE
  let bestFirst = -1
  let bestLevel = 0
  let low = min
  let high = max
  for (let level = 0; low <= high; level++) {
    const start = startOf(tree, level)
    // Whole families, from `middle` to before `end`, are left to the level above.
    const middle = (low + LAST_CHILD) & ~LAST_CHILD
    const end = (high + 1) & ~LAST_CHILD
    for (let node = low; node <= high; node++) {
      if (node === middle && middle < end) {
        node = end - 1
        continue
      }
      const revision = smallest[start + node] ?? NOT_AVAILABLE
      const first = node << (level * CHILD_SHIFT)
      if (revision > best || (revision === best && first >= bestFirst)) continue
      best = revision
      bestFirst = first
      bestLevel = level
    }
    low = middle >> CHILD_SHIFT
    high = (end >> CHILD_SHIFT) - 1
  }
  return bestFirst < 0 ? -1 : followLeads(tree, bestLevel, bestFirst >>> (bestLevel * CHILD_SHIFT))
}

/** The best id below a node. */
export function followLeads(tree: Tree, from: number, node: number): number {
  const { leads } = tree
  const leaves = leavesOf(tree)
  let leftmost = node
  for (let level = from; level > 0; level--) {
    leftmost = (leftmost << CHILD_SHIFT) | (leads[startOf(tree, level) - leaves + leftmost] ?? 0)
  }
  return leftmost
}

/** A subtree that has ids to hand out, the first of them of this revision. */
interface Waiting {
  readonly revision: number
  readonly start: number
  readonly level: number
}

/**
 * Best first: of all subtrees that wait, the one with the smallest revision, leftmost among equals, is next, and hands
 * out all its ids of that revision from left to right, since no other has a better one or an equal one further left. So
 * a stretch reclaimed at one revision, or never used, passes the heap once, not id by id. Its other subtrees wait on
 * their own; a family of leaves waits again, for the next revision that it has. At the ends of the range a subtree may
 * owe its revision to an id outside: it is looked into sooner than need be, and hands out nothing.
 */
export function findMany(tree: Tree, count: number, min: number, max: number): Runs {
  const { top, smallest } = tree
  const runs: number[] = []
  const heap: Waiting[] = []
  let wanted = count
  wait(smallest[startOf(tree, top)] ?? NOT_AVAILABLE, top, 0)
  while (wanted > 0) {
    const next = popFirst(heap)
    if (next === undefined) break
    handOut(next.level, next.start >>> (next.level * CHILD_SHIFT), next.revision)
  }
  return runs

  function wait(revision: number, level: number, node: number): void {
    if (revision !== NOT_AVAILABLE) push(heap, { revision, start: node << (level * CHILD_SHIFT), level })
  }

  function handOut(level: number, node: number, revision: number): void {
    if (level === 1) {
      handOutLeaves(node, revision)
      return
    }
    const below = level - 1
    const start = startOf(tree, below)
    const first = Math.max(node << CHILD_SHIFT, min >>> (below * CHILD_SHIFT))
    const last = Math.min((node << CHILD_SHIFT) | LAST_CHILD, max >>> (below * CHILD_SHIFT))
    for (let child = first; child <= last && wanted > 0; child++) {
      const reclaimed = smallest[start + child] ?? NOT_AVAILABLE
      if (reclaimed === revision) handOut(below, child, revision)
      else wait(reclaimed, below, child)
    }
  }

  function handOutLeaves(family: number, revision: number): void {
    const last = Math.min((family << CHILD_SHIFT) | LAST_CHILD, max)
    let later = NOT_AVAILABLE
    for (let id = Math.max(family << CHILD_SHIFT, min); id <= last && wanted > 0; id++) {
      const reclaimed = smallest[id] ?? NOT_AVAILABLE
      if (reclaimed === revision) {
        appendId(runs, id)
        wanted--
      } else if (reclaimed > revision && reclaimed < later) later = reclaimed
    }
    wait(later, 1, family)
  }
}

/** `heap` is a binary heap in the policy's order. */
function push(heap: Waiting[], added: Waiting): void {
  let slot = heap.length
  while (slot > 0) {
    const parent = (slot - 1) >>> 1
    const above = heap[parent]
    if (above === undefined || !isBefore(added, above)) break
    heap[slot] = above
    slot = parent
  }
  heap[slot] = added
}

function popFirst(heap: Waiting[]): Waiting | undefined {
  const first = heap[0]
  const moved = heap.pop()
  if (moved === undefined || heap.length === 0) return first
  // The last one fills the hole at the top, and sinks below every child that comes before it.
  let slot = 0
  for (;;) {
    const left = heap[2 * slot + 1]
    const right = heap[2 * slot + 2]
    const isRight = left !== undefined && right !== undefined && isBefore(right, left)
    const child = isRight ? right : left
    if (child === undefined || !isBefore(child, moved)) break
    heap[slot] = child
    slot = 2 * slot + (isRight ? 2 : 1)
  }
  heap[slot] = moved
  return first
}

function isBefore(one: Waiting, other: Waiting): boolean {
  return one.revision < other.revision || (one.revision === other.revision && one.start < other.start)
}
