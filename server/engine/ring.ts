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
  // The oldest is at `head`; what is before it has left.
  let entries: (Entry | undefined)[] = []
  let head = 0
  let bytes = 0
  let newest: number = start
  const oldestCursor = () => newest - (entries.length - head)

  const dropOldest = () => {
    const oldest = entries[head]
    if (oldest === undefined) throw new Error(`entry ${oldestCursor() + 1} is not in the ring`)
    bytes -= weigh(oldest)
    entries[head] = undefined
    head += 1
    if (head <= entries.length / 2) return
    entries = entries.slice(head)
    head = 0
  }

  return {
    push: (entry) => {
      if (entry.revision !== newest + 1) throw new Error(`entry ${entry.revision} does not follow ${newest}`)
      entries.push(entry)
      bytes += weigh(entry)
      newest = entry.revision
      while (bytes > maxBytes) dropOldest()
    },
    after: (revision, limit) => {
      if (revision < oldestCursor()) return undefined
      const from = head + (revision - oldestCursor())
      return entries.slice(from, from + limit).filter((entry) => entry !== undefined)
    },
  }
}
