import type { Command, SetRef } from '../../server/core/command.ts'
import type { LeaseTerms, Names, Priority } from '../../server/core/event.ts'
import type { SpaceConfig } from '../../server/core/state.ts'
import { WALL_START_MS } from '../support/space.ts'

/**
 * The contract's sections 1 to 4 as plain lists and linear searches, written from its text and not from the core's code:
 * stupid on purpose, so that it can be seen to be right. It knows no runs, pages, trees, indices or counters.
 */
export interface ModelId {
  readonly ioasid: number
  readonly generation: number
  spid: number | undefined
  bindRevision: number | undefined
  devices: string[]
  data: string | undefined
  /** By lease ascending. */
  references: ModelReference[]
  /** Who has a reference by a hold, by lease ascending. */
  holds: ModelHold[]
  /** Freed: gone as soon as nobody has a reference. Its SPID and bindRevision stay until then. */
  isPending: boolean
}

export interface ModelReference {
  readonly leaseId: number
  readonly sinceRevision: number
  readonly sinceWallMs: number
  count: number
}

export interface ModelHold {
  readonly leaseId: number
  readonly sinceRevision: number
  readonly sinceWallMs: number
  /** The latest UNBIND or FREE since then. */
  lastTeardown: number | undefined
}

export interface ModelSet {
  readonly setId: number
  readonly token: string
  readonly createRevision: number
  readonly leaseId: number | undefined
  quota: number
  /** Deleted: gone with its last id. */
  isDraining: boolean
  /** In the order of their allocation, those of one revision ascending. */
  ids: ModelId[]
}

export interface ModelLease {
  readonly leaseId: number
  readonly terms: LeaseTerms
  isHeld: boolean
  registration: ModelRegistration | undefined
  /** It has cleaned up after every teardown up to here. */
  acknowledged: number
}

export interface ModelRegistration {
  readonly names: Names
  readonly priority: Priority
  readonly revision: number
}

export interface Model {
  config: SpaceConfig
  revision: number
  nowMs: number
  lastSetId: number
  lastLeaseId: number
  sets: ModelSet[]
  leases: ModelLease[]
  /** Ids that were reclaimed and not allocated since. */
  reclaimed: { ioasid: number; revision: number; atMs: number }[]
}

/** What happened to what: `['UNBIND', 7, 101, 2, 3, false]` is the end of SPID 101 of id 7, which was allocated at
 * revision 2 and bound at 3, and is not pending. */
export type Happening = readonly (string | number | boolean)[]

export type ModelOutcome =
  | { readonly refused: string; readonly facts: Record<string, string> }
  | { readonly answer: object; readonly happened: readonly Happening[] }

export type Refusal = Extract<ModelOutcome, { refused: string }>
export type Of<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>

export function createModel(config: SpaceConfig): Model {
  return { config, revision: 0, nowMs: 0, lastSetId: 0, lastLeaseId: 0, sets: [], leases: [], reclaimed: [] }
}

