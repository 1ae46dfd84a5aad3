import { asRevision, type Revision, type SetId } from './ids.ts'

/**
 * Sets that are gone but whose SET_FREE the log still holds: their handles may still name a history (`after_revision`).
 * As many as there are revisions in the log at most, so a copy for a snapshot must not be a copy of them all: the order is
 * an array that only grows, which a frozen view shares up to its own end.
 */
export interface EndedSets {
  readonly revisions: Map<SetId, Revision>
  /** By revision, ascending. Entries before `first` were compacted. */
  order: SetId[]
  first: number
}

export interface FrozenEndedSets {
  readonly revisions: ReadonlyMap<SetId, Revision>
  readonly order: readonly SetId[]
  readonly from: number
  readonly to: number
}

export function createEndedSets(): EndedSets {
  return { revisions: new Map(), order: [], first: 0 }
}

export function addEndedSet(ended: EndedSets, setId: SetId, revision: Revision): void {
  ended.revisions.set(setId, revision)
  ended.order.push(setId)
}

/** Forgets the sets whose SET_FREE is at or below a compacted revision. */
export function forgetEndedSets(ended: EndedSets, compactRevision: Revision): void {
  for (let setId = ended.order[ended.first]; setId !== undefined; setId = ended.order[ended.first]) {
    if ((ended.revisions.get(setId) ?? asRevision(0)) > compactRevision) break
    ended.revisions.delete(setId)
    ended.first += 1
  }
  // A new array, not a splice: frozen views keep the old one.
  if (ended.first > ended.order.length / 2) {
    ended.order = ended.order.slice(ended.first)
    ended.first = 0
  }
}

export function freezeEndedSets(ended: EndedSets): FrozenEndedSets {
  return { revisions: ended.revisions, order: ended.order, from: ended.first, to: ended.order.length }
}

/** What of a frozen view is still kept. */
export function* endedSetsIn(frozen: FrozenEndedSets): Generator<readonly [SetId, Revision]> {
  for (let index = frozen.from; index < frozen.to; index++) {
    const setId = frozen.order[index]
    const revision = setId === undefined ? undefined : frozen.revisions.get(setId)
    if (setId !== undefined && revision !== undefined) yield [setId, revision]
  }
}
