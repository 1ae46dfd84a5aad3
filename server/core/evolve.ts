import { addEndedSet } from './ended-sets.ts'
import type { Entry, Event, SetName } from './event.ts'
import { append, EMPTY_LIST, remove } from './id-list.ts'
import { type IdPage, ownPageOf, slotOf } from './id-pages.ts'
import { NO_SPID, type Revision, type SetId } from './ids.ts'
import { startRest } from './rest.ts'
import {
  AGED,
  BOUND,
  countIds,
  forEachAged,
  forEachBound,
  forEachId,
  forEachRun,
  forEachUnbound,
  PLAIN,
  type Runs,
  UNBOUND,
} from './runs.ts'
import { findId, isReserved, readId, type SetRecord, type State } from './state.ts'

/**
 * The only way in which a state changes: live, at restart and on a follower. It decides nothing and refuses nothing; an
 * entry that does not fit the state means a bug or a damaged log, and throws before anybody is told anything.
 */
export function evolve(state: State, entry: Entry): void {
  if (entry.revision !== state.revision + 1) {
    throw new Error(`entry ${entry.revision} does not follow revision ${state.revision}`)
  }
  for (const event of entry.events) apply(state, event, entry)
  state.revision = entry.revision
  // So that a replay ends no earlier than the log does: serving time goes on from here, never back.
  if (entry.servingMs > state.servingMs) state.servingMs = entry.servingMs
}

function apply(state: State, event: Event, { revision, servingMs }: Entry): void {
  switch (event.kind) {
    case 'SET_ALLOC':
      return addSet(state, event.set, event.quota, revision)
    case 'SET_ADJUST':
      return setQuota(state, event.set.setId, event.quota)
    case 'SET_FREE':
      return endSet(state, event.set, revision)
    case 'ALLOC':
      return addIds(state, event.set.setId, event.runs, revision)
    case 'BIND':
      return bind(state, event.set.setId, event.runs, event.device, revision)
    case 'UNBIND':
      return unbind(state, event.set.setId, event.runs)
    case 'FREE':
      // Said to subscribers; the id changes with its RECLAIM, which is of the same revision as long as nobody holds it.
      return
    case 'RECLAIM':
      return reclaim(state, event.set.setId, event.runs, revision, servingMs)
    case 'DEVICE_ATTACH':
      return attachDevice(state, event.set.setId, event.ioasid, event.device)
    case 'DEVICE_DETACH':
      return detachDevice(state, event.set.setId, event.ioasid, event.device)
    case 'DATA':
      return setData(state, event.set.setId, event.runs, event.data)
  }
}

function addSet(state: State, { setId, token }: SetName, quota: number, revision: Revision): void {
  if (setId <= state.lastSetId) throw new Error(`set ${setId} begins after set ${state.lastSetId}`)
  if (state.setsByToken.has(token)) throw new Error(`set ${setId} begins with the token of a live set`)
  state.sets.set(setId, { setId, token, quota, ids: EMPTY_LIST, bound: 0, createRevision: revision })
  if (token !== '') state.setsByToken.set(token, setId)
  state.lastSetId = setId
  state.reservedByQuotas += quota
}

function setQuota(state: State, setId: SetId, quota: number): void {
  const set = mustHave(state, setId)
  state.reservedByQuotas += quota - set.quota
  if (set.quota === 0) state.unreservedUse -= set.ids.count
  if (quota === 0) state.unreservedUse += set.ids.count
  state.sets.set(setId, { ...set, quota })
}

function endSet(state: State, { setId, token }: SetName, revision: Revision): void {
  const set = mustHave(state, setId)
  if (set.ids.count !== 0) throw new Error(`set ${setId} ends with ${set.ids.count} ids`)
  state.sets.delete(setId)
  state.spids.delete(setId)
  if (token !== '') state.setsByToken.delete(token)
  state.reservedByQuotas -= set.quota
  addEndedSet(state.endedSets, setId, revision)
}

function addIds(state: State, setId: SetId, runs: Runs, revision: Revision): void {
  const set = mustHave(state, setId)
  let ids = set.ids
  // Ascending within a revision, so that a list of ids is in the order of (generation, id) and a page can begin behind any.
  for (const [first, count] of sortedRuns(runs)) {
    takeFromSpace(state, first, count)
    for (let id = first; id < first + count; id++) {
      const page = ownPageOf(state.table, id)
      const slot = slotOf(id)
      if (page.setId[slot] !== 0) throw new Error(`IOASID ${id} is handed out, but set ${page.setId[slot]} has it`)
      page.setId[slot] = setId
      page.since[slot] = revision
      page.bound[slot] = 0
      ids = append(state.table, ids, id)
    }
  }
  countChange(state, { ...set, ids }, ids.count - set.ids.count)
}

function sortedRuns(runs: Runs): readonly (readonly [first: number, count: number])[] {
  const pairs: (readonly [number, number])[] = []
  forEachRun(runs, PLAIN, (first, count) => pairs.push([first, count]))
  return pairs.sort(([a], [b]) => a - b)
}

