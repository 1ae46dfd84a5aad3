import { NO_SPID } from '../../../server/core/ids.ts'
import type { SnapshotItem } from '../../../server/core/snapshot.ts'
import type { SubscribeRequest } from '../../../server/engine/subscribe.ts'
import { isBound, type Model, type ModelOutcome, type ModelSet, refuse } from '../../core/model.ts'
import { ask } from '../../core/model-sets.ts'
import { SPACE_ID } from '../daemon.ts'

/** What the contract says of a Subscribe: section 4, by the model. Changes the model if it registers. */

export interface History {
  readonly compactRevision: number
  /** The revision of a set's SET_FREE. */
  readonly endOfSet: (setId: number) => number | undefined
}

export type ExpectedStream =
  | Extract<ModelOutcome, { refused: string }>
  | { readonly revision: number; readonly snapshot: object | undefined; readonly registers: boolean }

export function expectStream(model: Model, request: SubscribeRequest, history: History): ExpectedStream {
  const { start, hold, spaceId } = request
  const before = copyOf(model)
  const registered =
    hold === undefined ? undefined : ask(before, { kind: 'register', ...hold, names: namesOf(request) })
  // Who comes back names what it named, though some of its sets may have ended meanwhile.
  const resumes = registered !== undefined && 'happened' in registered && registered.happened.length === 0
  if (!resumes && unknownSet(model, request, history)) return refuse('SET_NOT_FOUND')
  if (registered !== undefined && 'refused' in registered) return registered
  if (spaceId !== '' && spaceId !== SPACE_ID) return refuse('HISTORY_CHANGED', { space_id: SPACE_ID })
  if (start.kind === 'after' && start.revision > model.revision) {
    return refuse('FUTURE_REVISION', { revision: model.revision, requested: start.revision })
  }
  if (start.kind === 'after' && start.revision < history.compactRevision) {
    return refuse('COMPACTED', { compact_revision: history.compactRevision })
  }
  const registers = registered !== undefined && registered.happened.length > 0
  const revision = start.kind === 'after' ? start.revision : before.revision
  const snapshot = start.kind === 'snapshot' ? expectSnapshot(before, request) : undefined
  return { revision, snapshot, registers }
}

function unknownSet(model: Model, { sets, start }: SubscribeRequest, { compactRevision, endOfSet }: History): boolean {
  if (sets === 'all') return false
  return [...sets.setIds].some((setId) => {
    if (model.sets.some((set) => set.setId === setId)) return false
    // What a handle of an ended set names is what the log still has of it.
    const end = endOfSet(setId)
    const isKept = end !== undefined && end > compactRevision && end <= model.revision
    return !(start.kind === 'after' && isKept)
  })
}

function namesOf({ sets }: SubscribeRequest) {
  if (sets === 'all') return sets
  return { tokens: [...sets.tokens].sort(), setIds: [...sets.setIds].sort((a, b) => a - b) }
}

function expectSnapshot(model: Model, { sets }: SubscribeRequest): object {
  const isNamed = ({ setId, token }: ModelSet) => {
    if (sets === 'all') return true
    return (token !== '' && sets.tokens.has(token)) || [...sets.setIds].some((named) => named === setId)
  }
  const named = model.sets.filter(isNamed).sort((a, b) => a.setId - b.setId)
  const ids = named.flatMap(({ setId, ids }) => ids.map((id) => ({ setId, id })))
  return {
    sets: named.map(({ setId, token, quota }) => ({ setId, token, quota })),
    ids: ids
      .map(({ setId, id }) => {
        const { ioasid, generation, isPending } = id
        const bound = isBound(id) ? [id.spid, id.bindRevision] : undefined
        return { ioasid, setId, generation, bound, isPending }
      })
      .sort((a, b) => a.ioasid - b.ioasid),
  }
}

/** The same of what the engine hands out. */
export function showSnapshot(items: readonly SnapshotItem[]): object {
  const sets = items.flatMap((item) => (item.kind === 'set' ? [item.set] : []))
  const ids = items.flatMap((item) => (item.kind === 'ioasid' ? [item] : []))
  return {
    sets: sets.map(({ setId, token, quota }) => ({ setId, token, quota })).sort((a, b) => a.setId - b.setId),
    ids: ids
      .map(({ set: { setId }, ioasid, record }) => {
        const { generation, isPending, spid, bindRevision } = record
        const bound = spid === NO_SPID || isPending ? undefined : [spid, bindRevision]
        return { ioasid, setId, generation, bound, isPending }
      })
      .sort((a, b) => a.ioasid - b.ioasid),
  }
}

/** For a question that must not change the model. */
export function copyOf(model: Model): Model {
  return {
    ...model,
    sets: model.sets.map((set) => ({
      ...set,
      ids: set.ids.map((id) => ({
        ...id,
        devices: [...id.devices],
        references: id.references.map((reference) => ({ ...reference })),
        holds: id.holds.map((hold) => ({ ...hold })),
      })),
    })),
    leases: model.leases.map((lease) => ({ ...lease })),
    reclaimed: [...model.reclaimed],
  }
}
