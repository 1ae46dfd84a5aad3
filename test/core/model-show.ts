import { allIds, type Model, type ModelId, type ModelLease, type ModelSet, referencesOf, sum } from './model.ts'

/** What the contract lets see of the model's things, under the names of the core's views. */

export function showSet({ setId, token, quota, leaseId, createRevision, isDraining, ids }: ModelSet): object {
  const freePending = ids.filter((id) => id.isPending).length
  const bound = ids.filter((id) => id.spid !== undefined && !id.isPending).length
  const state = isDraining ? 'DRAINING' : 'ACTIVE'
  return { setId, token, quota, allocated: ids.length, freePending, bound, state, leaseId, createRevision }
}

export function showId(model: Model, { setId, token }: ModelSet, id: ModelId): object {
  const { ioasid, generation, spid, bindRevision, devices, data } = id
  const references = referencesOf(id)
  const state = id.isPending ? 'FREE_PENDING' : spid === undefined && references === 0 ? 'IDLE' : 'ACTIVE'
  const holders = id.references.map((each) => ({
    ...each,
    name: model.leases.find(({ leaseId }) => leaseId === each.leaseId)?.terms.name,
  }))
  const identity = { ioasid, setId, token, spid, state, references, generation, bindRevision }
  return { ...identity, devices: [...devices], privateData: data, holders }
}

export function showLease(model: Model, { leaseId, terms, isHeld }: ModelLease): object {
  const own = allIds(model).flatMap(({ id }) => id.references.filter((each) => each.leaseId === leaseId))
  const references = sum(own.map(({ count }) => count))
  const sets = model.sets.filter((set) => set.leaseId === leaseId).length
  return { leaseId, ...terms, references, sets, state: isHeld ? 'HELD' : 'ALIVE' }
}
