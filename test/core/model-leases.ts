import {
  allIds,
  endSets,
  find,
  findAlive,
  type Happening,
  type Model,
  type ModelId,
  type ModelLease,
  type ModelOutcome,
  type Of,
  overReferences,
  ownId,
  type Refusal,
  referencesOf,
  refuse,
  settle,
  wallMsOf,
} from './model.ts'
import { showId, showLease } from './model-show.ts'

/** The model's commands on leases and references. */

type OfLease = Of<'grant_lease' | 'revive_lease' | 'revoke_lease' | 'force_revoke_lease' | 'expire_lease'>

export function changeLease(model: Model, command: OfLease): ModelOutcome {
  if (command.kind === 'grant_lease') return grant(model, command)
  const lease = model.leases.find((each) => each.leaseId === command.leaseId)
  if (lease === undefined) return refuse('LEASE_NOT_FOUND')
  const { leaseId, isHeld } = lease
  switch (command.kind) {
    case 'revive_lease':
      lease.isHeld = false
      return {
        answer: { kind: 'lease', lease: showLease(model, lease) },
        happened: isHeld ? [['LEASE_REVIVE', leaseId]] : [],
      }
    case 'revoke_lease':
    case 'force_revoke_lease':
      return { answer: { kind: 'done' }, happened: end(model, lease, true) }
    case 'expire_lease': {
      if (isHeld) return refuse('LEASE_NOT_FOUND')
      const holdsNothing = !isHolder(model, leaseId)
      return {
        answer: { kind: 'done' },
        happened: end(model, lease, lease.terms.onExpiry === 'RELEASE' || holdsNothing),
      }
    }
  }
}

function grant(model: Model, { terms }: Of<'grant_lease'>): ModelOutcome {
  const limit = model.config.maxLeases
  if (model.leases.length >= limit) return refuse('TOO_MANY', { what: 'leases', limit })
  model.lastLeaseId += 1
  const lease: ModelLease = {
    leaseId: model.lastLeaseId,
    terms,
    isHeld: false,
    registration: undefined,
    acknowledged: 0,
  }
  model.leases.push(lease)
  return {
    answer: { kind: 'lease', lease: showLease(model, lease) },
    happened: [['LEASE_GRANT', lease.leaseId, terms.name, terms.ttlMs, terms.onExpiry]],
  }
}

function end(model: Model, lease: ModelLease, dropsReferences: boolean): Happening[] {
  const { leaseId } = lease
  const ownSets = model.sets.filter((set) => set.leaseId === leaseId)
  lease.registration = undefined
  if (!dropsReferences) {
    lease.isHeld = true
    return [['LEASE_HELD', leaseId], ...endSets(model, ownSets)]
  }
  for (const { id } of allIds(model)) {
    id.references = id.references.filter((each) => each.leaseId !== leaseId)
    id.holds = id.holds.filter((each) => each.leaseId !== leaseId)
  }
  model.leases = model.leases.filter((each) => each !== lease)
  return [['LEASE_END', leaseId], ...endSets(model, ownSets)]
}

export function acquire(model: Model, { set: ref, ioasid, leaseId }: Of<'acquire' | 'release'>): ModelOutcome {
  const set = find(model, ref)
  if (set === undefined) return refuse('SET_NOT_FOUND')
  const id = ownId(model, set, ioasid)
  if ('refused' in id) return id
  const refusal = addReference(model, id, leaseId)
  if (refusal !== undefined) return refusal
  return {
    answer: { kind: 'acquired', references: referencesOf(id) },
    happened: [['ACQUIRE', ioasid, leaseId]],
  }
}

export function acquireBySpid(model: Model, { set: ref, spid, leaseId }: Of<'acquire_by_spid'>): ModelOutcome {
  const set = find(model, ref)
  if (set === undefined) return refuse('SET_NOT_FOUND')
  const id = set.ids.find((each) => each.spid === spid)
  if (id === undefined) return refuse('SPID_NOT_FOUND', { set_id: set.setId, spid })
  const refusal = addReference(model, id, leaseId)
  if (refusal !== undefined) return refusal
  const view = { ...showId(model, set, id), privateData: undefined, holders: [] }
  return { answer: { kind: 'found', view }, happened: [['ACQUIRE', id.ioasid, leaseId]] }
}

function addReference(model: Model, id: ModelId, leaseId: number): Refusal | undefined {
  if (findAlive(model, leaseId) === undefined) return refuse('LEASE_NOT_FOUND')
  if (id.isPending) return refuse('FREE_PENDING', { ioasid: id.ioasid })
  const own = id.references.find((each) => each.leaseId === leaseId)
  if (own !== undefined) {
    own.count += 1
    return undefined
  }
  const tooMany = overReferences(model, 1)
  if (tooMany !== undefined) return tooMany
  id.references.push({ leaseId, sinceRevision: model.revision + 1, sinceWallMs: wallMsOf(model), count: 1 })
  id.references.sort((a, b) => a.leaseId - b.leaseId)
  return undefined
}

export function release(model: Model, { set: ref, ioasid, leaseId }: Of<'acquire' | 'release'>): ModelOutcome {
  const set = find(model, ref)
  if (set === undefined) return refuse('SET_NOT_FOUND')
  const id = ownId(model, set, ioasid)
  if ('refused' in id) return id
  const lease = model.leases.find((each) => each.leaseId === leaseId)
  if (lease === undefined) return refuse('LEASE_NOT_FOUND')
  const own = id.references.find((each) => each.leaseId === leaseId)
  if (own === undefined) return refuse('NOT_HELD', { ioasid })
  own.count -= 1
  id.references = id.references.filter((each) => each.count > 0)
  const happened: Happening[] = [['RELEASE', ioasid, leaseId], ...endIfHeldForNothing(model, lease), ...settle(model)]
  const reclaimed = happened.some(([kind]) => kind === 'RECLAIM')
  return { answer: { kind: 'released', references: referencesOf(id), reclaimed }, happened }
}

/** A HELD lease is gone with its last reference. */
export function endIfHeldForNothing(model: Model, lease: ModelLease): Happening[] {
  if (!lease.isHeld || isHolder(model, lease.leaseId)) return []
  model.leases = model.leases.filter((each) => each !== lease)
  return [['LEASE_END', lease.leaseId]]
}

function isHolder(model: Model, leaseId: number): boolean {
  return allIds(model).some(({ id }) => [...id.references, ...id.holds].some((each) => each.leaseId === leaseId))
}
