import { changeSet } from './changed.ts'
import { addEndedSet } from './ended-sets.ts'
import type { Entry, Event, SetName } from './event.ts'
import { attachDevice, bind, detachDevice, forgetSpids, unbind } from './evolve-bindings.ts'
import { acknowledge, awaitFreed, deregister, register } from './evolve-holds.ts'
import { addLease, addReference, dropReference, endLease, holdLease, reviveLease } from './evolve-leases.ts'
import { mustBeAlive, mustHave, mustLive, mustServe, pageOfLife, pageOfSet } from './fit.ts'
import { append, EMPTY_LIST, remove } from './id-list.ts'
import { countAlike, type Freed, forEachPart, type IdPage, idsWith, ownPageOf, slotOf } from './id-pages.ts'
import { NO_LEASE, NO_SPID, type Revision, type SetId } from './ids.ts'
import { addTo, removeFrom } from './multimap.ts'
import { addOwned, claimOf } from './owned.ts'
import { countResting, endRest, startRest } from './rest.ts'
import { AGED, countIds, forEachAged, forEachAgedRun, forEachId, forEachRun, PLAIN, type Runs } from './runs.ts'
import { findId, isReserved, type SetRecord, type State } from './state.ts'

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

function apply(state: State, event: Event, entry: Entry): void {
  const { revision, servingMs, wallMs } = entry
  switch (event.kind) {
    case 'SET_ALLOC':
      return addSet(state, event, entry)
    case 'SET_ADJUST':
      return setQuota(state, event.set.setId, event.quota)
    case 'SET_FREE':
      return endSet(state, event.set, revision)
    case 'ALLOC':
      return addIds(state, event.set.setId, event.runs, entry)
    case 'BIND':
      return bind(state, event, entry)
    case 'UNBIND':
      return unbind(state, event, revision)
    case 'FREE':
      // Where nothing is pending RECLAIM follows in the same revision.
      return event.pending ? setPending(state, event.set.setId, event.runs, entry) : undefined
    case 'RECLAIM':
      return reclaim(state, event.set.setId, event.runs, revision, servingMs)
    case 'DEVICE_ATTACH':
      return attachDevice(state, event)
    case 'DEVICE_DETACH':
      return detachDevice(state, event)
    case 'DATA':
      return setData(state, event.set.setId, event.runs, event.data)
    case 'SET_DRAIN':
      return drainSet(state, event.set.setId)
    case 'ACQUIRE':
      return addReference(state, event.set.setId, event.ioasid, event.leaseId, { revision, wallMs })
    case 'RELEASE':
      return dropReference(state, event.set.setId, event.ioasid, event.leaseId)
    case 'LEASE_GRANT':
      return addLease(state, event.leaseId, event.terms, entry.actor ?? '')
    case 'LEASE_HELD':
      return holdLease(state, event.leaseId)
    case 'LEASE_REVIVE':
      return reviveLease(state, event.leaseId)
    case 'LEASE_END':
      return endLease(state, event.leaseId)
    case 'REGISTER':
      return register(state, event, revision, wallMs)
    case 'DEREGISTER':
      return deregister(state, event.leaseId)
    case 'ACKNOWLEDGE':
      return acknowledge(state, event.leaseId, event.acknowledged)
  }
}

type SetAlloc = Extract<Event, { kind: 'SET_ALLOC' }>

function addSet(state: State, { set: { setId, token }, quota, leaseId }: SetAlloc, entry: Entry): void {
  const { revision, actor = '' } = entry
  if (setId <= state.lastSetId) throw new Error(`set ${setId} begins after set ${state.lastSetId}`)
  if (state.setsByToken.has(token)) throw new Error(`set ${setId} begins with the token of a live set`)
  if (leaseId !== NO_LEASE) addTo(state.setsOfLease, mustBeAlive(state, leaseId).leaseId, setId)
  const ofIds = { ids: EMPTY_LIST, bound: 0, freePending: 0, isDraining: false }
  state.sets.set(setId, { setId, token, quota, ...ofIds, leaseId, createRevision: revision, owner: actor })
  addOwned(state.owned.sets, actor, 1)
  addOwned(state.owned.ids, actor, quota)
  if (token !== '') state.setsByToken.set(token, setId)
  state.lastSetId = setId
  state.reservedByQuotas += quota
}

function setQuota(state: State, setId: SetId, quota: number): void {
  const set = mustServe(state, setId)
  state.reservedByQuotas += quota - set.quota
  if (set.quota === 0) state.unreservedUse -= set.ids.count
  if (quota === 0) state.unreservedUse += set.ids.count
  const next = changeSet(set, { quota })
  addOwned(state.owned.ids, set.owner, claimOf(next) - claimOf(set))
  state.sets.set(setId, next)
}

function endSet(state: State, { setId, token }: SetName, revision: Revision): void {
  const set = mustHave(state, setId)
  if (set.ids.count !== 0) throw new Error(`set ${setId} ends with ${set.ids.count} ids`)
  state.sets.delete(setId)
  state.spids.delete(setId)
  if (token !== '') state.setsByToken.delete(token)
  state.reservedByQuotas -= set.quota
  removeFrom(state.setsOfLease, set.leaseId, setId)
  addOwned(state.owned.sets, set.owner, -1)
  addOwned(state.owned.ids, set.owner, -claimOf(set))
  addEndedSet(state.endedSets, setId, revision)
}

