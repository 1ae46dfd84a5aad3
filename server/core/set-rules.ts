import type { Caller } from './caller.ts'
import type { AnswerOf, Command, Decision } from './command.ts'
import { type Failure, fail, isFailure } from './failure.ts'
import { countReferences } from './holds.ts'
import { EMPTY_LIST, idsOn } from './id-list.ts'
import { asRevision, asSetId, NO_LEASE, type SetId } from './ids.ts'
import { drains, findAlive, findSet, nameOf } from './lookup.ts'
import { claimOf, overOwn } from './owned.ts'
import { findId, type SetRecord, type State, unreserved } from './state.ts'
import { planTeardown } from './teardown.ts'
import { type SetView, viewSet } from './view.ts'

/** The rules of sets: contract section 4, SetService. Checks stand in the contract's order (2.7). */

type Of<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>

export function createSet(state: State, { token, quota, leaseId }: Of<'create_set'>, caller: Caller): Decision {
  const lease = leaseId === null ? undefined : findAlive(state, leaseId)
  if (lease !== undefined && isFailure(lease)) return lease
  // No set is found by the empty token, however many are anonymous.
  const owner = state.setsByToken.get(token)
  if (owner !== undefined) return tokenInUse(state, token, owner)
  const limit = state.config.maxSets
  if (state.sets.size >= limit) return fail('TOO_MANY', `There are ${limit} sets already.`, { what: 'sets', limit })
  const tooMany =
    overOwn(state, caller, caller.identity, 'sets', 1) ?? overOwn(state, caller, caller.identity, 'ids', quota)
  if (tooMany !== undefined) return tooMany
  if (quota > unreserved(state)) return capacityExceeded(unreserved(state), quota)

  const setId = asSetId(state.lastSetId + 1)
  const set: SetRecord = {
    setId,
    token,
    quota,
    ids: EMPTY_LIST,
    bound: 0,
    freePending: 0,
    isDraining: false,
    leaseId: lease?.leaseId ?? NO_LEASE,
    createRevision: asRevision(state.revision + 1),
    owner: caller.identity,
  }
  return {
    events: [{ kind: 'SET_ALLOC', set: nameOf(set), quota, leaseId: set.leaseId }],
    answer: answerSet(viewSet(set)),
  }
}

/** Of a draining set it says what it waits for. */
function tokenInUse(state: State, token: string, owner: SetId): Failure {
  const facts = { token, set_id: owner }
  const set = state.sets.get(owner)
  if (set === undefined || !set.isDraining) return fail('TOKEN_IN_USE', 'A live set has this token.', facts)
  let references = 0
  for (const id of idsOn(state.table, set.ids)) {
    const record = findId(state.table, id)
    // All of them are pending, so no registration gives a reference that is not written down.
    if (record !== undefined) references += countReferences(record, [])
  }
  const message = `A deleted set has this token; it waits for ${references} references to ${set.freePending} ids.`
  return fail('TOKEN_IN_USE', message, { ...facts, free_pending: set.freePending, references })
}

export function adjustQuota(state: State, { setId, quota }: Of<'adjust_quota'>, caller: Caller): Decision {
  const set = findSet(state, setId)
  if (isFailure(set)) return set
  if (set.isDraining) return drains(set)
  if (quota === set.quota) return { events: [], answer: answerSet(viewSet(set)) }

  const used = set.ids.count
  if (quota > 0 && quota < used) {
    const message = `Set ${setId} has ${used} ids, more than a quota of ${quota}.`
    return fail('QUOTA_BELOW_USE', message, { set_id: setId, requested: quota, used })
  }
  const tooMany = overOwn(state, caller, set.owner, 'ids', claimOf({ ...set, quota }) - claimOf(set))
  if (tooMany !== undefined) return tooMany
  // What the set gives back comes first: its reservation, or what it took of the unreserved.
  const grantable = unreserved(state) + (set.quota > 0 ? set.quota : used)
  if (quota > grantable) return capacityExceeded(grantable, quota)
  return {
    events: [{ kind: 'SET_ADJUST', set: nameOf(set), quota }],
    answer: answerSet({ ...viewSet(set), quota }),
  }
}

export function deleteSet(state: State, { setId, force }: Pick<Of<'delete_set'>, 'setId' | 'force'>): Decision {
  const set = findSet(state, setId)
  if (isFailure(set)) return set
  if (set.isDraining) return { events: [], answer: answerSet(viewSet(set)) }
  const allocated = set.ids.count
  if (allocated > 0 && !force) {
    return fail('SET_NOT_EMPTY', `Set ${setId} still has ${allocated} ids.`, { set_id: setId, allocated })
  }
  const teardown = planTeardown(state)
  teardown.freeAll(set)
  teardown.end(set)
  const left = allocated - teardown.reclaimedOf(setId)
  const view: SetView = {
    ...viewSet(set),
    allocated: left,
    freePending: left,
    bound: 0,
    state: left === 0 ? 'GONE' : 'DRAINING',
  }
  return { events: teardown.events(), answer: answerSet(view) }
}

export function capacityExceeded(limit: number, requested: number): Failure {
  const message = `The space has ${limit} ids that nobody has reserved or taken, not ${requested}.`
  return fail('CAPACITY_EXCEEDED', message, { limit, requested })
}

function answerSet(set: SetView): AnswerOf<'set'> {
  return { kind: 'set', set }
}
