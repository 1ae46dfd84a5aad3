/**
 * The tree of policy `rested` (rested-space.ts): minima over the revisions at which ids were reclaimed.
 *
 * The leaf of an id is its reclaim revision, Infinity while it is not available;
 * every node above has the smallest of its eight children, and remembers the leftmost child that has it, its *lead*.
 * So the way to the best id below a node is a walk along leads; taking an id concerns a node only if the id was its
 * best; giving one back mostly ends one step up, since what was just reclaimed is the smallest of nothing. How full the
 * space is does not matter. A family of eight is the size of a cache line: a binary tree has the same answers for twice
 * the memory, and misses the cache once for each of its lowest levels.
 *
 * Leftmost among equals is what makes ties ascend, and never used ids, all of revision 0, come first and in order.
 */

export const CHILD_SHIFT = 3
const CHILDREN = 1 << CHILD_SHIFT
export const LAST_CHILD = CHILDREN - 1
export const NOT_AVAILABLE = Infinity

/**
 * All levels lie one after the other in the same arrays, the leaves first, the root last: with arrays of their own, a walk
 * from level to level takes twice as long.
 */
export interface Tree {
  /** The highest level, that of the root. The leaves are level 0. */
  readonly top: number
  /** Where each level begins in `smallest`, each padded to whole families. */
  readonly starts: Uint32Array
  /** The leaf of an id is at the id's own place. */
  readonly smallest: Float64Array
  /** Of the nodes above the leaves: that of a node lies as many places before it as there are leaves. */
  readonly leads: Uint8Array
}

/** A tree in which nothing is available. */
export function emptyTree(capacity: number): Tree {
  const starts = [0]
  let end = 0
  let nodes = capacity
  for (;;) {
    end += Math.ceil(nodes / CHILDREN) * CHILDREN
    if (nodes === 1) break
    starts.push(end)
    nodes = Math.ceil(nodes / CHILDREN)
  }
  const smallest = new Float64Array(end).fill(NOT_AVAILABLE)
  const leads = new Uint8Array(end - (starts[1] ?? 0))
  return { top: starts.length - 1, starts: Uint32Array.from(starts), smallest, leads }
}

/** Makes all nodes above the leaves anew. */
export function sumUp(tree: Tree, capacity: number): void {
  const { top, smallest, leads } = tree
  let nodes = capacity
  for (let level = 1; level <= top; level++) {
    nodes = Math.ceil(nodes / CHILDREN)
    const below = startOf(tree, level - 1)
    const start = startOf(tree, level)
    for (let place = start; place < start + nodes; place++) {
      const lead = leadOf(smallest, below + ((place - start) << CHILD_SHIFT))
      leads[place - leavesOf(tree)] = lead & LAST_CHILD
      smallest[place] = smallest[lead] ?? NOT_AVAILABLE
    }
  }
}

/**
 * One leaf has grown, which is what most requests come to: nodes look for another lead as long as it led them. The same as
 * raiseAbove, in nine tenths of the time that a pair of take and give costs then (npm run bench -- id-space).
 */
export function raiseAboveOne(tree: Tree, leaf: number): void {
  const { top, smallest, leads } = tree
  const leaves = leavesOf(tree)
  let node = leaf
  let below = 0
  for (let level = 1; level <= top; level++) {
    const child = node & LAST_CHILD
    node >>>= CHILD_SHIFT
    const start = startOf(tree, level)
    const place = start + node
    if (leads[place - leaves] !== child) return
    const lead = leadOf(smallest, below + (node << CHILD_SHIFT))
    leads[place - leaves] = lead & LAST_CHILD
    const revision = smallest[lead] ?? NOT_AVAILABLE
    if (smallest[place] === revision) return
    smallest[place] = revision
    below = start
  }
}

/** Leaves first … last have grown: nodes that one of them led look for another lead. */
export function raiseAbove(tree: Tree, first: number, last: number): void {
  const { top, smallest, leads } = tree
  const leaves = leavesOf(tree)
  let low = first
  let high = last
  for (let level = 1; level <= top; level++) {
    const below = startOf(tree, level - 1)
    const start = startOf(tree, level)
    let changed = false
    for (let parent = low >>> CHILD_SHIFT; parent <= high >>> CHILD_SHIFT; parent++) {
      const place = start + parent
      const before = (parent << CHILD_SHIFT) | (leads[place - leaves] ?? 0)
      if (before < low || before > high) continue
      const lead = leadOf(smallest, below + (parent << CHILD_SHIFT))
      leads[place - leaves] = lead & LAST_CHILD
      const revision = smallest[lead] ?? NOT_AVAILABLE
      if (smallest[place] === revision) continue
      smallest[place] = revision
      changed = true
    }
    if (!changed) return
    low >>>= CHILD_SHIFT
    high >>>= CHILD_SHIFT
  }
}

/** Leaves first … last have become `revision`: they lead where that is the smallest, or as small and further left. */
export function lowerAbove(tree: Tree, first: number, last: number, revision: number): void {
  const { top, smallest, leads } = tree
  const leaves = leavesOf(tree)
  let low = first
  let high = last
  for (let level = 1; level <= top; level++) {
    const start = startOf(tree, level)
    let changed = false
    for (let parent = low >>> CHILD_SHIFT; parent <= high >>> CHILD_SHIFT; parent++) {
      const place = start + parent
      const before = smallest[place] ?? NOT_AVAILABLE
      if (revision > before) continue
      // No node from low to high has more than `revision`, and none here has less: the first of them is the leftmost.
      const lead = Math.max(low, parent << CHILD_SHIFT) & LAST_CHILD
      if (revision === before) {
        leads[place - leaves] = Math.min(lead, leads[place - leaves] ?? 0)
        continue
      }
      leads[place - leaves] = lead
      smallest[place] = revision
      changed = true
    }
    if (!changed) return
    low >>>= CHILD_SHIFT
    high >>>= CHILD_SHIFT
  }
}

export function startOf({ starts }: Tree, level: number): number {
  return starts[level] ?? 0
}

/** How many leaves there are with their padding. */
export function leavesOf(tree: Tree): number {
  return startOf(tree, 1)
}

/**
 * The leftmost of the smallest in the family that begins at a place. It is most of the cost of `take`. A knock-out without
 * branches: which of two is smaller is as good as chance, and a branch that is guessed wrong costs more than all of this.
 */
function leadOf(smallest: Float64Array, first: number): number {
  const left = smaller(smallest, smaller(smallest, first, first + 1), smaller(smallest, first + 2, first + 3))
  const right = smaller(smallest, smaller(smallest, first + 4, first + 5), smaller(smallest, first + 6, first + 7))
  return smaller(smallest, left, right)
}

function smaller(nodes: Float64Array, left: number, right: number): number {
  const isRight = Number((nodes[right] ?? NOT_AVAILABLE) < (nodes[left] ?? NOT_AVAILABLE))
  return left ^ ((left ^ right) & -isRight)
}