/** An id may still rest here when the log was written under a shorter --reuse-delay. */
function takeFromSpace(state: State, first: number, count: number): void {
  for (let id = first; state.resting.count > 0 && id < first + count; id++) {
    const rests = !state.space.isAvailable(id) && findId(state.table, id) === undefined && !isReserved(state.config, id)
    if (!rests) continue
    state.resting = remove(state.table, state.resting, id)
    state.space.give(id, 1, 0)
  }
  state.space.take(first, count)
}

function bind(state: State, setId: SetId, runs: Runs, device: string, revision: Revision): void {
  const set = mustHave(state, setId)
  const spids = state.spids.get(setId) ?? new Map<number, number>()
  state.spids.set(setId, spids)
  forEachBound(runs, (id, spid, generation) => {
    const page = pageOfLife(state, setId, id, generation)
    if (page.spid[slotOf(id)] !== NO_SPID) throw new Error(`IOASID ${id} is bound, but has a SPID already`)
    if (spids.has(spid)) throw new Error(`SPID ${spid} of set ${setId} is bound twice`)
    page.spid[slotOf(id)] = spid
    page.bound[slotOf(id)] = revision
    if (device !== '') page.devices.set(id, [device])
    spids.set(spid, id)
  })
  state.sets.set(setId, { ...set, bound: set.bound + countIds(runs, BOUND) })
}

function unbind(state: State, setId: SetId, runs: Runs): void {
  const set = mustHave(state, setId)
  const spids = state.spids.get(setId)
  forEachUnbound(runs, (id, spid, generation, bindRevision) => {
    const page = pageOfLife(state, setId, id, generation)
    if (page.spid[slotOf(id)] !== spid || page.bound[slotOf(id)] !== bindRevision) {
      throw new Error(`SPID ${spid}, bound at ${bindRevision}, is not the one that IOASID ${id} has`)
    }
    page.spid[slotOf(id)] = NO_SPID
    page.bound[slotOf(id)] = 0
    page.devices.delete(id)
    spids?.delete(spid)
  })
  if (spids?.size === 0) state.spids.delete(setId)
  state.sets.set(setId, { ...set, bound: set.bound - countIds(runs, UNBOUND) })
}

function reclaim(state: State, setId: SetId, runs: Runs, revision: Revision, servingMs: number): void {
  const set = mustHave(state, setId)
  let ids = set.ids
  forEachAged(runs, (id, generation) => {
    const page = pageOfLife(state, setId, id, generation)
    if (page.spid[slotOf(id)] !== NO_SPID) throw new Error(`IOASID ${id} is reclaimed, but still has a SPID`)
    ids = remove(state.table, ids, id)
    page.setId[slotOf(id)] = 0
    state.privateDataBytes -= page.data.get(id)?.length ?? 0
    page.data.delete(id)
  })
  forEachRun(runs, AGED, (first, count) => startRest(state, first, count, revision, servingMs))
  countChange(state, { ...set, ids }, ids.count - set.ids.count)
}

/** Books ids that came to a set, or (negative) left it, in every account. */
function countChange(state: State, set: SetRecord, change: number): void {
  state.sets.set(set.setId, set)
  state.allocated += change
  if (set.quota === 0) state.unreservedUse += change
}

function attachDevice(state: State, setId: SetId, id: number, device: string): void {
  const page = pageOfSet(state, setId, id)
  const { spid, devices } = readId(page, id)
  if (spid === NO_SPID || devices.includes(device)) throw new Error(`IOASID ${id} cannot have one more such device`)
  page.devices.set(id, [...devices, device])
}

function detachDevice(state: State, setId: SetId, id: number, device: string): void {
  const page = pageOfSet(state, setId, id)
  const { devices } = readId(page, id)
  const others = devices.filter((other) => other !== device)
  // The last device goes with UNBIND.
  const fits = others.length > 0 && others.length < devices.length
  if (!fits) throw new Error(`IOASID ${id} has no such device to spare`)
  page.devices.set(id, others)
}

function setData(state: State, setId: SetId, runs: Runs, data: Uint8Array | null): void {
  forEachId(runs, PLAIN, (id) => {
    const page = pageOfSet(state, setId, id)
    state.privateDataBytes += (data?.length ?? 0) - (page.data.get(id)?.length ?? 0)
    if (data === null) page.data.delete(id)
    else page.data.set(id, data)
  })
}

/** The page of an id that a set has, to write. */
function pageOfSet(state: State, setId: SetId, id: number): IdPage {
  const page = ownPageOf(state.table, id)
  if (page.setId[slotOf(id)] !== setId) throw new Error(`the log speaks of IOASID ${id}, but set ${setId} has it not`)
  return page
}

/** The same, of an id in the life that the event speaks of. */
function pageOfLife(state: State, setId: SetId, id: number, generation: number): IdPage {
  const page = pageOfSet(state, setId, id)
  const since = page.since[slotOf(id)]
  if (since !== generation) throw new Error(`the log speaks of IOASID ${id} in generation ${generation}, not ${since}`)
  return page
}

function mustHave(state: State, setId: SetId): SetRecord {
  const set = state.sets.get(setId)
  if (set === undefined) throw new Error(`the log speaks of set ${setId}, which is not there`)
  return set
}
