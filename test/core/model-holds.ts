import {
  allIds,
  findAlive,
  type Happening,
  isBound,
  type Model,
  type ModelId,
  type ModelLease,
  type ModelOutcome,
  type ModelSet,
  type Of,
  overReferences,
  refuse,
  settle,
  wallMsOf,
} from './model.ts'
import { endIfHeldForNothing } from './model-leases.ts'

/**
 * The model's holds: contract section 4, Hold. Every reference is written down from the revision in which it begins, who
 * would take one is found by asking every lease about every id.
 */

export function endRegistration(model: Model, { leaseId }: Of<'end_registration'>): ModelOutcome {
  const lease = model.leases.find((each) => each.leaseId === leaseId)
  if (lease?.registration === undefined) return { answer: { kind: 'done' }, happened: [] }
  lease.registration = undefined
  return { answer: { kind: 'done' }, happened: [['DEREGISTER', leaseId]] }
}

export function register(model: Model, { leaseId, names, priority }: Of<'register'>): ModelOutcome {
  const lease = findAlive(model, leaseId)
  if (lease === undefined) return refuse('LEASE_NOT_FOUND')
  const before = lease.registration
  if (before !== undefined) {
    const isSame = JSON.stringify([before.names, before.priority]) === JSON.stringify([names, priority])
    return isSame ? { answer: { kind: 'done' }, happened: [] } : refuse('HOLD_DIFFERS', { lease_id: leaseId })
  }
  lease.registration = { names, priority, revision: model.revision + 1 }
  const gained = allIds(model).filter(({ set, id }) => isBound(id) && newHoldersOf(model, set, id).includes(lease))
  const tooMany = overReferences(model, gained.length)
  if (tooMany !== undefined) {
    lease.registration = undefined
    return tooMany
  }
  return { answer: { kind: 'done' }, happened: [['REGISTER', leaseId, JSON.stringify(names), priority]] }
}

export function acknowledge(model: Model, { leaseId, revision }: Of<'acknowledge'>): ModelOutcome {
  const lease = model.leases.find((each) => each.leaseId === leaseId)
  if (lease === undefined) return refuse('LEASE_NOT_FOUND')
  if (revision > model.revision) return refuse('FUTURE_REVISION', { revision: model.revision, requested: revision })
  const own = allIds(model).flatMap(({ id }) => id.holds.filter((hold) => hold.leaseId === leaseId))
  const isAwaited = own.some(({ lastTeardown }) => lastTeardown !== undefined && lastTeardown > lease.acknowledged)
  if (!isAwaited || revision <= lease.acknowledged) return { answer: { kind: 'done' }, happened: [] }
  lease.acknowledged = revision
  for (const { id } of allIds(model)) {
    if (isBound(id)) continue
    id.holds = id.holds.filter((hold) => hold.leaseId !== leaseId || (hold.lastTeardown ?? 0) > revision)
  }
  const happened: Happening[] = [['ACKNOWLEDGE', leaseId, revision]]
  return { answer: { kind: 'done' }, happened: [...happened, ...endIfHeldForNothing(model, lease), ...settle(model)] }
}

/** The revision that just happened is the latest teardown for whoever had a reference to what it tore down. */
export function wasTornDown(model: Model, happened: readonly Happening[]): void {
  const ids = allIds(model).map(({ id }) => id)
  for (const [kind, ioasid] of happened) {
    if (kind !== 'UNBIND' && kind !== 'FREE') continue
    const id = ids.find((each) => each.ioasid === ioasid)
    for (const hold of id?.holds ?? []) hold.lastTeardown = model.revision
  }
}

/** From the revision that just happened on, whoever is registered has a reference to what is bound. */
export function takeHolds(model: Model): void {
  for (const { set, id } of allIds(model)) {
    if (!isBound(id)) continue
    const since = { sinceRevision: model.revision, sinceWallMs: wallMsOf(model), lastTeardown: undefined }
    id.holds.push(...newHoldersOf(model, set, id).map(({ leaseId }) => ({ leaseId, ...since })))
    id.holds.sort((a, b) => a.leaseId - b.leaseId)
  }
}

export function matchingLeases(model: Model, set: ModelSet): ModelLease[] {
  return model.leases.filter(({ registration }) => {
    if (registration === undefined) return false
    const { names } = registration
    if (names === 'all') return true
    const isNamed = set.token !== '' && names.tokens.includes(set.token)
    return isNamed || names.setIds.some((setId) => setId === set.setId)
  })
}

/** Those that a binding of the id gives a reference to. */
export function newHoldersOf(model: Model, set: ModelSet, id: ModelId): ModelLease[] {
  return matchingLeases(model, set).filter(({ leaseId }) => !id.holds.some((hold) => hold.leaseId === leaseId))
}
