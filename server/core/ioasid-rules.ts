import type { Caller } from './caller.ts'
import type { Command, Decision } from './command.ts'
import type { Event } from './event.ts'
import { type Failure, fail, isFailure } from './failure.ts'
import { overHolds } from './hold-rules.ts'
import { countReferences, holdersOf, newHolders } from './holds.ts'
import { NO_SPID, type SetId } from './ids.ts'
import { drains, findOwnId, findSet, isPendingFree, nameOf } from './lookup.ts'
import { overOwn } from './owned.ts'
import { restingIn } from './rest.ts'
import { appendBound, countIds, fitted, idsOf, type Runs } from './runs.ts'
import { capacityExceeded } from './set-rules.ts'
import { ioasidOf, type SetRecord, type State, unreserved } from './state.ts'
import { planTeardown } from './teardown.ts'

/** The rules of ids: contract section 4, IoasidService. Checks stand in the contract's order (2.7). */

type Of<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>

const DONE = { kind: 'done' } as const

export function allocate(state: State, command: Of<'allocate'>, caller: Caller): Decision {
  const set = findSet(state, command.setId)
  if (isFailure(set)) return set
  if (set.isDraining) return drains(set)
  const refusal =
    spidsTaken(state, set.setId, command.spids ?? []) ??
    overQuota(state, set, command.count) ??
    overOwn(state, caller, set.owner, 'ids', set.quota > 0 ? 0 : command.count) ??
    overPrivateData(state, (command.privateData?.length ?? 0) * command.count) ??
    overHolds(state, holdersOf(state, set).length * (command.spids?.length ?? 0))
  if (refusal !== undefined) return refusal
  const runs = state.space.find(command.count, command.min, command.max)
  const available = countIds(runs)
  if (available < command.count) return rangeExhausted(state, command, available)

  const name = nameOf(set)
  const events: Event[] = [{ kind: 'ALLOC', set: name, runs }]
  if (command.spids !== null)
    events.push({ kind: 'BIND', set: name, runs: pair(runs, command.spids, state.revision + 1), device: '' })
  if (command.privateData !== null) events.push({ kind: 'DATA', set: name, runs, data: command.privateData })
  return { events, answer: { kind: 'allocated', runs } }
}

export function free(state: State, { setId, ioasids, generation }: Of<'free'>): Decision {
  const set = findSet(state, setId)
  if (isFailure(set)) return set
  const holders = holdersOf(state, set)
  let stale: Failure | undefined
  const references: number[] = []
  for (const id of ioasids) {
    const record = findOwnId(state, setId, id)
    if (isFailure(record)) return record
    // Whose the ids are is settled for all of them before the state of any is spoken of.
    if (generation !== null && record.generation !== generation) stale ??= staleGeneration(id, record.generation)
    references.push(countReferences(record, holders))
  }
  if (stale !== undefined) return stale
  const teardown = planTeardown(state)
  teardown.free(set, ioasids)
  const isAnyHeld = references.some((count) => count > 0)
  return { events: teardown.events(), answer: { kind: 'freed', references: isAnyHeld ? references : [] } }
}

export function freeAll(state: State, { setId }: Of<'free_all'>): Decision {
  const set = findSet(state, setId)
  if (isFailure(set)) return set
  const teardown = planTeardown(state)
  teardown.freeAll(set)
  const reclaimed = teardown.reclaimedOf(setId)
  return { events: teardown.events(), answer: { kind: 'freed_all', reclaimed, pending: set.ids.count - reclaimed } }
}

export function attachSpid(state: State, { setId, ioasid, spid, device }: Of<'attach_spid'>): Decision {
  const set = findSet(state, setId)
  if (isFailure(set)) return set
  const record = findOwnId(state, setId, ioasid)
  if (isFailure(record)) return record
  if (record.isPending) return isPendingFree(ioasid)
  const name = nameOf(set)

  if (record.spid === NO_SPID) {
    const taken = spidsTaken(state, setId, [spid])
    const refusal = taken ?? overHolds(state, newHolders(record, holdersOf(state, set)).length)
    if (refusal !== undefined) return refusal
    return { events: [{ kind: 'BIND', set: name, runs: [ioasid, 1, spid, record.generation], device }], answer: DONE }
  }
  if (record.spid !== spid) {
    const message = `IOASID ${ioasid} stands for SPID ${record.spid}, so not for ${spid}.`
    return fail('ALREADY_BOUND', message, { ioasid, spid: record.spid })
  }
  if (record.devices.includes(device)) {
    const message = `This device binds IOASID ${ioasid} already.`
    return fail('ALREADY_BOUND', message, { ioasid, spid, device })
  }
  const limit = state.config.maxDevicesPerId
  if (record.devices.length >= limit) {
    return fail('TOO_MANY', `${limit} devices bind IOASID ${ioasid} already.`, { what: 'devices', limit })
  }
  return { events: [{ kind: 'DEVICE_ATTACH', set: name, ioasid, device }], answer: DONE }
}

