import {
  allIds,
  endIds,
  type Happening,
  type Model,
  type ModelId,
  type ModelOutcome,
  type ModelSet,
  type Of,
  overReferences,
  ownId,
  referencesOf,
  refuse,
  restingUntil,
  settle,
  show,
  sum,
  unreservedOf,
  usableIds,
} from './model.ts'
import { matchingLeases, newHoldersOf } from './model-holds.ts'

/** The model's commands on ids of one set. */

export function allocate(
  model: Model,
  set: ModelSet,
  { count, min, max, spids, privateData }: Of<'allocate'>,
): ModelOutcome {
  if (set.isDraining) return refuse('SET_DRAINING', { set_id: set.setId })
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
  const newPairs = spids === null ? 0 : count * matchingLeases(model, set).length
  const tooMuch = overData(model, privateData, count) ?? overReferences(model, newPairs)
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
    const rest = { data: show(privateData), references: [], holds: [], isPending: false }
    return { ioasid, generation: revision, spid, bindRevision, devices, ...rest }
  })
  set.ids.push(...made.sort((a, b) => a.ioasid - b.ioasid))
  model.reclaimed = model.reclaimed.filter(({ ioasid }) => !chosen.includes(ioasid))
  return { answer: { kind: 'allocated', ids: chosen }, happened }
}

export function free(model: Model, set: ModelSet, { ioasids, generation }: Of<'free'>): ModelOutcome {
  const found: ModelId[] = []
  for (const ioasid of ioasids) {
    const owned = ownId(model, set, ioasid)
    if ('refused' in owned) return owned
    found.push(owned)
  }
  const stale = found.find((id) => generation !== null && id.generation !== generation)
  if (stale !== undefined) return refuse('STALE_GENERATION', { ioasid: stale.ioasid, generation: stale.generation })
  const references = found.some((id) => referencesOf(id) > 0) ? found.map(referencesOf) : []
  return { answer: { kind: 'freed', references }, happened: [...endIds(found), ...settle(model)] }
}

type OfOneId = Of<'attach_spid'> | Of<'detach_spid'> | Of<'attach_data'> | Of<'detach_data'>

export function changeId(model: Model, set: ModelSet, command: OfOneId): ModelOutcome {
  const id = ownId(model, set, command.ioasid)
  if ('refused' in id) return id
  const { ioasid } = id
  if (id.isPending && command.kind !== 'detach_data') return refuse('FREE_PENDING', { ioasid })
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
      const happened = ['UNBIND', ioasid, id.spid, id.generation, id.bindRevision ?? 0, false]
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
  const tooMuch = overReferences(model, newHoldersOf(model, set, id).length)
  if (tooMuch !== undefined) return tooMuch
  id.spid = spid
  id.bindRevision = model.revision + 1
  id.devices = [device]
  return { answer: { kind: 'done' }, happened: [['BIND', ioasid, spid, id.generation, device]] }
}

function overData(model: Model, data: Uint8Array | null, count: number) {
  const used = sum(allIds(model).map(({ id }) => (id.data ?? '').length))
  const limit = model.config.maxPrivateData
  const over = data !== null && used + data.length * count > limit
  return over ? refuse('TOO_MANY', { what: 'private_data', limit }) : undefined
}
