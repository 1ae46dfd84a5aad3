import type { Command } from '../../server/core/command.ts'
import type { SpaceConfig } from '../../server/core/state.ts'

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
}

export interface ModelSet {
  readonly setId: number
  readonly token: string
  readonly createRevision: number
  quota: number
  /** In the order of their allocation, those of one revision ascending. */
  ids: ModelId[]
}

export interface Model {
  config: SpaceConfig
  revision: number
  nowMs: number
  lastSetId: number
  sets: ModelSet[]
  /** Ids that were reclaimed and not allocated since. */
  reclaimed: { ioasid: number; revision: number; atMs: number }[]
}

/** What happened to what: `['UNBIND', 7, 101, 2, 3]` is the end of SPID 101 of id 7, which was allocated at
 * revision 2 and bound at 3. */
export type Happening = readonly (string | number)[]

export type ModelOutcome =
  | { readonly refused: string; readonly facts: Record<string, string> }
  | { readonly answer: object; readonly happened: readonly Happening[] }

type Of<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>

export function createModel(config: SpaceConfig): Model {
  return { config, revision: 0, nowMs: 0, lastSetId: 0, sets: [], reclaimed: [] }
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
  const until = reclaimed === undefined ? 0 : reclaimed.atMs + model.config.reuseDelayMs
  return until > model.nowMs ? until : undefined
}

/** Why a configuration cannot hold what there is. */
export function contradicts(model: Model, config: SpaceConfig): boolean {
  const usable = usableIds(config)
  const claimed = usable.length - unreservedOf({ ...model, config })
  return claimed > usable.length || allIds(model).some(({ id }) => !usable.includes(id.ioasid))
}

/** Answers a command, and changes the model if it succeeds. */
export function ask(model: Model, command: Command): ModelOutcome {
  const outcome = carryOut(model, command)
  if ('happened' in outcome && outcome.happened.length > 0) model.revision += 1
  return outcome
}

function carryOut(model: Model, command: Command): ModelOutcome {
  if (command.kind === 'create_set') return createSet(model, command)
  const set = model.sets.find((each) => each.setId === command.setId)
  if (set === undefined) return refuse('SET_NOT_FOUND')
  switch (command.kind) {
    case 'adjust_quota':
      return adjustQuota(model, set, command.quota)
    case 'delete_set':
      return deleteSet(model, set, command.force)
    case 'allocate':
      return allocate(model, set, command)
    case 'free':
      return free(model, set, command)
    case 'free_all': {
      const reclaimed = set.ids.length
      return { answer: { kind: 'freed_all', reclaimed }, happened: end(model, set, [...set.ids]) }
    }
    default:
      return changeId(model, set, command)
  }
}

function createSet(model: Model, { token, quota, leased }: Of<'create_set'>): ModelOutcome {
  if (leased) return refuse('LEASE_NOT_FOUND')
  const other = model.sets.find((each) => each.token === token && token !== '')
  if (other !== undefined) return refuse('TOKEN_IN_USE', { token, set_id: other.setId })
  const { maxSets } = model.config
  if (model.sets.length >= maxSets) return refuse('TOO_MANY', { what: 'sets', limit: maxSets })
  const limit = unreservedOf(model)
  if (quota > limit) return refuse('CAPACITY_EXCEEDED', { limit, requested: quota })
  const setId = model.lastSetId + 1
  const set: ModelSet = { setId, token, quota, createRevision: model.revision + 1, ids: [] }
  model.lastSetId = setId
  model.sets.push(set)
  return { answer: { kind: 'set', set: showSet(set) }, happened: [['SET_ALLOC', setId, token, quota]] }
}

function adjustQuota(model: Model, set: ModelSet, quota: number): ModelOutcome {
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
  const allocated = set.ids.length
  if (allocated > 0 && !force) return refuse('SET_NOT_EMPTY', { set_id: set.setId, allocated })
  const happened = end(model, set, [...set.ids])
  model.sets = model.sets.filter((each) => each !== set)
  return {
    answer: { kind: 'set', set: { ...showSet(set), state: 'GONE' } },
    happened: [...happened, ['SET_FREE', set.setId, set.token]],
  }
}

