import { type Entry, weigh } from '../core/event.ts'
import type { Revision } from '../core/ids.ts'

/**
 * The newest durable entries, up to a number of bytes: what nearly every subscriber reads, so that the store is asked
 * only for those who fell far behind.
 */
export interface Ring {
  /** Entries must come in the order of their revisions, without a gap. */
  push(entry: Entry): void
  /** At most `limit` entries after a revision; undefined when some of them have left the ring. */
  after(revision: Revision, limit: number): readonly Entry[] | undefined
}

export function createRing(maxBytes: number, start: Revision): Ring {
  const entries = new Map<number, Entry>()
  let bytes = 0
  let newest: number = start
  const oldestCursor = () => newest - entries.size

  const dropOldest = () => {
    const revision = oldestCursor() + 1
    const oldest = entries.get(revision)
    if (oldest === undefined) throw new Error(`entry ${revision} is not in the ring, which has ${entries.size}`)
    bytes -= weigh(oldest)
    entries.delete(revision)
  }

  return {
    push: (entry) => {
      if (entry.revision !== newest + 1) throw new Error(`entry ${entry.revision} does not follow ${newest}`)
      entries.set(entry.revision, entry)
      bytes += weigh(entry)
      newest = entry.revision
      while (bytes > maxBytes) dropOldest()
    },
    after: (revision, limit) => {
      if (revision < oldestCursor()) return undefined
      const found: Entry[] = []
      for (let next = revision + 1; found.length < limit; next++) {
        const entry = entries.get(next)
        if (entry === undefined) break
        found.push(entry)
      }
      return found
    },
  }
}
