import type { Owned } from '../core/access.ts'
import { type Failure, isFailure } from '../core/failure.ts'
import type { SetId } from '../core/ids.ts'
import type { State } from '../core/state.ts'
import { createHistoryReader, type HistoryReaderOptions } from './history-reader.ts'
import { createTurnstile } from './turnstile.ts'

/** Whose the sets are that somebody names by their handles: those that ended, too, as the log says of them. */
export type FindNamed = (setIds: ReadonlySet<SetId>) => Promise<ReadonlyMap<SetId, Owned> | Failure>

export interface FindNamedOptions extends HistoryReaderOptions {
  readonly read: <Value>(query: (state: State) => Value) => Promise<Value | Failure>
  readonly soon: (callback: () => void) => void
}

export function createFindNamed({ read, soon, ...options }: FindNamedOptions): FindNamed {
  const nextTurn = createTurnstile(soon, 1)
  return async (setIds) => {
    const known = await read((state) =>
      [...setIds].map((setId) => ({
        setId,
        set: state.sets.get(setId),
        freed: state.endedSets.revisions.get(setId),
      })),
    )
    if (isFailure(known)) return known
    const named = new Map<SetId, Owned>()
    const reader = createHistoryReader(options, nextTurn)
    for (const { setId, set, freed } of known) {
      if (set !== undefined) named.set(setId, set)
      // So many that were ended by so large changes are nobody's: they are not to be seen, then.
      if (set !== undefined || freed === undefined || reader.isEnough) continue
      const entry = await reader.read(freed)
      for (const event of entry?.events ?? []) {
        if (event.kind !== 'SET_FREE' || event.set.setId !== setId) continue
        named.set(setId, { ...event.set, owner: event.owner ?? '' })
      }
    }
    return named
  }
}