function allocate(model: Model, set: ModelSet, { count, min, max, spids, privateData }: Of<'allocate'>): ModelOutcome {
  for (const spid of spids ?? []) {
    const holder = set.ids.find((id) => id.spid === spid)
    if (holder !== undefined) return refuse('SPID_IN_USE', { set_id: set.setId, spid, ioasid: holder.ioasid })
  }
  const used = set.ids.length
  if (set.quota > 0 && used + count > set.quota) {
    return refuse('QUOTA_EXCEEDED', { set_id: set.setId, limit: set.quota, used, requested: count })
  }
  const limit = unreservedOf(model)
  if (set.quota === 0 && count > limit) return refuse('CAPACITY_EXCEEDED', { limit, requested: count })
  const tooMuch = overData(model, privateData, count)
  if (tooMuch !== undefined) return tooMuch
  const taken = new Set(allIds(model).map(({ id }) => id.ioasid))
  const free = usableIds(model.config).filter((id) => id >= min && id <= max && !taken.has(id))
  const waits = free.flatMap((id) => restingUntil(model, id) ?? []).sort((a, b) => a - b)
  const available = free.length - waits.length
  if (available < count) {
    const facts = { min, max, requested: count, available }
    const enough = waits[count - available - 1]
    if (enough === undefined) return refuse('RANGE_EXHAUSTED', facts)
    return refuse('RANGE_EXHAUSTED', { ...facts, resting: waits.length, retry_after_ms: enough - model.nowMs })
  }

  const pastOf = new Map(model.reclaimed.map(({ ioasid, revision }) => [ioasid, revision]))
  const rank = (id: number) => (model.config.policy === 'lowest' ? 0 : (pastOf.get(id) ?? 0))
  const chosen = free
    .filter((id) => restingUntil(model, id) === undefined)
    .sort((a, b) => rank(a) - rank(b) || a - b)
    .slice(0, count)
  const revision = model.revision + 1
  const happened: Happening[] = []
  const made = chosen.map((ioasid, index) => {
    const spid = spids?.[index]
    happened.push(['ALLOC', ioasid, set.setId])
    if (spid !== undefined) happened.push(['BIND', ioasid, spid, revision, ''])
    if (privateData !== null) happened.push(['DATA', ioasid])
    const bindRevision = spid === undefined ? undefined : revision
    const devices = spid === undefined ? [] : ['']
    return { ioasid, generation: revision, spid, bindRevision, devices, data: show(privateData) }
  })
  set.ids.push(...made.sort((a, b) => a.ioasid - b.ioasid))
  model.reclaimed = model.reclaimed.filter(({ ioasid }) => !chosen.includes(ioasid))
  return { answer: { kind: 'allocated', ids: chosen }, happened }
}

function free(model: Model, set: ModelSet, { ioasids, generation }: Of<'free'>): ModelOutcome {
  const found: ModelId[] = []
  for (const ioasid of ioasids) {
    const owned = ownId(model, set, ioasid)
    if ('refused' in owned) return owned
    found.push(owned)
  }
  const stale = found.find((id) => generation !== null && id.generation !== generation)
  if (stale !== undefined) return refuse('STALE_GENERATION', { ioasid: stale.ioasid, generation: stale.generation })
  return { answer: { kind: 'freed', ids: [...ioasids] }, happened: end(model, set, found) }
}

type OfOneId = Of<'attach_spid'> | Of<'detach_spid'> | Of<'attach_data'> | Of<'detach_data'>

