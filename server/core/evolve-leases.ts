import { changeLease } from './changed.ts'
import type { LeaseTerms } from './event.ts'
import { endHolds, keepHolds } from './evolve-holds.ts'
import { mustBeAlive, mustHaveLease, pageOfSet, pageToChange } from './fit.ts'
import { type IdPage, ownPageOf, type Reference } from './id-pages.ts'
import type { LeaseId, Revision, SetId } from './ids.ts'
import { addTo, removeFrom } from './multimap.ts'
import { addOwned } from './owned.ts'
import { referencesOf, type State } from './state.ts'

/** What the events of leases and references change: a part of evolve.ts, and called from nowhere else. */

export function addLease(state: State, leaseId: LeaseId, terms: LeaseTerms, owner: string): void {
  if (leaseId <= state.lastLeaseId) throw new Error(`lease ${leaseId} begins after lease ${state.lastLeaseId}`)
  state.leases.set(leaseId, { ...terms, leaseId, owner, isHeld: false, references: 0, holding: null })
  addOwned(state.owned.leases, owner, 1)
  state.lastLeaseId = leaseId
}

/** Its references stay, its registration does not. */
export function holdLease(state: State, leaseId: LeaseId): void {
  keepHolds(state, leaseId)
  const lease = mustBeAlive(state, leaseId)
  if (referencesOf(lease) === 0) throw new Error(`lease ${leaseId} is held for nothing`)
  state.leases.set(leaseId, changeLease(lease, { isHeld: true }))
}

export function reviveLease(state: State, leaseId: LeaseId): void {
  const lease = mustHaveLease(state, leaseId)
  if (!lease.isHeld) throw new Error(`lease ${leaseId} is revived, which is alive`)
  state.leases.set(leaseId, changeLease(lease, { isHeld: false }))
}

/** Its sets end by events of their own, in the same revision. */
export function endLease(state: State, leaseId: LeaseId): void {
  endHolds(state, leaseId)
  for (const id of state.heldIds.get(leaseId) ?? []) {
    const page = ownPageOf(state.table, id)
    const others = (page.references.get(id) ?? []).filter((reference) => reference.leaseId !== leaseId)
    setReferences(state, page, id, others)
  }
  state.heldIds.delete(leaseId)
  addOwned(state.owned.leases, mustHaveLease(state, leaseId).owner, -1)
  state.leases.delete(leaseId)
}

export function addReference(state: State, setId: SetId, id: number, leaseId: LeaseId, since: Since): void {
  const page = pageToChange(state, setId, id)
  const lease = mustBeAlive(state, leaseId)
  const known = page.references.get(id) ?? []
  const first = { leaseId, count: 0, sinceRevision: since.revision, sinceWallMs: since.wallMs }
  const own = known.find((reference) => reference.leaseId === leaseId) ?? first
  const others = known.filter((reference) => reference !== own)
  const all = [...others, { ...own, count: own.count + 1 }].sort((a, b) => a.leaseId - b.leaseId)
  setReferences(state, page, id, all)
  addTo(state.heldIds, leaseId, id)
  state.leases.set(leaseId, changeLease(lease, { references: lease.references + 1 }))
}

export function dropReference(state: State, setId: SetId, id: number, leaseId: LeaseId): void {
  const page = pageOfSet(state, setId, id)
  const lease = mustHaveLease(state, leaseId)
  const known = page.references.get(id) ?? []
  const own = known.find((reference) => reference.leaseId === leaseId)
  if (own === undefined) throw new Error(`lease ${leaseId} releases IOASID ${id}, which it does not hold`)
  const left = known.flatMap((reference) => {
    if (reference !== own) return [reference]
    return own.count > 1 ? [{ ...own, count: own.count - 1 }] : []
  })
  setReferences(state, page, id, left)
  if (own.count === 1) removeFrom(state.heldIds, leaseId, id)
  state.leases.set(leaseId, changeLease(lease, { references: lease.references - 1 }))
}

interface Since {
  readonly revision: Revision
  readonly wallMs: number
}

function setReferences(state: State, page: IdPage, id: number, references: readonly Reference[]): void {
  state.references += references.length - (page.references.get(id)?.length ?? 0)
  if (references.length === 0) page.references.delete(id)
  else page.references.set(id, references)
}