function addIds(state: State, setId: SetId, runs: Runs, { revision, wallMs }: Entry): void {
  const set = mustServe(state, setId)
  let ids = set.ids
  // Ascending within a revision, so that a list of ids is in the order of (generation, id) and a page can begin behind any.
  forEachRun(ascending(runs), PLAIN, (first, count) => {
    takeFromSpace(state, first, count)
    for (let id = first; id < first + count; id++) {
      const page = ownPageOf(state.table, id)
      const slot = slotOf(id)
      if (page.setId[slot] !== 0) throw new Error(`IOASID ${id} is handed out, but set ${page.setId[slot]} has it`)
      page.setId[slot] = setId
      page.since[slot] = revision
      page.bound[slot] = 0
      page.allocatedAt[slot] = wallMs
    }
    ids = append(state.table, ids, first, count)
  })
  countChange(state, changeSet(set, { ids }), ids.count - set.ids.count)
}

function ascending(runs: Runs): Runs {
  if (runs.length === PLAIN) return runs
  const pairs: (readonly [number, number])[] = []
  forEachRun(runs, PLAIN, (first, count) => pairs.push([first, count]))
  return pairs.sort(([a], [b]) => a - b).flat()
}

/** An id may still rest here when the log was written under a shorter --reuse-delay (endRest). */
function takeFromSpace(state: State, first: number, count: number): void {
  for (let id = first; countResting(state) > 0 && id < first + count; id++) {
    const rests = !state.space.isAvailable(id) && findId(state.table, id) === undefined && !isReserved(state.config, id)
    if (rests) endRest(state, id)
  }
  state.space.take(first, count)
}

function setPending(state: State, setId: SetId, runs: Runs, { revision, by = 'OWNER' }: Entry): void {
  const set = mustHave(state, setId)
  const freed: Freed = { revision, by }
  awaitFreed(state, runs, revision)
  forEachAged(runs, (id, generation) => {
    const page = pageOfLife(state, setId, id, generation)
    const fits = (page.references.has(id) || page.holds.has(id)) && !page.pending.has(id)
    if (!fits) throw new Error(`IOASID ${id} cannot be pending`)
    page.pending.set(id, freed)
  })
  const count = countIds(runs, AGED)
  state.sets.set(setId, changeSet(set, { freePending: set.freePending + count }))
  state.freePending += count
}

function reclaim(state: State, setId: SetId, runs: Runs, revision: Revision, servingMs: number): void {
  const set = mustHave(state, setId)
  let ids = set.ids
  let wasPending = 0
  // All SPIDs that pending ids keep go with them, too.
  if (countIds(runs, AGED) === ids.count) state.spids.delete(setId)
  forEachAgedRun(runs, (start, length, generation) => {
    forEachPart(state.table, start, length, (page, first, count) => {
      mustLive(page, setId, first, count, generation)
      for (const id of idsWith(page.pending, first, count)) {
        page.pending.delete(id)
        wasPending += 1
        if (page.spid[slotOf(id)] !== NO_SPID) forgetSpids(state, setId, page, id, 1, revision)
      }
      mustBeUnused(page, first, count)
      page.setId.fill(0, slotOf(first), slotOf(first) + count)
      for (const id of idsWith(page.data, first, count)) {
        state.privateDataBytes -= page.data.get(id)?.length ?? 0
        page.data.delete(id)
      }
    })
    ids = remove(state.table, ids, start, length)
  })
  forEachRun(runs, AGED, (first, count) => startRest(state, first, count, revision, servingMs))
  const left = changeSet(set, { ids, freePending: set.freePending - wasPending })
  countChange(state, left, ids.count - set.ids.count)
  state.freePending -= wasPending
}

/** Ids of one page. */
function mustBeUnused(page: IdPage, first: number, count: number): void {
  const held = idsWith(page.references, first, count)[0] ?? idsWith(page.holds, first, count)[0]
  if (held !== undefined) throw new Error(`IOASID ${held} is reclaimed, but somebody holds it`)
  const unbound = countAlike(page.spid, slotOf(first), count, NO_SPID)
  if (unbound < count) throw new Error(`IOASID ${first + unbound} is reclaimed, but still has a SPID`)
}

function drainSet(state: State, setId: SetId): void {
  const set = mustHave(state, setId)
  const fits = !set.isDraining && set.freePending > 0 && set.freePending === set.ids.count
  if (!fits) throw new Error(`set ${setId} cannot drain`)
  state.sets.set(setId, changeSet(set, { isDraining: true }))
}

/** Books ids that came to a set, or (negative) left it, in every account. */
function countChange(state: State, set: SetRecord, change: number): void {
  state.sets.set(set.setId, set)
  state.allocated += change
  if (set.quota > 0) return
  state.unreservedUse += change
  addOwned(state.owned.ids, set.owner, change)
}

function setData(state: State, setId: SetId, runs: Runs, data: Uint8Array | null): void {
  forEachId(runs, PLAIN, (id) => {
    const page = pageOfSet(state, setId, id)
    state.privateDataBytes += (data?.length ?? 0) - (page.data.get(id)?.length ?? 0)
    if (data === null) page.data.delete(id)
    else page.data.set(id, data)
  })
}
