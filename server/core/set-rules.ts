import type { AnswerOf, Command, Decision } from './command.ts'
import { endingOf } from './ending.ts'
import { type Failure, fail, isFailure } from './failure.ts'
import { idsOn } from './id-list.ts'
import { asRevision, asSetId } from './ids.ts'
import { findSet, nameOf } from './lookup.ts'
import { type State, unreserved } from './state.ts'
import { type SetView, viewSet } from './view.ts'

/** The rules of sets: contract section 4, SetService. Checks stand in the contract's order (2.7). */

type Of<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>

export function createSet(state: State, { token, quota, leased }: Of<'create_set'>): Decision {
  // Nothing grants a lease yet, so no handle names one.
  if (leased) return fail('LEASE_NOT_FOUND', 'No such lease.')
  const owner = token === '' ? undefined : state.setsByToken.get(token)
  if (owner !== undefined) return fail('TOKEN_IN_USE', 'A live set has this token.', { token, set_id: owner })
  const limit = state.config.maxSets
  if (state.sets.size >= limit) return fail('TOO_MANY', `There are ${limit} sets already.`, { what: 'sets', limit })
  if (quota > unreserved(state)) return capacityExceeded(unreserved(state), quota)

  const setId = asSetId(state.lastSetId + 1)
  const createRevision = asRevision(state.revision + 1)
  const set: SetView = { setId, token, quota, allocated: 0, bound: 0, state: 'ACTIVE', createRevision }
  return { events: [{ kind: 'SET_ALLOC', set: { setId, token }, quota }], answer: answerSet(set) }
}

export function adjustQuota(state: State, { setId, quota }: Of<'adjust_quota'>): Decision {
  const set = findSet(state, setId)
  if (isFailure(set)) return set
  if (quota === set.quota) return { events: [], answer: answerSet(viewSet(set)) }

  const used = set.ids.count
  if (quota > 0 && quota < used) {
    const message = `Set ${setId} has ${used} ids, more than a quota of ${quota}.`
    return fail('QUOTA_BELOW_USE', message, { set_id: setId, requested: quota, used })
  }
  // What the set gives back comes first: its reservation, or what it took of the unreserved.
  const grantable = unreserved(state) + (set.quota > 0 ? set.quota : used)
  if (quota > grantable) return capacityExceeded(grantable, quota)
  return {
    events: [{ kind: 'SET_ADJUST', set: nameOf(set), quota }],
    answer: answerSet({ ...viewSet(set), quota }),
  }
}

export function deleteSet(state: State, { setId, force }: Of<'delete_set'>): Decision {
  const set = findSet(state, setId)
  if (isFailure(set)) return set
  const allocated = set.ids.count
  if (allocated > 0 && !force) {
    return fail('SET_NOT_EMPTY', `Set ${setId} still has ${allocated} ids.`, { set_id: setId, allocated })
  }
  const name = nameOf(set)
  return {
    events: [...endingOf(state.table, name, idsOn(state.table, set.ids)), { kind: 'SET_FREE', set: name }],
    answer: answerSet({ ...viewSet(set), allocated: 0, bound: 0, state: 'GONE' }),
  }
}

export function capacityExceeded(limit: number, requested: number): Failure {
  const message = `The space has ${limit} ids that nobody has reserved or taken, not ${requested}.`
  return fail('CAPACITY_EXCEEDED', message, { limit, requested })
}

function answerSet(set: SetView): AnswerOf<'set'> {
  return { kind: 'set', set }
}
