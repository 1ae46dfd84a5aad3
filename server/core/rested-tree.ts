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

/** Padded to whole families. The leaves, level 0, have no leads; the highest level is one node, the root. */
export interface Level {
  readonly smallest: Float64Array
  readonly leads: Uint8Array
}

/** Leaves first … last have grown: nodes that one of them led look for another lead. */
export function raiseAbove(levels: readonly Level[], first: number, last: number): void {
  let low = first
  let high = last
  for (let level = 1; level < levels.length; level++) {
    const children = levelOf(levels, level - 1).smallest
    const { smallest, leads } = levelOf(levels, level)
    let changed = false
    for (let parent = low >>> CHILD_SHIFT; parent <= high >>> CHILD_SHIFT; parent++) {
      const before = (parent << CHILD_SHIFT) | (leads[parent] ?? 0)
      if (before < low || before > high) continue
      const lead = leadOf(children, parent)
      leads[parent] = lead & LAST_CHILD
      const revision = children[lead] ?? NOT_AVAILABLE
      if (smallest[parent] === revision) continue
      smallest[parent] = revision
      changed = true
    }
    if (!changed) return
    low >>>= CHILD_SHIFT
    high >>>= CHILD_SHIFT
  }
}

/** Leaves first … last have become `revision`: they lead where that is the smallest, or as small and further left. */
export function lowerAbove(levels: readonly Level[], first: number, last: number, revision: number): void {
  let low = first
  let high = last
  for (let level = 1; level < levels.length; level++) {
    const { smallest, leads } = levelOf(levels, level)
    let changed = false
    for (let parent = low >>> CHILD_SHIFT; parent <= high >>> CHILD_SHIFT; parent++) {
      const before = smallest[parent] ?? NOT_AVAILABLE
      if (revision > before) continue
      // No node from low to high has more than `revision`, and none here has less: the first of them is the leftmost.
      const lead = Math.max(low, parent << CHILD_SHIFT) & LAST_CHILD
      if (revision === before) {
        leads[parent] = Math.min(lead, leads[parent] ?? 0)
        continue
      }
      leads[parent] = lead
      smallest[parent] = revision
      changed = true
    }
    if (!changed) return
    low >>>= CHILD_SHIFT
    high >>>= CHILD_SHIFT
  }
}

/** The leftmost of the smallest children. It is most of the cost of `take`, and as a loop takes a tenth longer. */
function leadOf(children: Float64Array, parent: number): number {
  const first = parent << CHILD_SHIFT
  let lead = first
  lead = smaller(children, lead, first + 1)
  lead = smaller(children, lead, first + 2)
  lead = smaller(children, lead, first + 3)
  lead = smaller(children, lead, first + 4)
  lead = smaller(children, lead, first + 5)
  lead = smaller(children, lead, first + 6)
  return smaller(children, lead, first + 7)
}

function smaller(nodes: Float64Array, left: number, right: number): number {
  return (nodes[right] ?? NOT_AVAILABLE) < (nodes[left] ?? NOT_AVAILABLE) ? right : left
}

export function minima(nodes: number): Float64Array {
  return new Float64Array(Math.ceil(nodes / CHILDREN) * CHILDREN).fill(NOT_AVAILABLE)
}

export function levelsAbove(leaves: Float64Array, capacity: number): readonly Level[] {
  const levels: Level[] = [{ smallest: leaves, leads: new Uint8Array(0) }]
  let children = leaves
  let nodes = capacity
  while (nodes > 1) {
    nodes = Math.ceil(nodes / CHILDREN)
    const smallest = minima(nodes)
    const leads = new Uint8Array(smallest.length)
    for (let parent = 0; parent < nodes; parent++) {
      const lead = leadOf(children, parent)
      leads[parent] = lead & LAST_CHILD
      smallest[parent] = children[lead] ?? NOT_AVAILABLE
    }
    levels.push({ smallest, leads })
    children = smallest
  }
  return levels
}

export function levelOf(levels: readonly Level[], level: number): Level {
  const found = levels[level]
  if (found === undefined) throw new Error(`no level ${level}`)
  return found
}
