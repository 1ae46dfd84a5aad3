import {
  allIds,
  isBound,
  type Model,
  type ModelId,
  type ModelLease,
  type ModelSet,
  referencesOf,
  sum,
} from './model.ts'

/** What the contract lets see of the model's things, under the names of the core's views. */

export function showSet({ setId, token, quota, leaseId, createRevision, isDraining, ids }: ModelSet): object {
  const freePending = ids.filter((id) => id.isPending).length
  const bound = ids.filter(isBound).length
  const state = isDraining ? 'DRAINING' : 'ACTIVE'
  return { setId, token, quota, allocated: ids.length, freePending, bound, state, leaseId, createRevision, owner: '' }
}

export function showId(model: Model, { setId, token }: ModelSet, id: ModelId): object {
  const { ioasid, generation, spid, bindRevision, devices, data } = id
  const references = referencesOf(id)
  const state = id.isPending ? 'FREE_PENDING' : spid === undefined && references === 0 ? 'IDLE' : 'ACTIVE'
  const holders = model.leases.flatMap((lease) => showHolder(lease, id))
  const identity = { ioasid, setId, token, spid, state, references, generation, bindRevision }
  return { ...identity, devices: [...devices], privateData: data, holders }
}

/** What a lease acquired and what it holds, together; since the earlier of the two. */
function showHolder({ leaseId, terms }: ModelLease, id: ModelId): object[] {
  const acquired = id.references.find((each) => each.leaseId === leaseId)
  const hold = id.holds.find((each) => each.leaseId === leaseId)
  const [first] = [acquired ?? [], hold ?? []].flat().sort((a, b) => a.sinceRevision - b.sinceRevision)
  if (first === undefined) return []
  const { sinceRevision, sinceWallMs } = first
  const count = (acquired?.count ?? 0) + (hold === undefined ? 0 : 1)
  const awaiting = isBound(id) ? undefined : hold?.lastTeardown
  return [{ leaseId, name: terms.name, count, sinceRevision, sinceWallMs, awaiting }]
}

export function showLease(model: Model, lease: ModelLease): object {
  const { leaseId, terms, isHeld, registration, acknowledged } = lease
  const isOwn = (each: { readonly leaseId: number }) => each.leaseId === leaseId
  const acquired = allIds(model).flatMap(({ id }) => id.references.filter(isOwn).map(({ count }) => count))
  const references = sum(acquired) + allIds(model).flatMap(({ id }) => id.holds.filter(isOwn)).length
  const sets = model.sets.filter((set) => set.leaseId === leaseId).length
  const hold = registration && {
    names: registration.names,
    priority: registration.priority,
    registerRevision: registration.revision,
    acknowledged,
  }
  return { leaseId, owner: '', ...terms, references, sets, state: isHeld ? 'HELD' : 'ALIVE', hold }
}
