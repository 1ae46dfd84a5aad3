import { createInterface } from 'node:readline'
import type { IdSpace, Policy } from '../../../server/core/id-space.ts'
import { idSpaceOf } from '../../support/id-space.ts'

/**
 * Drives an id space in a process of its own, so that the compiler sees nothing else: POLICY CAPACITY MIN MAX LIVE. `LIVE`
 * random ids of MIN to MAX are allocated, and of all others every second one. A line with a number of ms is answered by
 * what a pair costs in ns: an id is allocated from the range, and the one that has lived longest is freed. id-space.c does
 * the same.
 */

const PAIRS_AT_ONCE = 10_000

interface Load {
  readonly space: IdSpace
  readonly min: number
  readonly max: number
  /** Live ids, a ring: the one at `place` has lived longest. */
  readonly queue: Uint32Array
  place: number
  revision: number
}

function prepare(policy: Policy, capacity: number, min: number, max: number, live: number): Load {
  const ids = shuffled(min, max)
  const isLive = new Uint8Array(capacity)
  for (const id of ids.subarray(0, live)) isLive[id] = 1
  const isFree = (id: number): boolean => (min <= id && id <= max ? isLive[id] === 0 : id % 2 === 0)
  const space = idSpaceOf(policy, capacity, (id) => (isFree(id) ? 0 : undefined))
  return { space, min, max, queue: ids.slice(0, live), place: 0, revision: 1 }
}

function shuffled(min: number, max: number): Uint32Array {
  const ids = Uint32Array.from({ length: max - min + 1 }, (_, index) => min + index)
  let drawn = 2_463_534_242
  for (let index = ids.length - 1; index > 0; index--) {
    drawn ^= drawn << 13
    drawn ^= drawn >>> 17
    drawn ^= drawn << 5
    const other = (drawn >>> 0) % (index + 1)
    const moved = ids[index] ?? 0
    ids[index] = ids[other] ?? 0
    ids[other] = moved
  }
  return ids
}

function pairs(load: Load): void {
  const { space, min, max, queue } = load
  for (let pair = 0; pair < PAIRS_AT_ONCE; pair++) {
    const id = space.find(1, min, max)[0]
    if (id === undefined) throw new Error('the range is full')
    space.take(id, 1)
    space.give(queue[load.place] ?? 0, 1, load.revision++)
    queue[load.place] = id
    load.place = load.place + 1 === queue.length ? 0 : load.place + 1
  }
}

function measureNs(load: Load, forMs: number): number {
  let done = 0
  let tookMs = 0
  const startMs = performance.now()
  while (tookMs < forMs) {
    pairs(load)
    done += PAIRS_AT_ONCE
    tookMs = performance.now() - startMs
  }
  return (tookMs * 1e6) / done
}

function isPolicy(name: string | undefined): name is Policy {
  return name === 'rested' || name === 'lowest'
}

const [policy, ...numbers] = process.argv.slice(2)
const [capacity = 0, min = 0, max = 0, live = 0] = numbers.map(Number)
if (!isPolicy(policy)) throw new Error('usage: id-space-pairs rested|lowest CAPACITY MIN MAX LIVE')
const load = prepare(policy, capacity, min, max, live)
createInterface(process.stdin).on('line', (forMs) => console.log(measureNs(load, Number(forMs)).toFixed(3)))
