/**
 * Ids travel as runs: stretches of consecutive ids, all in one flat array.
 *
 * A set of a million ids is deleted in one revision, and nearly always its ids are a few long stretches. An object for
 * each id, or even for each stretch, would be garbage that the collector walks and bytes that the log repeats; flat
 * numbers are neither. Order is kept as appended, because an allocation hands ids out in the policy's order, which need
 * not ascend.
 *
 * Where an event must say more about each id, the attribute stands beside the count. A run ends where the attribute
 * stops following the rule of its kind, so what was appended is always what is read:
 *
 *     PLAIN    first, count                       ids alone
 *     AGED     first, count, generation           all ids of a run have that generation
 *     BOUND    first, count, spid, generation     id first+i has SPID spid+i: guests hand out SPIDs in order, too
 *     UNBOUND  first, count, spid, generation, bindRevision
 *                                                 the same, and all ids of a run have that bind revision
 */

export type Runs = readonly number[]

export const PLAIN = 2
export const AGED = 3
export const BOUND = 4
export const UNBOUND = 5

/** How many numbers one run of a kind takes. */
export type Stride = typeof PLAIN | typeof AGED | typeof BOUND | typeof UNBOUND

/** Makes a run of ids available that were reclaimed at a revision (id-space.ts). */
export type GiveRun = (first: number, count: number, reclaimRevision: number) => void

/** How many ids the runs name. */
export function countIds(runs: Runs, stride: Stride = PLAIN): number {
  let ids = 0
  for (let offset = 0; offset < runs.length; offset += stride) ids += at(runs, offset + 1)
  return ids
}

/** Every id, in the order of the runs. */
export function idsOf(runs: Runs, stride: Stride = PLAIN): number[] {
  const ids: number[] = []
  forEachId(runs, stride, (id) => ids.push(id))
  return ids
}

/** Visits run after run; its attributes, if it has any, are at `offset + 2` and behind. */
export function forEachRun(
  runs: Runs,
  stride: Stride,
  visit: (first: number, count: number, offset: number) => void,
): void {
  for (let offset = 0; offset < runs.length; offset += stride) visit(at(runs, offset), at(runs, offset + 1), offset)
}

/** Visits id after id: `index` is its place within its run, `offset` where that run begins in the array. */
export function forEachId(
  runs: Runs,
  stride: Stride,
  visit: (id: number, index: number, offset: number) => void,
): void {
  for (let offset = 0; offset < runs.length; offset += stride) {
    const first = at(runs, offset)
    const count = at(runs, offset + 1)
    for (let index = 0; index < count; index++) visit(first + index, index, offset)
  }
}

/** Id after id, for who reads them at his own speed; the attributes are those of the id's run. */
export function* eachId(runs: Runs, stride: Stride): Generator<IdInRun> {
  for (let offset = 0; offset < runs.length; offset += stride) {
    const first = at(runs, offset)
    const count = at(runs, offset + 1)
    const attributes = runs.slice(offset + 2, offset + stride)
    for (let index = 0; index < count; index++) yield { id: first + index, index, attributes }
  }
}

export interface IdInRun {
  readonly id: number
  /** Its place within its run. */
  readonly index: number
  readonly attributes: readonly number[]
}

export function forEachAged(runs: Runs, visit: (id: number, generation: number) => void): void {
  forEachId(runs, AGED, (id, _index, offset) => visit(id, at(runs, offset + 2)))
}

export function forEachBound(runs: Runs, visit: (id: number, spid: number, generation: number) => void): void {
  forEachId(runs, BOUND, (id, index, offset) => visit(id, at(runs, offset + 2) + index, at(runs, offset + 3)))
}

export function forEachUnbound(
  runs: Runs,
  visit: (id: number, spid: number, generation: number, bindRevision: number) => void,
): void {
  forEachId(runs, UNBOUND, (id, index, offset) => {
    visit(id, at(runs, offset + 2) + index, at(runs, offset + 3), at(runs, offset + 4))
  })
}

export function forEachAgedRun(runs: Runs, visit: (first: number, count: number, generation: number) => void): void {
  forEachRun(runs, AGED, (first, count, offset) => visit(first, count, at(runs, offset + 2)))
}

export function forEachUnboundRun(
  runs: Runs,
  visit: (first: number, count: number, spid: number, generation: number, bindRevision: number) => void,
): void {
  forEachRun(runs, UNBOUND, (first, count, offset) => {
    visit(first, count, at(runs, offset + 2), at(runs, offset + 3), at(runs, offset + 4))
  })
}

export function appendId(runs: number[], id: number): void {
  appendRun(runs, id, 1)
}

export function appendRun(runs: number[], first: number, count: number): void {
  const length = lengthToExtend(runs, PLAIN, first)
  if (length > 0) runs[runs.length - 1] = length + count
  else runs.push(first, count)
}

export function appendAged(runs: number[], first: number, generation: number, count = 1): void {
  const length = lengthToExtend(runs, AGED, first)
  if (length > 0 && at(runs, runs.length - 1) === generation) runs[runs.length - 2] = length + count
  else runs.push(first, count, generation)
}

export function appendBound(runs: number[], id: number, spid: number, generation: number): void {
  const length = lengthToExtend(runs, BOUND, id)
  const follows = length > 0 && at(runs, runs.length - 2) + length === spid && at(runs, runs.length - 1) === generation
  if (follows) runs[runs.length - 3] = length + 1
  else runs.push(id, 1, spid, generation)
}

export function appendUnbound(
  runs: number[],
  first: number,
  spid: number,
  generation: number,
  bindRevision: number,
  count = 1,
): void {
  const length = lengthToExtend(runs, UNBOUND, first)
  const follows =
    length > 0 &&
    at(runs, runs.length - 3) + length === spid &&
    at(runs, runs.length - 2) === generation &&
    at(runs, runs.length - 1) === bindRevision
  if (follows) runs[runs.length - 4] = length + count
  else runs.push(first, count, spid, generation, bindRevision)
}

/**
 * What was appended, in as much room as it takes. V8 gives an array that is appended to room for 16 numbers more, which an
 * entry that is kept would keep as well: some hundred bytes for each event of a small change.
 */
export function fitted(runs: Runs): Runs {
  return runs.slice()
}

/** Throws unless the run lies within ids 0 … capacity-1 and is not empty: anything else is a bug of the caller. */
export function assertRun(first: number, count: number, capacity: number): void {
  // `>>> 0` changes whatever is no whole number from 0 up, and costs less than asking for each of these.
  if (first >>> 0 !== first || count >>> 0 !== count || count === 0 || first + count > capacity) {
    throw new Error(`run of ${count} from ${first} is not within a space of ${capacity}`)
  }
}

/** The last run's length if `id` is the next one after it, otherwise 0. */
function lengthToExtend(runs: Runs, stride: Stride, id: number): number {
  if (runs.length === 0) return 0
  const length = at(runs, runs.length - stride + 1)
  return at(runs, runs.length - stride) + length === id ? length : 0
}

/** A number that is missing means runs read with another kind's stride: better to stop than to go on with id NaN. */
function at(runs: Runs, index: number): number {
  const number = runs[index]
  if (number === undefined) throw new Error(`runs of ${runs.length} numbers have none at ${index}`)
  return number
}
