import { append, nextOf, remove } from './id-list.ts'
import { forEachPart, pageOf, slotOf } from './id-pages.ts'
import { countWithin, type FreeRun, NOTHING_RETURNS, type Returning, without } from './returning.ts'
import type { GiveRun } from './runs.ts'
import type { SpaceConfig, State } from './state.ts'

/**
 * The reuse delay. A reclaimed id goes to the end of the list of resting ids, and back to the space when its time has
 * passed: the delay is the same for all, so the list is in the order of ripening and only its head is looked at.
 */

/** Free ids whose reuse delay has not passed. */
export function countResting({ resting, returning }: State): number {
  return resting.count + returning.count
}

/** Gives ids back to the space after RECLAIM: at once, or to rest first. */
export function startRest(
  state: State,
  first: number,
  count: number,
  reclaimRevision: number,
  servingMs: number,
): void {
  forEachPart(state.table, first, count, (page, from, ids) => {
    page.since.fill(reclaimRevision, slotOf(from), slotOf(from) + ids)
    page.bound.fill(servingMs, slotOf(from), slotOf(from) + ids)
  })
  if (state.config.reuseDelayMs === 0) state.space.give(first, count, reclaimRevision)
  else state.resting = append(state.table, state.resting, first, count)
}

/**
 * Lets serving time pass: ids that have rested may be handed out. The one change that is no event: it follows from the
 * events and the clock, and a replay under another --reuse-delay may do it at another time.
 */
export function ripen(state: State, servingMs: number): void {
  if (servingMs > state.servingMs) state.servingMs = servingMs
  if (state.returning.count > 0 && endOfRestMs(state.config, state.returning.sinceMs) <= state.servingMs) {
    for (const { first, count, since } of state.returning.runs) state.space.give(first, count, since)
    state.returning = NOTHING_RETURNS
  }
  for (let first = state.resting.first; first !== 0 && isRipe(state, first); first = state.resting.first) {
    const since = sinceOf(state, first)
    let count = 1
    // What was reclaimed together ripens together, a million ids as one run.
    while (nextOf(state.table, first + count - 1) === first + count && sinceOf(state, first + count) === since) {
      count += 1
    }
    state.resting = remove(state.table, state.resting, first, count)
    state.space.give(first, count, since)
  }
}

/** Ids in the range that rest, and how long until `wanted` of them have; undefined when not that many rest. */
export function restingIn(
  state: State,
  min: number,
  max: number,
  wanted: number,
): { readonly resting: number; readonly retryAfterMs: number } | undefined {
  const isWhole = min <= 1 && max >= state.config.capacity - 1
  const { returning } = state
  // They ripen before any that was reclaimed since.
  let resting = countWithin(returning, min, max)
  let retryAfterMs = resting === 0 ? 0 : Math.max(1, endOfRestMs(state.config, returning.sinceMs) - state.servingMs)
  if (isWhole && resting >= wanted) return { resting: countResting(state), retryAfterMs }
  for (let id = state.resting.first; id !== 0; id = nextOf(state.table, id)) {
    if (id < min || id > max) continue
    resting += 1
    if (resting !== wanted) continue
    retryAfterMs = Math.max(1, Math.ceil(ripeAtMs(state, id) - state.servingMs))
    // Who does not ask for a range is not worth a walk over all that rests: all of it counts.
    if (isWhole) return { resting: countResting(state), retryAfterMs }
  }
  return resting < wanted ? undefined : { resting, retryAfterMs }
}

/** Ends the rest of one id early: a log that was written under a shorter --reuse-delay hands it out. */
export function endRest(state: State, id: number): void {
  const returning = without(state.returning, id)
  if (returning === undefined) state.resting = remove(state.table, state.resting, id)
  else state.returning = returning
  state.space.give(id, 1, 0)
}

/** Sorts free ids into those that may be handed out, those that rest by themselves, and those that rest since a restore. */
export function sortFree(state: State, restoredMs: number, give: GiveRun) {
  const { config, servingMs } = state
  const rests = (sinceMs: number) => config.reuseDelayMs > 0 && endOfRestMs(config, sinceMs) > servingMs
  const resting: FreeRun[] = []
  const returning: FreeRun[] = []
  const restsSinceRestore = rests(restoredMs)
  return {
    resting,
    /** Whether they rest by themselves: then they have a place on the list. */
    add: (first: number, count: number, since: number, reclaimedMs: number): boolean => {
      const isOnList = since > 0 && reclaimedMs >= restoredMs && rests(reclaimedMs)
      if (isOnList) resting.push({ first, count, since })
      else if (restsSinceRestore) returning.push({ first, count, since })
      else give(first, count, since)
      return isOnList
    },
    returning: (): Returning => {
      const count = returning.reduce((sum, run) => sum + run.count, 0)
      return count === 0 ? NOTHING_RETURNS : { sinceMs: restoredMs, runs: returning, count }
    },
  }
}

function isRipe(state: State, id: number): boolean {
  return ripeAtMs(state, id) <= state.servingMs
}

function sinceOf(state: State, id: number): number {
  return pageOf(state.table, id)?.since[slotOf(id)] ?? 0
}

function ripeAtMs(state: State, id: number): number {
  return endOfRestMs(state.config, pageOf(state.table, id)?.bound[slotOf(id)] ?? 0)
}

/** Serving time is in whole milliseconds, the fraction left out at both ends: so the one that begins it must pass, too. */
function endOfRestMs({ reuseDelayMs }: SpaceConfig, reclaimedMs: number): number {
  return reclaimedMs + reuseDelayMs + 1
}
