import { appendRun, assertRun, type GiveRun, type Runs } from './runs.ts'

/**
 * Policy `lowest`: a hierarchy of bitmaps, as in the kernel's IDA and in TigerBeetle's free_set.
 *
 * A bit of the bottom level is set where an id is available; a bit of every level above, where the word below it is not
 * zero. So a word that is zero excludes 32, 1,024, 32,768 … ids at one look, and the next available id is at most as
 * many steps up and down as there are levels: four for a space of 2^20, in 132 KiB, which fits a CPU's second cache.
 * A level learns of a run word by word, not id by id, and only where a word becomes zero or ceases to be.
 */

const WORD_BITS = 32
const WORD_SHIFT = 5
const LAST_BIT = WORD_BITS - 1

/** An IdSpace, as id-space.ts describes it and checks there. */
export function createLowestSpace(capacity: number, fill: (give: GiveRun) => void) {
  const starts = startsOf(capacity)
  const levels = starts.length - 1
  const words = new Uint32Array(starts[levels] ?? 0)
  let available = 0
  fill(give)

  return {
    capacity,
    get available() {
      return available
    },
    isAvailable: (id: number) => id < capacity && (((words[id >>> WORD_SHIFT] ?? 0) >>> (id & LAST_BIT)) & 1) === 1,
    find,
    take,
    give,
  }

  function find(count: number, min: number, max: number): Runs {
    assertRun(min, max - min + 1, capacity)
    if (count !== 1) return findMany(count, min, max)
    const id = next(min)
    return id < 0 || id > max ? [] : [id, 1]
  }

  function findMany(count: number, min: number, max: number): Runs {
    const runs: number[] = []
    let wanted = count
    let from = min
    while (wanted > 0 && from <= max) {
      const id = next(from)
      if (id < 0 || id > max) break
      const length = Math.min(stretchFrom(id), wanted, max - id + 1)
      appendRun(runs, id, length)
      wanted -= length
      from = id + length
    }
    return runs
  }

  function take(first: number, count: number): void {
    assertRun(first, count, capacity)
    if (count === 1) takeOne(first)
    else takeRun(first, first + count - 1)
    available -= count
  }

  function give(first: number, count: number): void {
    assertRun(first, count, capacity)
    if (count === 1) giveOne(first)
    else giveRun(first, first + count - 1)
    available += count
  }

  /** One id is what most requests are about, and costs about half of a run of one. */
  function takeOne(id: number): void {
    const word = id >>> WORD_SHIFT
    const bit = 1 << (id & LAST_BIT)
    const before = words[word] ?? 0
    if ((before & bit) === 0) throw new Error(`id ${id} is not available to take`)
    words[word] = before & ~bit
    if ((before & ~bit) === 0) clearAbove(word)
  }

  function giveOne(id: number): void {
    const word = id >>> WORD_SHIFT
    const bit = 1 << (id & LAST_BIT)
    const before = words[word] ?? 0
    if ((before & bit) !== 0) throw new Error(`id ${id} is available already`)
    words[word] = before | bit
    if (before === 0) setAbove(word)
  }

  function takeRun(first: number, last: number): void {
    for (let word = first >>> WORD_SHIFT; word <= last >>> WORD_SHIFT; word++) {
      const mask = maskOf(word, first, last)
      if ((~(words[word] ?? 0) & mask) !== 0) throw new Error(`not all of ${first} to ${last} are available to take`)
    }
    for (let word = first >>> WORD_SHIFT; word <= last >>> WORD_SHIFT; word++) {
      const rest = (words[word] ?? 0) & ~maskOf(word, first, last)
      words[word] = rest
      if (rest === 0) clearAbove(word)
    }
  }

  function giveRun(first: number, last: number): void {
    for (let word = first >>> WORD_SHIFT; word <= last >>> WORD_SHIFT; word++) {
      const mask = maskOf(word, first, last)
      if (((words[word] ?? 0) & mask) !== 0) throw new Error(`some of ${first} to ${last} are available already`)
    }
    for (let word = first >>> WORD_SHIFT; word <= last >>> WORD_SHIFT; word++) {
      const before = words[word] ?? 0
      words[word] = before | maskOf(word, first, last)
      if (before === 0) setAbove(word)
    }
  }

  /** A word of the bottom became zero: its bit goes, and so on upwards while that leaves a word zero. */
  function clearAbove(word: number): void {
    let bit = word
    for (let level = 1; level < levels; level++) {
      const place = (starts[level] ?? 0) + (bit >>> WORD_SHIFT)
      const rest = (words[place] ?? 0) & ~(1 << (bit & LAST_BIT))
      words[place] = rest
      if (rest !== 0) return
      bit >>>= WORD_SHIFT
    }
  }

  /** A word of the bottom is zero no more: its bit comes, and so on upwards while that fills a word that was zero. */
  function setAbove(word: number): void {
    let bit = word
    for (let level = 1; level < levels; level++) {
      const place = (starts[level] ?? 0) + (bit >>> WORD_SHIFT)
      const before = words[place] ?? 0
      words[place] = before | (1 << (bit & LAST_BIT))
      if (before !== 0) return
      bit >>>= WORD_SHIFT
    }
  }

  /** The lowest available id that is not below `from`, or -1. */
  function next(from: number): number {
    let bit = from
    for (let level = 0; level < levels; level++) {
      const word = bit >>> WORD_SHIFT
      const rest = (words[(starts[level] ?? 0) + word] ?? 0) >>> (bit & LAST_BIT)
      if (rest !== 0) return descend(level, bit + lowestBit(rest))
      // This word has nothing more, so the level above is asked for a word after it.
      bit = word + 1
    }
    return -1
  }

  function descend(level: number, bit: number): number {
    let lowest = bit
    for (let below = level - 1; below >= 0; below--) {
      lowest = (lowest << WORD_SHIFT) | lowestBit(words[(starts[below] ?? 0) + lowest] ?? 0)
    }
    return lowest
  }

  /** How many ids from an available one on are available without a gap, as far as its word reaches. */
  function stretchFrom(id: number): number {
    const gaps = ~((words[id >>> WORD_SHIFT] ?? 0) >>> (id & LAST_BIT))
    return gaps === 0 ? WORD_BITS : lowestBit(gaps)
  }
}

/** Where each level begins in one array of words, from the bottom up to one word that tells of all; and where that ends. */
function startsOf(capacity: number): Uint32Array {
  const starts = [0]
  let bits = capacity
  let end = 0
  do {
    bits = Math.ceil(bits / WORD_BITS)
    // One word more than needed: a search may step past the last one.
    end += bits + 1
    starts.push(end)
  } while (bits > 1)
  return Uint32Array.from(starts)
}

/** The bits of `word` that stand for ids first … last. */
function maskOf(word: number, first: number, last: number): number {
  const from = word === first >>> WORD_SHIFT ? first & LAST_BIT : 0
  const to = word === last >>> WORD_SHIFT ? last & LAST_BIT : LAST_BIT
  return (-1 << from) & (-1 >>> (LAST_BIT - to))
}

/** The place of the lowest bit of a word that is not zero. */
function lowestBit(word: number): number {
  return LAST_BIT - Math.clz32(word & -word)
}
