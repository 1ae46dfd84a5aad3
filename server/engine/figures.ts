import { type Failure, isFailure } from '../core/failure.ts'
import { asRevision, type Revision } from '../core/ids.ts'
import { type Counts, counts, type Status, status } from '../core/query.ts'
import { type Store, StoreError } from '../store/store.ts'
import type { Sequencer } from './sequencer.ts'

/** What an operator's tools are told of the space. As durable as any answer. */
export interface Figures extends Status, Counts {
  readonly compactRevision: Revision
  /** For how long the teardown has been awaited that is awaited longest, ms of serving time; 0: none is. */
  readonly oldestTeardownMs: number
}

export interface FiguresOptions {
  readonly store: Store
  readonly sequencer: Sequencer
  readonly compactRevision: () => Revision
}

/**
 * A hold remembers the revision that it awaits, not its time: that stands in the log. Of all teardowns only the oldest is
 * looked up, and once, since the same one stays the oldest until somebody acknowledges it.
 */
export function createFigures({ store, sequencer, compactRevision }: FiguresOptions): () => Promise<Figures | Failure> {
  let known: { readonly revision: Revision; readonly servingMs: number } | undefined

  const committedMs = async (revision: Revision): Promise<number> => {
    if (known?.revision === revision) return known.servingMs
    const servingMs = await timeOf(store, revision, compactRevision)
    known = { revision, servingMs }
    return servingMs
  }

  return async () => {
    const seen = await sequencer.read((state) => ({ ...status(state), ...counts(state), servingMs: state.servingMs }))
    if (isFailure(seen)) return seen
    const { servingMs, ...figures } = seen
    const { oldestTeardown } = figures
    const oldestTeardownMs = oldestTeardown === undefined ? 0 : servingMs - (await committedMs(oldestTeardown))
    return { ...figures, compactRevision: compactRevision(), oldestTeardownMs: Math.max(0, oldestTeardownMs) }
  }
}

/** The serving time of a revision's commit; where that was compacted, of the oldest that is kept, which is no earlier. */
async function timeOf(store: Store, revision: Revision, compactRevision: () => Revision): Promise<number> {
  try {
    const [entry] = await store.tail(asRevision(revision - 1), 1)
    if (entry === undefined) throw new Error(`revision ${revision} is awaited and not in the log`)
    return entry.servingMs
  } catch (cause) {
    if (!(cause instanceof StoreError) || cause.problem !== 'COMPACTED') throw cause
    const [oldest] = await store.tail(compactRevision(), 1)
    return oldest?.servingMs ?? 0
  }
}
