import { changeLease } from './changed.ts'
import type { Event, Names } from './event.ts'
import { mustBeAlive, mustHaveLease } from './fit.ts'
import {
  countNewHolds,
  type Holder,
  holdersOf,
  impliedHold,
  impliedHolders,
  isBound,
  NOTHING,
  namedSets,
  settledIds,
} from './holds.ts'
import { idsOn } from './id-list.ts'
import { type Hold, type IdPage, ownPageOf } from './id-pages.ts'
import type { LeaseId, Revision } from './ids.ts'
import { addTo, removeFrom } from './multimap.ts'
import { BOUND, forEachAged, forEachId, forEachUnbound, type Runs } from './runs.ts'
import { findId, type HoldIds, type Holding, readId, type SetRecord, type State } from './state.ts'

/** What events change in holds (holds.ts): a part of evolve.ts, and called from nowhere else. */

type Register = Extract<Event, { kind: 'REGISTER' }>

export function register(
  state: State,
  { leaseId, names, priority }: Register,
  revision: Revision,
  wallMs: number,
): void {
  const lease = mustBeAlive(state, leaseId)
  const { holding } = lease
  if (holding?.names) throw new Error(`lease ${leaseId} registers a second hold`)
  const gained = countNewHolds(state, leaseId, names)
  const kept = { acknowledged: holding?.acknowledged ?? NOTHING, references: (holding?.references ?? 0) + gained }
  const next: Holding = { names, priority, sinceRevision: revision, sinceWallMs: wallMs, ...kept }
  state.leases.set(leaseId, changeLease(lease, { holding: next }))
  state.references += gained
  indexHolder(state, leaseId, names)
}

export function indexHolder({ holders }: State, leaseId: LeaseId, names: Names): void {
  if (names === 'all') {
    holders.ofAll.add(leaseId)
    return
  }
  for (const token of names.tokens) addTo(holders.byToken, token, leaseId)
  for (const setId of names.setIds) addTo(holders.bySet, setId, leaseId)
}

function forgetHolder({ holders }: State, leaseId: LeaseId, names: Names): void {
  if (names === 'all') {
    holders.ofAll.delete(leaseId)
    return
  }
  for (const token of names.tokens) removeFrom(holders.byToken, token, leaseId)
  for (const setId of names.setIds) removeFrom(holders.bySet, setId, leaseId)
}

/** Whoever holds what is bound has a reference from now on, if he had none from before. */
export function holdBound(state: State, set: SetRecord, runs: Runs): void {
  for (const holder of holdersOf(state, set)) {
    let gained = 0
    forEachId(runs, BOUND, (id) => {
      const holds = ownPageOf(state.table, id).holds.get(id) ?? []
      if (!holds.some(({ leaseId }) => leaseId === holder.leaseId)) gained += 1
    })
    countHolds(state, holder.leaseId, gained)
  }
}

/** Before the SPIDs are forgotten: the references that their holders had are to be acknowledged from now on. */
export function awaitUnbound(state: State, set: SetRecord, runs: Runs, revision: Revision): void {
  const holders = holdersOf(state, set)
  if (holders.length === 0 && state.holdIds.size === 0) return
  // Ids that were bound together share what is written down of them: it is replaced, never changed.
  let shared: { readonly bindRevision: number; readonly holds: readonly Hold[] } | undefined
  forEachUnbound(runs, (id, _spid, _generation, bindRevision) => {
    const page = ownPageOf(state.table, id)
    const known = page.holds.get(id) ?? []
    if (known.length > 0) return awaitTeardown(state, page, id, [...known, ...begin(page, id, holders)], revision)
    if (holders.length === 0) return
    if (shared?.bindRevision !== bindRevision) {
      shared = { bindRevision, holds: begin(page, id, holders).map((hold) => ({ ...hold, awaiting: revision })) }
    }
    // The list itself, not a copy: holders come by lease ascending, as it must be.
    page.holds.set(id, shared.holds)
    for (const { leaseId } of shared.holds) holdIdsOf(state, leaseId).awaited.add(id)
  })
}

function begin(page: IdPage, id: number, holders: readonly Holder[]): readonly Hold[] {
  const record = readId(page, id)
  return impliedHolders(record, holders).map((holder) => impliedHold(holder, record))
}

/** Who has a reference to what is freed must have heard of that, too. */
export function awaitFreed(state: State, runs: Runs, revision: Revision): void {
  forEachAged(runs, (id) => {
    const page = ownPageOf(state.table, id)
    const known = page.holds.get(id)
    // Of one revision with an UNBIND the FREE says nothing new.
    if (known === undefined || known.every(({ awaiting }) => awaiting === revision)) return
    awaitTeardown(state, page, id, known, revision)
  })
}