export function detachSpid(state: State, { setId, ioasid, device }: Of<'detach_spid'>): Decision {
  const set = findSet(state, setId)
  if (isFailure(set)) return set
  const record = findOwnId(state, setId, ioasid)
  if (isFailure(record)) return record
  if (record.isPending) return isPendingFree(ioasid)
  if (record.spid === NO_SPID) return fail('NOT_BOUND', `IOASID ${ioasid} has no SPID.`, { ioasid })
  if (!record.devices.includes(device)) {
    return fail('NOT_BOUND', `This device does not bind IOASID ${ioasid}.`, { ioasid, device })
  }
  const name = nameOf(set)
  const event: Event =
    record.devices.length > 1
      ? { kind: 'DEVICE_DETACH', set: name, ioasid, device }
      : {
          kind: 'UNBIND',
          set: name,
          runs: [ioasid, 1, record.spid, record.generation, record.bindRevision],
          pending: false,
        }
  return { events: [event], answer: DONE }
}

export function attachData(state: State, { setId, ioasid, privateData }: Of<'attach_data'>): Decision {
  const set = findSet(state, setId)
  if (isFailure(set)) return set
  const record = findOwnId(state, setId, ioasid)
  if (isFailure(record)) return record
  if (record.isPending) return isPendingFree(ioasid)
  if (record.data !== undefined) return fail('DATA_ATTACHED', `IOASID ${ioasid} has private data already.`, { ioasid })
  const refusal = overPrivateData(state, privateData.length)
  if (refusal !== undefined) return refusal
  return { events: [{ kind: 'DATA', set: nameOf(set), runs: [ioasid, 1], data: privateData }], answer: DONE }
}

export function detachData(state: State, { setId, ioasid }: Of<'detach_data'>): Decision {
  const set = findSet(state, setId)
  if (isFailure(set)) return set
  const record = findOwnId(state, setId, ioasid)
  if (isFailure(record)) return record
  if (record.data === undefined) return fail('NO_DATA', `IOASID ${ioasid} has no private data.`, { ioasid })
  return { events: [{ kind: 'DATA', set: nameOf(set), runs: [ioasid, 1], data: null }], answer: DONE }
}

function spidsTaken(state: State, setId: SetId, spids: readonly number[]): Failure | undefined {
  for (const spid of spids) {
    const ioasid = ioasidOf(state, setId, spid)
    if (ioasid === undefined) continue
    const message = `SPID ${spid} of set ${setId} stands for IOASID ${ioasid}.`
    return fail('SPID_IN_USE', message, { set_id: setId, spid, ioasid })
  }
  return undefined
}

function overQuota(state: State, { setId, quota, ids }: SetRecord, requested: number): Failure | undefined {
  if (quota === 0) {
    const limit = unreserved(state)
    return requested > limit ? capacityExceeded(limit, requested) : undefined
  }
  if (ids.count + requested <= quota) return undefined
  const message = `Set ${setId} has ${ids.count} of its ${quota} ids; ${requested} more are too many.`
  return fail('QUOTA_EXCEEDED', message, { set_id: setId, limit: quota, used: ids.count, requested })
}

function overPrivateData(state: State, bytes: number): Failure | undefined {
  const limit = state.config.maxPrivateData
  // Without data there is nothing to refuse, even where a restart has put the limit below what there is.
  if (bytes === 0 || state.privateDataBytes + bytes <= limit) return undefined
  return fail('TOO_MANY', `Private data of all ids is limited to ${limit} bytes.`, { what: 'private_data', limit })
}

function staleGeneration(ioasid: number, generation: number): Failure {
  return fail('STALE_GENERATION', `IOASID ${ioasid} lives in generation ${generation} now.`, { ioasid, generation })
}

/** Where only rest keeps ids away, says how many rest in the range and when enough of them will have rested. */
function rangeExhausted(state: State, { min, max, count }: Of<'allocate'>, available: number): Failure {
  const facts = { min, max, requested: count, available }
  const rest = restingIn(state, min, max, count - available)
  if (rest === undefined) {
    return fail('RANGE_EXHAUSTED', `${min} to ${max} has ${available} free ids, not ${count}.`, facts)
  }
  const message = `${min} to ${max} has ${available} free ids that have rested, not ${count}; ${rest.resting} still rest.`
  return fail('RANGE_EXHAUSTED', message, { ...facts, resting: rest.resting, retry_after_ms: rest.retryAfterMs })
}

/** The ids in the order in which they are handed out, each with the SPID at its place. */
function pair(runs: Runs, spids: readonly number[], generation: number): Runs {
  const bound: number[] = []
  for (const [index, id] of idsOf(runs).entries()) appendBound(bound, id, spids[index] ?? NO_SPID, generation)
  return fitted(bound)
}
