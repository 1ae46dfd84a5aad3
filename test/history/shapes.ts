import type { IoasidInfo, IoasidSet, LeaseInfo } from '../../client/index.ts'
import { allIds, type Model, type ModelId, type ModelOutcome, type ModelSet, sum, unreservedOf } from '../core/model.ts'
import { showId, showLease, showSet } from '../core/model-show.ts'
import type { Read } from './record.ts'

/**
 * Answers of the SDK and of the model in one shape, so that their texts can be compared: keys in the order of
 * model-show.ts, numbers for bigints, without what only a clock knows.
 */

export const textOf = (answer: object): string => JSON.stringify(answer)

const numberOr = (value: bigint | undefined): number | undefined => (value === undefined ? undefined : Number(value))

export function setShape(set: IoasidSet): object {
  const { setId, token, quota, allocated, freePending, bound, state, leaseId, createRevision } = set
  const counts = { quota, allocated, freePending, bound, state }
  return { setId: Number(setId), token, ...counts, leaseId: numberOr(leaseId), createRevision: Number(createRevision) }
}

export function idShape(info: IoasidInfo, isOwner: boolean): object {
  const { ioasid, setId, token, spid, state, references, generation, bindRevision, devices, privateData } = info
  const life = { generation: Number(generation), bindRevision: numberOr(bindRevision), devices }
  const seen = { ioasid, setId: Number(setId), token, spid, state, references, ...life }
  if (!isOwner) return seen
  const holders = info.holders.map(({ leaseId, name, count, sinceRevision, awaitingRevision }) => {
    const since = { sinceRevision: Number(sinceRevision), awaiting: numberOr(awaitingRevision) }
    return { leaseId: Number(leaseId), name, count, ...since }
  })
  return { ...seen, data: privateData && String.fromCharCode(...privateData), holders }
}

export function leaseShape(lease: LeaseInfo): object {
  const { leaseId, name, ttlMs, onExpiry, references, sets, state, hold } = lease
  const registration = hold && {
    priority: hold.priority,
    registerRevision: Number(hold.registerRevision),
    acknowledged: Number(hold.acknowledgedRevision),
  }
  return { leaseId: Number(leaseId), name, ttlMs, onExpiry, references, sets, state, hold: registration }
}

/** What showId and showLease give, without times and names of sets. */
function modelId(model: Model, set: ModelSet, id: ModelId, isOwner: boolean): object {
  const { privateData, holders, ...seen } = showId(model, set, id) as Shown
  if (!isOwner) return seen
  return { ...seen, data: privateData, holders: holders.map(({ sinceWallMs: _, ...rest }) => rest) }
}

interface Shown {
  readonly privateData: string | undefined
  readonly holders: readonly { readonly sinceWallMs: number }[]
}

/** Without whose it is: the history's daemon knows its clients by their socket, and the model knows nobody. */
function modelSet(shown: object): object {
  const { owner: _, ...seen } = shown as Record<string, unknown>
  return seen
}

function modelLease(shown: object): object {
  const { leaseId, name, ttlMs, onExpiry, references, sets, state, hold } = shown as Record<string, unknown>
  const { names: _, ...registration } = (hold ?? {}) as Record<string, unknown>
  const seen = hold === undefined ? undefined : inOrder(registration)
  return { leaseId, name, ttlMs, onExpiry, references, sets, state, hold: seen }
}

const inOrder = ({ priority, registerRevision, acknowledged }: Record<string, unknown>) => ({
  priority,
  registerRevision,
  acknowledged,
})

/** The model's answer to a change, as the SDK's are written down. */
export function answerShape(answer: object): object {
  const { kind, set, lease, view, ...rest } = answer as Record<string, unknown>
  if (set !== undefined) return { kind, ...modelSet(set as object) }
  if (lease !== undefined) return { kind, ...modelLease(lease as object) }
  if (view === undefined) return { kind, ...rest }
  const { privateData: _, holders: __, ...seen } = view as Record<string, unknown>
  return { kind, ...seen }
}

type ReadOutcome = Extract<ModelOutcome, { refused: string }> | { readonly answer: object }

const refused = (reason: string, facts: Record<string, number> = {}): ReadOutcome => ({
  refused: reason,
  facts: Object.fromEntries(Object.entries(facts).map(([key, value]) => [key, String(value)])),
})

/** What the model answers to a read. */
export function readModel(model: Model, read: Read): ReadOutcome {
  if (read.kind === 'status') return { answer: statusOf(model) }
  if (read.kind === 'lease') {
    const lease = model.leases.find(({ leaseId }) => leaseId === read.leaseId)
    return lease === undefined ? refused('LEASE_NOT_FOUND') : { answer: modelLease(showLease(model, lease)) }
  }
  if (read.kind === 'id') return readId(model, read.ioasid, read.setId)
  const { ref } = read
  const set = model.sets.find(({ setId, token }) =>
    'setId' in ref ? setId === ref.setId : token === ref.token && token !== '',
  )
  if (set === undefined) return refused('SET_NOT_FOUND')
  const isOwner = 'setId' in ref
  if (!('spid' in read) && read.kind === 'set') return { answer: modelSet(showSet(set)) }
  if (!('spid' in read)) {
    const ascending = [...set.ids].sort((a, b) => a.ioasid - b.ioasid)
    return { answer: { ids: ascending.map((id) => modelId(model, set, id, isOwner)) } }
  }
  const { spid } = read
  const id = set.ids.find((each) => each.spid === spid)
  if (id === undefined) return refused('SPID_NOT_FOUND', { set_id: set.setId, spid })
  return { answer: modelId(model, set, id, isOwner) }
}

function readId(model: Model, ioasid: number, presented: number | undefined): ReadOutcome {
  if (presented !== undefined && !model.sets.some(({ setId }) => setId === presented)) return refused('SET_NOT_FOUND')
  const found = allIds(model).find(({ id }) => id.ioasid === ioasid)
  if (found === undefined) return refused('IOASID_NOT_FOUND', { ioasid })
  const isOwner = presented !== undefined
  if (isOwner && found.set.setId !== presented) return refused('WRONG_SET', { ioasid })
  return { answer: modelId(model, found.set, found.id, isOwner) }
}

function statusOf(model: Model): object {
  const ids = allIds(model)
  return {
    reserved: sum(model.sets.map(({ quota }) => quota)),
    available: unreservedOf(model),
    sets: model.sets.length,
    allocated: ids.length,
    freePending: ids.filter(({ id }) => id.isPending).length,
    leases: model.leases.length,
  }
}
