import { type Entry, weigh } from '../core/event.ts'
import { asRevision, type Revision } from '../core/ids.ts'
import { type Store, StoreError } from '../store/store.ts'
import type { Turnstile } from './turnstile.ts'

/** Entries of the log, one at a time, for one page of a history. */
export interface HistoryReader {
  /** undefined: it is not kept any more, or is none. */
  read(revision: number): Promise<Entry | undefined>
  /** Whether so much was read that the page should end: where entries are large it has fewer lives. */
  readonly isEnough: boolean
}

export interface HistoryReaderOptions {
  readonly store: Store
  readonly compactRevision: () => Revision
}

const MAX_READ_BYTES = 8 << 20
/** After so much, or one entry that is larger, others have their turn. */
const TURN_BYTES = 32 << 10

/** `nextTurn`: of all readers together. */
export function createHistoryReader(
  { store, compactRevision }: HistoryReaderOptions,
  nextTurn: Turnstile,
): HistoryReader {
  let readBytes = 0
  let turnBytes = 0
  // An entry often ends two things, a binding and its life.
  let last: Entry | undefined
  return {
    get isEnough() {
      return readBytes >= MAX_READ_BYTES
    },
    read: async (revision) => {
      if (revision <= compactRevision()) return undefined
      if (last?.revision === revision) return last
      if (turnBytes >= TURN_BYTES) {
        await nextTurn()
        turnBytes = 0
      }
      try {
        ;[last] = await store.tail(asRevision(revision - 1), 1)
      } catch (cause) {
        // Compacted a moment ago.
        if (cause instanceof StoreError && cause.problem === 'COMPACTED') return undefined
        throw cause
      }
      const bytes = last === undefined ? 0 : weigh(last)
      readBytes += bytes
      turnBytes += bytes
      return last
    },
  }
}
