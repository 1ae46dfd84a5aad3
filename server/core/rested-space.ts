import { appendId, assertRun, type Runs } from './runs.ts'

/**
 * Policy `rested`: a tree of minima over the revisions at which ids were reclaimed.
 *
 * A queue in order of reclaim would be simpler, but could not answer for a range, and events of another release take
 * ids from its middle. In the tree, the leaf of an id is its reclaim revision, Infinity while it is not available;
 * every node above has the smallest of its eight children, and remembers the leftmost child that has it, its *lead*.
 * So the way to the best id below a node is a walk along leads; taking an id concerns a node only if the id was its
 * best; giving one back mostly ends one step up, since what was just reclaimed is the smallest of nothing. How full the
 * space is does not matter. A family of eight is the size of a cache line: a binary tree has the same answers for twice
 * the memory, and misses the cache once for each of its lowest levels.
 *
 * Leftmost among equals is what makes ties ascend, and never used ids, all of revision 0, come first and in order.
 */

const CHILD_SHIFT = 3
const CHILDREN = 1 << CHILD_SHIFT
const LAST_CHILD = CHILDREN - 1
const NOT_AVAILABLE = Infinity

/** Padded to whole families. The leaves, level 0, have no leads; the highest level is one node, the root. */
interface Level {
  readonly smallest: Float64Array
  readonly leads: Uint8Array
}

/** An IdSpace, as id-space.ts describes it and checks there. */
export function createRestedSpace(capacity: number, reclaimRevisionOf: (id: number) => number | undefined) {
  const leaves = minima(capacity)
  let available = 0
  for (let id = 0; id < capacity; id++) {
    const reclaimRevision = reclaimRevisionOf(id)
    if (reclaimRevision === undefined) continue
    assertRevision(reclaimRevision)
    leaves[id] = reclaimRevision
    available++
  }
  const levels = levelsAbove(leaves, capacity)

  return {
    capacity,
    get available() {
      return available
    },
    isAvailable: (id: number) => (leaves[id] ?? NOT_AVAILABLE) !== NOT_AVAILABLE,
    find,
    take,
    give,
  }

  function find(count: number, min: number, max: number): Runs {
    assertRun(min, max - min + 1, capacity)
    if (count !== 1) return findMany(levels, count, min, max)
    // The common request names no range, and the root's leads answer it.
    const isWhole = min === 0 && max === capacity - 1
    const id = isWhole && available > 0 ? followLeads(levels, levels.length - 1, 0) : findOne(levels, min, max)
    return id < 0 ? [] : [id, 1]
  }

  function take(first: number, count: number): void {
    assertRun(first, count, capacity)
    const last = first + count - 1
    for (let id = first; id <= last; id++) {
      if (leaves[id] === NOT_AVAILABLE) throw new Error(`id ${id} is not available to take`)
    }
    for (let id = first; id <= last; id++) leaves[id] = NOT_AVAILABLE
    raiseAbove(levels, first, last)
    available -= count
  }

  function give(first: number, count: number, reclaimRevision: number): void {
    assertRun(first, count, capacity)
    assertRevision(reclaimRevision)
    const last = first + count - 1
    for (let id = first; id <= last; id++) {
      if (leaves[id] !== NOT_AVAILABLE) throw new Error(`id ${id} is available already`)
    }
    for (let id = first; id <= last; id++) leaves[id] = reclaimRevision
    lowerAbove(levels, first, last, reclaimRevision)
    available += count
  }
}

/** Leaves first … last have grown: nodes that one of them led look for another lead. */
function raiseAbove(levels: readonly Level[], first: number, last: number): void {
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
function lowerAbove(levels: readonly Level[], first: number, last: number, revision: number): void {
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

/**
 * The first id of the range in the policy's order, or -1. The range is cut into subtrees, small ones at its ends and
 * larger ones towards its middle; the leads of the best one go down to the id. The subtrees come from both ends, so
 * among equals it matters which one starts further left.
 */
function findOne(levels: readonly Level[], min: number, max: number): number {
  let best = NOT_AVAILABLE
  let bestStart = -1
  let bestLevel = 0
  let low = min
  let high = max
  for (let level = 0; low <= high; level++) {
    const { smallest } = levelOf(levels, level)
    // Whole families, from `middle` to before `end`, are left to the level above.
    const middle = (low + LAST_CHILD) & ~LAST_CHILD
    const end = (high + 1) & ~LAST_CHILD
    for (let node = low; node <= high; node++) {
      if (node === middle && middle < end) {
        node = end - 1
        continue
      }
      const revision = smallest[node] ?? NOT_AVAILABLE
      const start = node << (level * CHILD_SHIFT)
      if (revision > best || (revision === best && start >= bestStart)) continue
      best = revision
      bestStart = start
      bestLevel = level
    }
    low = middle >> CHILD_SHIFT
    high = (end >> CHILD_SHIFT) - 1
  }
  return bestStart < 0 ? -1 : followLeads(levels, bestLevel, bestStart >>> (bestLevel * CHILD_SHIFT))
}

function followLeads(levels: readonly Level[], from: number, node: number): number {
  let leftmost = node
  for (let level = from; level > 0; level--) {
    leftmost = (leftmost << CHILD_SHIFT) | (levelOf(levels, level).leads[leftmost] ?? 0)
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
function findMany(levels: readonly Level[], count: number, min: number, max: number): Runs {
  const runs: number[] = []
  const heap: Waiting[] = []
  const root = levels.length - 1
  let wanted = count
  wait(levelOf(levels, root).smallest[0] ?? NOT_AVAILABLE, root, 0)
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
    const { smallest } = levelOf(levels, below)
    const first = Math.max(node << CHILD_SHIFT, min >>> (below * CHILD_SHIFT))
    const last = Math.min((node << CHILD_SHIFT) | LAST_CHILD, max >>> (below * CHILD_SHIFT))
    for (let child = first; child <= last && wanted > 0; child++) {
      if (smallest[child] === revision) handOut(below, child, revision)
      else wait(smallest[child] ?? NOT_AVAILABLE, below, child)
    }
  }

  function handOutLeaves(family: number, revision: number): void {
    const leaves = levelOf(levels, 0).smallest
    const last = Math.min((family << CHILD_SHIFT) | LAST_CHILD, max)
    let later = NOT_AVAILABLE
    for (let id = Math.max(family << CHILD_SHIFT, min); id <= last && wanted > 0; id++) {
      const reclaimed = leaves[id] ?? NOT_AVAILABLE
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

/** The leftmost of the smallest children. It is most of the cost of `take`, and as a loop takes a sixth longer. */
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

function minima(nodes: number): Float64Array {
  return new Float64Array(Math.ceil(nodes / CHILDREN) * CHILDREN).fill(NOT_AVAILABLE)
}

function levelsAbove(leaves: Float64Array, capacity: number): readonly Level[] {
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

function levelOf(levels: readonly Level[], level: number): Level {
  const found = levels[level]
  if (found === undefined) throw new Error(`no level ${level}`)
  return found
}

function assertRevision(revision: number): void {
  if (!Number.isInteger(revision) || revision < 0 || revision > 2 ** 53) {
    throw new Error(`${revision} is no reclaim revision`)
  }
}
