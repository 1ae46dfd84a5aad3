import { changeSet } from './changed.ts'
import type { Entry, Event } from './event.ts'
import { awaitUnbound, holdBound } from './evolve-holds.ts'
import { mustHave, mustLive, pageOfLife, pageOfSet, pageToChange } from './fit.ts'
import { countAlike, forEachPart, type IdPage, idsWith, slotOf } from './id-pages.ts'
import { NO_SPID, type Revision, type SetId } from './ids.ts'
import { BOUND, countIds, forEachBound, forEachUnboundRun, UNBOUND } from './runs.ts'
import { addSpid, createSpidIndex, idOfSpid, makeRoom, removeSpid, sweepSpids } from './spid-index.ts'
import { readId, type SetRecord, type State } from './state.ts'

/** What the events of bindings change: a part of evolve.ts, and called from nowhere else. */

type Of<Kind extends Event['kind']> = Extract<Event, { kind: Kind }>

export function bind(state: State, { set: { setId }, runs, device }: Of<'BIND'>, { revision, wallMs }: Entry): void {
  const set = mustHave(state, setId)
  const spids = state.spids.get(setId) ?? createSpidIndex()
  state.spids.set(setId, spids)
  makeRoom(spids, state.table, countIds(runs, BOUND))
  forEachBound(runs, (id, spid, generation) => {
    const page = pageOfLife(state, setId, id, generation)
    const fits = page.spid[slotOf(id)] === NO_SPID && !page.pending.has(id)
    if (!fits) throw new Error(`IOASID ${id} is bound, but has a SPID already or is pending`)
    if (idOfSpid(spids, state.table, spid) !== undefined) throw new Error(`SPID ${spid} of set ${setId} is bound twice`)
    page.spid[slotOf(id)] = spid
    page.bound[slotOf(id)] = revision
    page.boundAt[slotOf(id)] = wallMs
    if (device !== '') page.devices.set(id, [device])
    addSpid(spids, state.table, spid, id)
  })
  countBound(state, set, countIds(runs, BOUND))
  holdBound(state, set, runs)
}

/** The SPID of an id that is pending stays: its hardware may still know it, and FindBySpid finds it until RECLAIM. */
export function unbind(state: State, { set: { setId }, runs, pending }: Of<'UNBIND'>, revision: Revision): void {
  const set = mustHave(state, setId)
  awaitUnbound(state, set, runs, revision)
  const spids = pending ? undefined : state.spids.get(setId)
  const left = (spids?.size ?? 0) - countIds(runs, UNBOUND)
  const isSwept = spids !== undefined && left < spids.size / 2
  // Out of the way, so that a million SPIDs are not searched for one by one.
  if (isSwept) state.spids.delete(setId)
  forEachUnboundRun(runs, (start, length, spid, generation, bindRevision) => {
    forEachPart(state.table, start, length, (page, first, count) => {
      mustLive(page, setId, first, count, generation)
      mustBeBound(page, first, count, spid + first - start, bindRevision)
      for (const id of idsWith(page.devices, first, count)) page.devices.delete(id)
      if (!pending) forgetSpids(state, setId, page, first, count, revision)
    })
  })
  if (isSwept && left > 0) {
    sweepSpids(spids, state.table)
    state.spids.set(setId, spids)
  }
  countBound(state, set, -countIds(runs, UNBOUND))
}

/** Ids of one page, with SPIDs that ascend with them. */
function mustBeBound(page: IdPage, first: number, count: number, spid: number, bindRevision: number): void {
  const slot = slotOf(first)
  const fit = Math.min(
    countAlike(page.spid, slot, count, spid, 1),
    countAlike(page.bound, slot, count, bindRevision),
    (idsWith(page.pending, first, count)[0] ?? first + count) - first,
  )
  if (fit === count) return
  throw new Error(`SPID ${spid + fit}, bound at ${bindRevision}, is not the one that IOASID ${first + fit} has`)
}

function countBound(state: State, set: SetRecord, change: number): void {
  state.sets.set(set.setId, changeSet(set, { bound: set.bound + change }))
  state.bound += change
}

/** Those of ids of one page. */
export function forgetSpids(
  state: State,
  setId: SetId,
  page: IdPage,
  first: number,
  count: number,
  revision: Revision,
): void {
  const from = slotOf(first)
  const to = from + count
  const spids = state.spids.get(setId)
  if (spids !== undefined) {
    for (let slot = from; slot < to; slot++) {
      removeSpid(spids, state.table, page.spid[slot] ?? NO_SPID, first + slot - from)
    }
    if (spids.size === 0) state.spids.delete(setId)
  }
  page.spid.fill(NO_SPID, from, to)
  page.bound.fill(revision, from, to)
  page.boundAt.fill(0, from, to)
}

export function attachDevice(state: State, { set: { setId }, ioasid: id, device }: Of<'DEVICE_ATTACH'>): void {
  const page = pageToChange(state, setId, id)
  const { spid, devices } = readId(page, id)
  if (spid === NO_SPID || devices.includes(device)) throw new Error(`IOASID ${id} cannot have one more such device`)
  page.devices.set(id, [...devices, device])
}

export function detachDevice(state: State, { set: { setId }, ioasid: id, device }: Of<'DEVICE_DETACH'>): void {
  const page = pageOfSet(state, setId, id)
  const { devices } = readId(page, id)
  const others = devices.filter((other) => other !== device)
  // The last device goes with UNBIND.
  const fits = others.length > 0 && others.length < devices.length
  if (!fits) throw new Error(`IOASID ${id} has no such device to spare`)
  page.devices.set(id, others)
}
