/**
 * What was free in a backup counts as reclaimed at the restore, also what was never used: whatever happened to it after the
 * backup is not known. All of that ripens at one moment, and before anything that is reclaimed later, so it is runs beside
 * the list of resting ids (rest.ts): a space that is nearly empty need not make pages for it.
 */
export interface Returning {
  /** Serving time of the restore. */
  readonly sinceMs: number
  readonly runs: readonly FreeRun[]
  /** Of ids. */
  readonly count: number
}

export interface FreeRun {
  readonly first: number
  readonly count: number
  /** The revision of their RECLAIM; 0: never used. */
  readonly since: number
}

export const NOTHING_RETURNS: Returning = { sinceMs: 0, runs: [], count: 0 }

/** How many of them are in a range. */
export function countWithin({ runs }: Returning, min: number, max: number): number {
  return runs.reduce((sum, { first, count }) => {
    return sum + Math.max(0, Math.min(first + count - 1, max) - Math.max(first, min) + 1)
  }, 0)
}

/** All but one id; undefined where it is not among them. */
export function without(returning: Returning, id: number): Returning | undefined {
  const run = returning.runs.find(({ first, count }) => first <= id && id < first + count)
  if (run === undefined) return undefined
  const before = { ...run, count: id - run.first }
  const after = { ...run, first: id + 1, count: run.count - before.count - 1 }
  const runs = returning.runs.flatMap((other) => (other === run ? [before, after] : [other]))
  return { ...returning, runs: runs.filter(({ count }) => count > 0), count: returning.count - 1 }
}
