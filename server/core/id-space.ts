import { createLowestSpace } from './lowest-space.ts'
import { createRestedSpace } from './rested-space.ts'
import type { GiveRun, Runs } from './runs.ts'

/**
 * Which ids may be handed out right now, and which of them is next.
 *
 * This is the innermost loop of the daemon, and the contract promises that it costs the same in an empty space and in
 * a nearly full one (section 2, rule 8). The kernel's IDA keeps a tree of bitmaps for that, TigerBeetle's free_set two
 * levels of them; both find the *lowest* free number. That is also the number most likely to be remembered by somebody
 * who has not noticed that it was freed, so the default here is to hand out what has rested longest, and the lowest is
 * the choice of those who want small, dense tables.
 *
 * A space knows nothing of sets, leases or time. An id that is reserved, allocated or resting is simply not available;
 * whoever ends the rest calls `give`, with the revision at which the id was reclaimed, not the one at which its rest
 * ended: rank must come from the log, so that a restart and a follower build the same space.
 *
 * Looking and taking are two calls because deciding and evolving are: `find` answers a command and changes nothing,
 * `take` applies an event, which may have been decided by another release with another idea of what comes next.
 * So `take` accepts any available run, not only one that `find` would give.
 */

/**
 * `rested`: ids never used come first, ascending; then the one reclaimed at the smallest revision, ties ascending.
 * About 9 bytes an id.
 * `lowest`: ascending, whatever an id's past. About an eighth of a byte an id.
 */
export type Policy = 'rested' | 'lowest'

/**
 * Ids 0 … capacity-1. `take` and `give` assert what they are told and throw, before they change anything: an id that is
 * taken or given twice means that an id could have two owners, and no answer is better than that one.
 */
export interface IdSpace {
  readonly capacity: number

  /** How many ids are available now. Counted along, never counted up. */
  readonly available: number

  /** False for an id beyond the space, too. */
  isAvailable(id: number): boolean

  /**
   * Up to `count` available ids from `min` to `max`, both inclusive and within the space, in the policy's order, as
   * PLAIN runs; fewer when fewer qualify. Changes nothing.
   */
  find(count: number, min: number, max: number): Runs

  /** The run's ids stop being available. Throws if one of them is not. */
  take(first: number, count: number): void

  /**
   * The run's ids become available, having been reclaimed at this revision: 0 means never used, the largest is 2^53.
   * Throws if one of them is available already.
   */
  readonly give: GiveRun
}

const MIN_CAPACITY = 2
const MAX_CAPACITY = 2 ** 24

/** Builds a space in which is available what `fill` gives: by runs, so that a large space that is empty costs little. */
export function createIdSpace(policy: Policy, capacity: number, fill: (give: GiveRun) => void): IdSpace {
  if (!Number.isInteger(capacity) || capacity < MIN_CAPACITY || capacity > MAX_CAPACITY) {
    throw new Error(`capacity ${capacity} is not within ${MIN_CAPACITY} to ${MAX_CAPACITY}`)
  }
  switch (policy) {
    case 'rested':
      return createRestedSpace(capacity, fill)
    case 'lowest':
      return createLowestSpace(capacity, fill)
  }
}
