import { countAlike, type IdPage, ownPageOf, slotOf } from './id-pages.ts'
import type { LeaseId, SetId } from './ids.ts'
import type { LeaseRecord, SetRecord, State } from './state.ts'

/** What an event speaks of must be there: an entry that does not fit the state throws before anybody is told anything. */

/** The page of an id that a set has, to write. */
export function pageOfSet(state: State, setId: SetId, id: number): IdPage {
  const page = ownPageOf(state.table, id)
  if (page.setId[slotOf(id)] !== setId) throw new Error(`the log speaks of IOASID ${id}, but set ${setId} has it not`)
  return page
}

/** The same, of an id that is not pending: nothing new happens to one that is. */
export function pageToChange(state: State, setId: SetId, id: number): IdPage {
  const page = pageOfSet(state, setId, id)
  if (page.pending.has(id)) throw new Error(`the log changes IOASID ${id}, which is pending`)
  return page
}

/** Ids of one page that a set has, in the life that the event speaks of. */
export function mustLive(page: IdPage, setId: SetId, first: number, count: number, generation: number): void {
  const slot = slotOf(first)
  const owned = countAlike(page.setId, slot, count, setId)
  if (owned < count) throw new Error(`the log speaks of IOASID ${first + owned}, but set ${setId} has it not`)
  const lives = countAlike(page.since, slot, count, generation)
  if (lives === count) return
  const since = page.since[slot + lives]
  throw new Error(`the log speaks of IOASID ${first + lives} in generation ${generation}, not ${since}`)
}

/** The page of an id that a set has, in the life that the event speaks of. */
export function pageOfLife(state: State, setId: SetId, id: number, generation: number): IdPage {
  const page = ownPageOf(state.table, id)
  mustLive(page, setId, id, 1, generation)
  return page
}

export function mustHave(state: State, setId: SetId): SetRecord {
  const set = state.sets.get(setId)
  if (set === undefined) throw new Error(`the log speaks of set ${setId}, which is not there`)
  return set
}

export function mustHaveLease(state: State, leaseId: LeaseId): LeaseRecord {
  const lease = state.leases.get(leaseId)
  if (lease === undefined) throw new Error(`the log speaks of lease ${leaseId}, which is not there`)
  return lease
}

/** A set that was not deleted. */
export function mustServe(state: State, setId: SetId): SetRecord {
  const set = mustHave(state, setId)
  if (set.isDraining) throw new Error(`the log changes set ${setId}, which drains`)
  return set
}

/** A lease whose time is not over. */
export function mustBeAlive(state: State, leaseId: LeaseId): LeaseRecord {
  const lease = mustHaveLease(state, leaseId)
  if (lease.isHeld) throw new Error(`the log speaks of lease ${leaseId} as alive, which is held`)
  return lease
}
