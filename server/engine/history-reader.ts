import { type Entry, weigh } from '../core/event.ts'
import { asRevision, type Revision } from '../core/ids.ts'
import { type Store, StoreError } from '../store/store.ts'

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

export function createHistoryReader({ store, compactRevision }: HistoryReaderOptions, turns: Turns): HistoryReader {
  let readBytes = 0
  // An entry often ends two things, a binding and its life.
  let last: Entry | undefined
  return {
    get isEnough() {
      return readBytes >= MAX_READ_BYTES
    },
    read: async (revision) => {
      if (revision <= compactRevision()) return undefined
      if (last?.revision === revision) return last
      await turns.pass()
      try {
        ;[last] = await store.tail(asRevision(revision - 1), 1)
      } catch (cause) {
        // Compacted a moment ago.
        if (cause instanceof StoreError && cause.problem === 'COMPACTED') return undefined
        throw cause
      }
      const bytes = last === undefined ? 0 : weigh(last)
      readBytes += bytes
      turns.spend(bytes)
      return last
    },
  }
}

/** What all readers of history together read in one turn of the event loop: others have their turn in between. */
export interface Turns {
  /** Resolves when there is something left of the present turn, in the order of asking. */
  pass(): Promise<void>
  spend(bytes: number): void
}

const TURN_BYTES = 32 << 10

export function createTurns(soon: (callback: () => void) => void): Turns {
  const waiting: (() => void)[] = []
  let left = TURN_BYTES
  let isNextComing = false
  const next = () => {
    if (isNextComing) return
    isNextComing = true
    soon(() => {
      isNextComing = false
      left = TURN_BYTES
      waiting.shift()?.()
      if (waiting.length > 0) next()
    })
  }
  return {
    pass: async () => {
      if (left > 0 && waiting.length === 0) return
      next()
      await new Promise<void>((resolve) => waiting.push(resolve))
    },
    spend: (bytes) => {
      left -= bytes
      next()
    },
  }
}
