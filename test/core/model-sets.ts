import type { Command } from '../../server/core/command.ts'
import type { SetId } from '../../server/core/ids.ts'
import {
  endIds,
  endSets,
  find,
  findAlive,
  type Model,
  type ModelOutcome,
  type ModelSet,
  type Of,
  referencesOf,
  refuse,
  settle,
  sum,
  unreservedOf,
} from './model.ts'
import { acknowledge, endRegistration, register, takeHolds, wasTornDown } from './model-holds.ts'
import { allocate, changeId, free } from './model-ids.ts'
import { acquire, acquireBySpid, changeLease, release } from './model-leases.ts'
import { showSet } from './model-show.ts'

/** Answers a command, and changes the model if it succeeds. */
export function ask(model: Model, command: Command): ModelOutcome {
  const outcome = carryOut(model, command)
  if ('happened' in outcome && outcome.happened.length > 0) {
    model.revision += 1
    wasTornDown(model, outcome.happened)
    takeHolds(model)
  }
  return outcome
}

function carryOut(model: Model, command: Command): ModelOutcome {
  switch (command.kind) {
    case 'create_set':
      return createSet(model, command)
    case 'acquire':
      return acquire(model, command)
    case 'acquire_by_spid':
      return acquireBySpid(model, command)
    case 'release':
      return release(model, command)
    case 'grant_lease':
    case 'revive_lease':
    case 'revoke_lease':
    case 'force_revoke_lease':
    case 'expire_lease':
      return changeLease(model, command)
    case 'register':
      return register(model, command)
    case 'end_registration':
      return endRegistration(model, command)
    case 'acknowledge':
      return acknowledge(model, command)
    default:
      return changeSet(model, command)
  }
}

type OfSet = Extract<Command, { setId: SetId }>

function changeSet(model: Model, command: OfSet): ModelOutcome {
  const set = find(model, command)
  if (set === undefined) return refuse('SET_NOT_FOUND')
  switch (command.kind) {
    case 'adjust_quota':
      return adjustQuota(model, set, command.quota)
    case 'delete_set':
      return deleteSet(model, set, command.force)
    case 'force_delete_set':
      return deleteSet(model, set, true)
    case 'allocate':
      return allocate(model, set, command)
    case 'free':
      return free(model, set, command)
    case 'free_all': {
      const before = set.ids.length
      const happened = [...endIds(set.ids), ...settle(model)]
      const pending = set.ids.length
      return { answer: { kind: 'freed_all', reclaimed: before - pending, pending }, happened }
    }
    default:
      return changeId(model, set, command)
  }
}

function createSet(model: Model, { token, quota, leaseId }: Of<'create_set'>): ModelOutcome {
  if (leaseId !== null && findAlive(model, leaseId) === undefined) return refuse('LEASE_NOT_FOUND')
  const other = model.sets.find((each) => each.token === token && token !== '')
  if (other !== undefined) {
    const waits = { free_pending: other.ids.length, references: sum(other.ids.map(referencesOf)) }
    return refuse('TOKEN_IN_USE', { token, set_id: other.setId, ...(other.isDraining ? waits : {}) })
  }
  const { maxSets } = model.config
  if (model.sets.length >= maxSets) return refuse('TOO_MANY', { what: 'sets', limit: maxSets })
  const limit = unreservedOf(model)
  if (quota > limit) return refuse('CAPACITY_EXCEEDED', { limit, requested: quota })
  const setId = model.lastSetId + 1
  const rest = { leaseId: leaseId ?? undefined, isDraining: false, ids: [] }
  const set: ModelSet = { setId, token, quota, createRevision: model.revision + 1, ...rest }
  model.lastSetId = setId
  model.sets.push(set)
  return { answer: { kind: 'set', set: showSet(set) }, happened: [['SET_ALLOC', setId, token, quota, leaseId ?? 0]] }
}

function adjustQuota(model: Model, set: ModelSet, quota: number): ModelOutcome {
  if (set.isDraining) return refuse('SET_DRAINING', { set_id: set.setId })
  if (quota === set.quota) return { answer: { kind: 'set', set: showSet(set) }, happened: [] }
  const used = set.ids.length
  if (quota > 0 && quota < used) return refuse('QUOTA_BELOW_USE', { set_id: set.setId, requested: quota, used })
  const limit = unreservedOf(
    model,
    model.sets.filter((each) => each !== set),
  )
  if (quota > limit) return refuse('CAPACITY_EXCEEDED', { limit, requested: quota })
  set.quota = quota
  return { answer: { kind: 'set', set: showSet(set) }, happened: [['SET_ADJUST', set.setId, set.token, quota]] }
}

function deleteSet(model: Model, set: ModelSet, force: boolean): ModelOutcome {
  if (set.isDraining) return { answer: { kind: 'set', set: showSet(set) }, happened: [] }
  const allocated = set.ids.length
  if (allocated > 0 && !force) return refuse('SET_NOT_EMPTY', { set_id: set.setId, allocated })
  const happened = endSets(model, [set])
  const state = model.sets.includes(set) ? 'DRAINING' : 'GONE'
  return { answer: { kind: 'set', set: { ...showSet(set), state } }, happened }
}
