import type { Names, SetName } from './event.ts'
import { type Hold, pageOf } from './id-pages.ts'
import { asRevision, type LeaseId, NO_SPID, type Revision } from './ids.ts'
import { findId, type Holding, type IdRecord, type SetRecord, type State } from './state.ts'

/**
 * Which ids a hold has a reference to. A registration that matches a set has one to each of its bound ids, and nothing is
 * written down for that: a holder of a million bound ids costs as much as one of none. What must be remembered for an id
 * (`IdPage.holds`) begins with its teardown, and stays until the holder has acknowledged the latest one and the id is not
 * bound again meanwhile. So an id costs one entry for each holder, however often it is bound and unbound.
 */

/** A lease with a registration. */
export interface Holder {
  readonly leaseId: LeaseId
  readonly holding: Holding
}

const NOBODY: readonly Holder[] = []

/** The leases whose registrations match a set, ascending. */
export function holdersOf(state: State, { setId, token }: SetName): readonly Holder[] {
  const { ofAll, byToken, bySet } = state.holders
  const ofToken = byToken.get(token)
  const ofSet = bySet.get(setId)
  if (ofAll.size === 0 && ofToken === undefined && ofSet === undefined) return NOBODY
  const leaseIds = new Set([...ofAll, ...(ofToken ?? []), ...(ofSet ?? [])])
  return [...leaseIds].sort((a, b) => a - b).map((leaseId) => holderOf(state, leaseId))
}

function holderOf(state: State, leaseId: LeaseId): Holder {
  const holding = state.leases.get(leaseId)?.holding ?? null
  if (holding === null) throw new Error(`lease ${leaseId} is a holder without a hold`)
  return { leaseId, holding }
}

/** The live sets that are named, each once: a set may be named by its token and by its number. */
export function namedSets(state: State, names: Names): readonly SetRecord[] {
  if (names === 'all') return [...state.sets.values()]
  const setIds = new Set(names.setIds)
  for (const token of names.tokens) {
    const setId = state.setsByToken.get(token)
    if (setId !== undefined) setIds.add(setId)
  }
  return [...setIds].map((setId) => state.sets.get(setId)).filter((set) => set !== undefined)
}

/** Whether a SPID stands for the id now; a pending one only keeps it from others. */
export function isBound({ spid, isPending }: IdRecord): boolean {
  return spid !== NO_SPID && !isPending
}

/** The holders of its set that have a reference to a bound id of which nothing is written down. */
export function impliedHolders(record: IdRecord, holders: readonly Holder[]): readonly Holder[] {
  return isBound(record) ? newHolders(record, holders) : NOBODY
}

/** The holders of its set that a BIND of the id gives one to. */
export function newHolders({ holds }: IdRecord, holders: readonly Holder[]): readonly Holder[] {
  return holds.length === 0 ? holders : holders.filter(({ leaseId }) => !holds.some((hold) => hold.leaseId === leaseId))
}

/** That reference: it begins with the binding, or with a registration that came later. */
export function impliedHold({ leaseId, holding }: Holder, { bindRevision, boundWallMs }: IdRecord): Hold {
  const isLater = holding.sinceRevision > bindRevision
  return {
    leaseId,
    awaiting: NOTHING,
    sinceRevision: isLater ? holding.sinceRevision : bindRevision,
    sinceWallMs: isLater ? holding.sinceWallMs : boundWallMs,
  }
}

/** No revision: nothing is awaited. */
export const NOTHING: Revision = asRevision(0)

/** The sum of all leases' counts. */
export function countReferences(record: IdRecord, holders: readonly Holder[]): number {
  const acquired = record.references.reduce((sum, { count }) => sum + count, 0)
  return acquired + record.holds.length + impliedHolders(record, holders).length
}

/** How many ids a registration gives its lease a reference to that it had none to before. */
export function countNewHolds(state: State, leaseId: LeaseId, names: Names): number {
  if (names === 'all') return state.bound - countKnown(state, leaseId, () => true)
  const sets = namedSets(state, names)
  const setIds = new Set(sets.map(({ setId }) => setId))
  const bound = sets.reduce((sum, set) => sum + set.bound, 0)
  return bound - countKnown(state, leaseId, ({ setId }) => setIds.has(setId))
}

/** Bound ids of some sets that the lease has a reference to from before, when it was revived for example. */
function countKnown(state: State, leaseId: LeaseId, isNamed: (record: IdRecord) => boolean): number {
  const ids = state.holdIds.get(leaseId)
  if (ids === undefined) return 0
  let known = 0
  for (const id of [...ids.awaited, ...ids.live]) {
    const record = findId(state.table, id)
    if (record !== undefined && isBound(record) && isNamed(record)) known += 1
  }
  return known
}

/** Ids whose latest teardown is at or below a revision, the least recent first. */
export function settledIds(state: State, leaseId: LeaseId, acknowledged: Revision): readonly number[] {
  const settled: number[] = []
  for (const id of state.holdIds.get(leaseId)?.awaited ?? []) {
    const hold = pageOf(state.table, id)
      ?.holds.get(id)
      ?.find((known) => known.leaseId === leaseId)
    if (hold === undefined) throw new Error(`lease ${leaseId} awaits IOASID ${id} without a hold`)
    if (hold.awaiting > acknowledged) break
    settled.push(id)
  }
  return settled
}