function changeId(model: Model, set: ModelSet, command: OfOneId): ModelOutcome {
  const id = ownId(model, set, command.ioasid)
  if ('refused' in id) return id
  const { ioasid } = id
  const done = (...happening: Happening): ModelOutcome => ({ answer: { kind: 'done' }, happened: [happening] })
  switch (command.kind) {
    case 'attach_spid':
      return attachSpid(model, set, id, command)
    case 'detach_spid': {
      const { device } = command
      if (id.spid === undefined) return refuse('NOT_BOUND', { ioasid })
      if (!id.devices.includes(device)) return refuse('NOT_BOUND', { ioasid, device })
      id.devices = id.devices.filter((each) => each !== device)
      if (id.devices.length > 0) return done('DEVICE_DETACH', ioasid, device)
      const happened = ['UNBIND', ioasid, id.spid, id.generation, id.bindRevision ?? 0]
      id.spid = undefined
      id.bindRevision = undefined
      return done(...happened)
    }
    case 'attach_data': {
      if (id.data !== undefined) return refuse('DATA_ATTACHED', { ioasid })
      const tooMuch = overData(model, command.privateData, 1)
      if (tooMuch !== undefined) return tooMuch
      id.data = show(command.privateData)
      return done('DATA', ioasid)
    }
    case 'detach_data':
      if (id.data === undefined) return refuse('NO_DATA', { ioasid })
      id.data = undefined
      return done('DATA', ioasid)
  }
}

function attachSpid(model: Model, set: ModelSet, id: ModelId, { spid, device }: Of<'attach_spid'>): ModelOutcome {
  const { ioasid } = id
  if (id.spid !== undefined) {
    const limit = model.config.maxDevicesPerId
    if (id.spid !== spid) return refuse('ALREADY_BOUND', { ioasid, spid: id.spid })
    if (id.devices.includes(device)) return refuse('ALREADY_BOUND', { ioasid, spid, device })
    if (id.devices.length >= limit) return refuse('TOO_MANY', { what: 'devices', limit })
    id.devices.push(device)
    return { answer: { kind: 'done' }, happened: [['DEVICE_ATTACH', ioasid, device]] }
  }
  const holder = set.ids.find((each) => each.spid === spid)
  if (holder !== undefined) return refuse('SPID_IN_USE', { set_id: set.setId, spid, ioasid: holder.ioasid })
  id.spid = spid
  id.bindRevision = model.revision + 1
  id.devices = [device]
  return { answer: { kind: 'done' }, happened: [['BIND', ioasid, spid, id.generation, device]] }
}

/** Detached first, then freed, then reclaimed. */
function end(model: Model, set: ModelSet, ids: readonly ModelId[]): Happening[] {
  const happened: Happening[] = []
  for (const id of ids) {
    if (id.spid !== undefined) {
      happened.push(['UNBIND', id.ioasid, id.spid, id.generation, id.bindRevision ?? 0])
    }
    happened.push(['FREE', id.ioasid, id.generation], ['RECLAIM', id.ioasid, id.generation])
    model.reclaimed.push({ ioasid: id.ioasid, revision: model.revision + 1, atMs: model.nowMs })
  }
  set.ids = set.ids.filter((id) => !ids.includes(id))
  return happened
}

function ownId(model: Model, set: ModelSet, ioasid: number): ModelId | Extract<ModelOutcome, { refused: string }> {
  const found = allIds(model).find(({ id }) => id.ioasid === ioasid)
  if (found === undefined) return refuse('IOASID_NOT_FOUND', { ioasid })
  return found.set === set ? found.id : refuse('WRONG_SET', { ioasid })
}

function overData(model: Model, data: Uint8Array | null, count: number) {
  const used = sum(allIds(model).map(({ id }) => (id.data ?? '').length))
  const limit = model.config.maxPrivateData
  const over = data !== null && used + data.length * count > limit
  return over ? refuse('TOO_MANY', { what: 'private_data', limit }) : undefined
}

function refuse(refused: string, facts: Record<string, string | number> = {}) {
  return { refused, facts: Object.fromEntries(Object.entries(facts).map(([key, value]) => [key, String(value)])) }
}

export function showSet({ setId, token, quota, createRevision, ids }: ModelSet): object {
  const bound = ids.filter((id) => id.spid !== undefined).length
  return { setId, token, quota, allocated: ids.length, bound, state: 'ACTIVE', createRevision }
}

/** Bytes as a text of as many characters. */
export function show(data: Uint8Array | null | undefined): string | undefined {
  return data === null || data === undefined ? undefined : String.fromCharCode(...data)
}