export function usableIds({ capacity, reserved }: SpaceConfig): number[] {
  const ids: number[] = []
  for (let id = 1; id < capacity; id++) if (!reserved.some(([first, last]) => first <= id && id <= last)) ids.push(id)
  return ids
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

/** What no quota has reserved and no set without a quota has taken. */
export function unreservedOf(model: Model, sets: readonly ModelSet[] = model.sets): number {
  return usableIds(model.config).length - sum(sets.map((set) => (set.quota > 0 ? set.quota : set.ids.length)))
}

export function allIds(model: Model): { readonly set: ModelSet; readonly id: ModelId }[] {
  return model.sets.flatMap((set) => set.ids.map((id) => ({ set, id })))
}

export function restingUntil(model: Model, ioasid: number): number | undefined {
  const reclaimed = model.reclaimed.find((each) => each.ioasid === ioasid)
  const { reuseDelayMs } = model.config
  // The millisecond in which it was reclaimed does not count.
  const until = reclaimed === undefined || reuseDelayMs === 0 ? 0 : reclaimed.atMs + reuseDelayMs + 1
  return until > model.nowMs ? until : undefined
}

/** Why a configuration cannot hold what there is. */
export function contradicts(model: Model, config: SpaceConfig): boolean {
  const usable = usableIds(config)
  const claimed = usable.length - unreservedOf({ ...model, config })
  return claimed > usable.length || allIds(model).some(({ id }) => !usable.includes(id.ioasid))
}

export function referencesOf(id: ModelId): number {
  return sum(id.references.map(({ count }) => count)) + id.holds.length
}

export function isBound(id: ModelId): boolean {
  return id.spid !== undefined && !id.isPending
}

/** So many (id, lease) pairs more: what is acquired and what is held are counted each. */
export function overReferences(model: Model, more: number): Refusal | undefined {
  const pairs = sum(allIds(model).map(({ id }) => id.references.length + id.holds.length))
  const limit = model.config.maxReferences
  return more > 0 && pairs + more > limit ? refuse('TOO_MANY', { what: 'references', limit }) : undefined
}

export function find(model: Model, ref: SetRef): ModelSet | undefined {
  if ('setId' in ref) return model.sets.find((set) => set.setId === ref.setId)
  return model.sets.find((set) => set.token === ref.token && ref.token !== '')
}

export function findAlive(model: Model, leaseId: number): ModelLease | undefined {
  return model.leases.find((lease) => lease.leaseId === leaseId && !lease.isHeld)
}

/** Asks for the end of ids: the SPID is detached first. What that comes to, `settle` says. */
export function endIds(ids: readonly ModelId[]): Happening[] {
  const happened: Happening[] = []
  for (const id of ids) {
    if (id.isPending) continue
    const waits = referencesOf(id) > 0
    if (id.spid !== undefined) {
      happened.push(['UNBIND', id.ioasid, id.spid, id.generation, id.bindRevision ?? 0, waits])
    }
    happened.push(['FREE', id.ioasid, id.generation, waits])
    id.devices = []
    id.isPending = true
  }
  return happened
}

export function endSets(model: Model, sets: readonly ModelSet[]): Happening[] {
  const happened: Happening[] = []
  const ending = sets.filter((set) => !set.isDraining)
  for (const set of ending) {
    happened.push(...endIds(set.ids))
    set.isDraining = true
  }
  happened.push(...settle(model))
  const draining = ending.filter((set) => model.sets.includes(set))
  return [...happened, ...draining.map((set) => ['SET_DRAIN', set.setId, set.token])]
}

/** Whatever was asked to end and has nobody left to wait for ends. */
export function settle(model: Model): Happening[] {
  const happened: Happening[] = []
  const isOver = (id: ModelId) => id.isPending && referencesOf(id) === 0
  for (const set of model.sets) {
    for (const { ioasid, generation } of set.ids.filter(isOver)) {
      happened.push(['RECLAIM', ioasid, generation])
      model.reclaimed.push({ ioasid, revision: model.revision + 1, atMs: model.nowMs })
    }
    set.ids = set.ids.filter((id) => !isOver(id))
  }
  const isGone = (set: ModelSet) => set.isDraining && set.ids.length === 0
  for (const set of model.sets.filter(isGone)) happened.push(['SET_FREE', set.setId, set.token])
  model.sets = model.sets.filter((set) => !isGone(set))
  return happened
}

export function wallMsOf(model: Model): number {
  return WALL_START_MS + model.nowMs
}

export function ownId(model: Model, set: ModelSet, ioasid: number): ModelId | Refusal {
  const found = allIds(model).find(({ id }) => id.ioasid === ioasid)
  if (found === undefined) return refuse('IOASID_NOT_FOUND', { ioasid })
  return found.set === set ? found.id : refuse('WRONG_SET', { ioasid })
}

export function refuse(refused: string, facts: Record<string, string | number> = {}): Refusal {
  return { refused, facts: Object.fromEntries(Object.entries(facts).map(([key, value]) => [key, String(value)])) }
}

/** Bytes as a text of as many characters. */
export function show(data: Uint8Array | null | undefined): string | undefined {
  return data === null || data === undefined ? undefined : String.fromCharCode(...data)
}