function awaitTeardown(state: State, page: IdPage, id: number, holds: readonly Hold[], revision: Revision): void {
  const next = holds.map((hold) => ({ ...hold, awaiting: revision }))
  setHolds(page, id, next)
  for (const { leaseId } of next) {
    const { awaited, live } = holdIdsOf(state, leaseId)
    live.delete(id)
    // To the end: the order is that of the latest teardown.
    awaited.delete(id)
    awaited.add(id)
  }
}

/** A reference goes with it, where the id is not bound again. */
export function acknowledge(state: State, leaseId: LeaseId, acknowledged: Revision): void {
  const lease = mustHaveLease(state, leaseId)
  const { holding } = lease
  // Its own revision is the next one: nobody can have been told of that.
  if (holding === null || acknowledged <= holding.acknowledged || acknowledged > state.revision) {
    throw new Error(`lease ${leaseId} has nothing to acknowledge at ${acknowledged}`)
  }
  state.leases.set(leaseId, changeLease(lease, { holding: { ...holding, acknowledged } }))
  const ids = holdIdsOf(state, leaseId)
  let dropped = 0
  for (const id of settledIds(state, leaseId, acknowledged)) {
    const page = ownPageOf(state.table, id)
    const holds = page.holds.get(id) ?? []
    ids.awaited.delete(id)
    if (isBound(readId(page, id))) {
      ids.live.add(id)
      setHolds(
        page,
        id,
        holds.map((hold) => (hold.leaseId === leaseId ? { ...hold, awaiting: NOTHING } : hold)),
      )
    } else {
      setHolds(
        page,
        id,
        holds.filter((hold) => hold.leaseId !== leaseId),
      )
      dropped += 1
    }
  }
  forgetIfEmpty(state, leaseId, ids)
  countHolds(state, leaseId, -dropped)
}

export function deregister(state: State, leaseId: LeaseId): void {
  if (mustBeAlive(state, leaseId).holding?.names == null) throw new Error(`lease ${leaseId} has no registration to end`)
  keepHolds(state, leaseId)
}

/** The registration ends and its references stay: they are written down, since nothing implies them any longer. */
export function keepHolds(state: State, leaseId: LeaseId): void {
  const lease = mustHaveLease(state, leaseId)
  const { holding } = lease
  if (holding === null || holding.names === null) return
  for (const set of namedSets(state, holding.names)) {
    if (set.bound === 0) continue
    for (const id of idsOn(state.table, set.ids)) keepHold(state, { leaseId, holding }, id)
  }
  forgetHolder(state, leaseId, holding.names)
  state.leases.set(leaseId, changeLease(lease, { holding: { ...holding, names: null } }))
}

function keepHold(state: State, holder: Holder, id: number): void {
  const record = findId(state.table, id)
  if (record === undefined || impliedHolders(record, [holder]).length === 0) return
  setHolds(ownPageOf(state.table, id), id, [...record.holds, impliedHold(holder, record)])
  holdIdsOf(state, holder.leaseId).live.add(id)
}

/** They end with their lease. */
export function endHolds(state: State, leaseId: LeaseId): void {
  const { holding } = mustHaveLease(state, leaseId)
  if (holding === null) return
  if (holding.names !== null) forgetHolder(state, leaseId, holding.names)
  const { awaited, live } = holdIdsOf(state, leaseId)
  for (const id of [...awaited, ...live]) {
    const page = ownPageOf(state.table, id)
    setHolds(
      page,
      id,
      (page.holds.get(id) ?? []).filter((hold) => hold.leaseId !== leaseId),
    )
  }
  state.holdIds.delete(leaseId)
  state.references -= holding.references
}

function countHolds(state: State, leaseId: LeaseId, change: number): void {
  const lease = mustHaveLease(state, leaseId)
  if (lease.holding === null || change === 0) return
  const references = lease.holding.references + change
  state.leases.set(leaseId, changeLease(lease, { holding: { ...lease.holding, references } }))
  state.references += change
}

function setHolds(page: IdPage, id: number, holds: readonly Hold[]): void {
  if (holds.length === 0) page.holds.delete(id)
  else
    page.holds.set(
      id,
      holds.toSorted((a, b) => a.leaseId - b.leaseId),
    )
}

function holdIdsOf(state: State, leaseId: LeaseId): HoldIds {
  const known = state.holdIds.get(leaseId)
  if (known !== undefined) return known
  const begun = { awaited: new Set<number>(), live: new Set<number>() }
  state.holdIds.set(leaseId, begun)
  return begun
}

function forgetIfEmpty(state: State, leaseId: LeaseId, { awaited, live }: HoldIds): void {
  if (awaited.size + live.size === 0) state.holdIds.delete(leaseId)
}
