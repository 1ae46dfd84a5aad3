import type { Entry, Event } from './event.ts'
import { awaitUnbound, holdBound } from './evolve-holds.ts'
import { mustHave, pageOfLife, pageOfSet, pageToChange } from './fit.ts'
import { type IdPage, slotOf } from './id-pages.ts'
import { NO_SPID, type Revision, type SetId } from './ids.ts'
import { BOUND, countIds, forEachBound, forEachUnbound, UNBOUND } from './runs.ts'
import { readId, type SetRecord, type State } from './state.ts'

/** What the events of bindings change: a part of evolve.ts, and called from nowhere else. */

type Of<Kind extends Event['kind']> = Extract<Event, { kind: Kind }>

export function bind(state: State, { set: { setId }, runs, device }: Of<'BIND'>, { revision, wallMs }: Entry): void {
  const set = mustHave(state, setId)
  const spids = state.spids.get(setId) ?? new Map<number, number>()
  state.spids.set(setId, spids)
  forEachBound(runs, (id, spid, generation) => {
    const page = pageOfLife(state, setId, id, generation)
    const fits = page.spid[slotOf(id)] === NO_SPID && !page.pending.has(id)
    if (!fits) throw new Error(`IOASID ${id} is bound, but has a SPID already or is pending`)
    if (spids.has(spid)) throw new Error(`SPID ${spid} of set ${setId} is bound twice`)
    page.spid[slotOf(id)] = spid
    page.bound[slotOf(id)] = revision
    page.boundAt[slotOf(id)] = wallMs
    if (device !== '') page.devices.set(id, [device])
    spids.set(spid, id)
  })
  countBound(state, set, countIds(runs, BOUND))
  holdBound(state, set, runs)
}

/** The SPID of an id that is pending stays: its hardware may still know it, and FindBySpid finds it until RECLAIM. */
export function unbind(state: State, { set: { setId }, runs, pending }: Of<'UNBIND'>, revision: Revision): void {
  const set = mustHave(state, setId)
  awaitUnbound(state, set, runs, revision)
  forEachUnbound(runs, (id, spid, generation, bindRevision) => {
    const page = pageOfLife(state, setId, id, generation)
    const isBoundSo = page.spid[slotOf(id)] === spid && page.bound[slotOf(id)] === bindRevision
    if (!isBoundSo || page.pending.has(id)) {
      throw new Error(`SPID ${spid}, bound at ${bindRevision}, is not the one that IOASID ${id} has`)
    }
    page.devices.delete(id)
    if (!pending) forgetSpid(state, setId, page, id, revision)
  })
  countBound(state, set, -countIds(runs, UNBOUND))
}

function countBound(state: State, set: SetRecord, change: number): void {
  state.sets.set(set.setId, { ...set, bound: set.bound + change })
  state.bound += change
}

export function forgetSpid(state: State, setId: SetId, page: IdPage, id: number, revision: Revision): void {
  const spids = state.spids.get(setId)
  spids?.delete(page.spid[slotOf(id)] ?? NO_SPID)
  if (spids?.size === 0) state.spids.delete(setId)
  page.spid[slotOf(id)] = NO_SPID
  page.bound[slotOf(id)] = revision
  page.boundAt[slotOf(id)] = 0
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
