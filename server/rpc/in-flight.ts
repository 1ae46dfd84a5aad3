/**
 * What peers make the daemon keep: requests that have not wholly arrived or are not answered yet, and answers that are
 * not read. It has a bound, whatever they begin and do not finish.
 */
export interface InFlight {
  /** For a new connection. `cutOff` is called when all keep too much, and this one the most: its account is closed. */
  open(cutOff: (bytes: number) => void): Account
  /** What all keep. */
  readonly bytes: number
}

/** What one connection makes the daemon keep. */
export interface Account {
  /** Counts so much more; false: there is no room for it, and nothing was counted. */
  take(bytes: number): boolean
  /** Counts what is there, room or not. */
  add(bytes: number): void
  give(bytes: number): void
}

export interface InFlightLimits {
  readonly perConnectionBytes: number
  readonly totalBytes: number
}

interface Entry {
  bytes: number
  isOpen: boolean
  readonly cutOff: (bytes: number) => void
}

export function createInFlight({ perConnectionBytes, totalBytes }: InFlightLimits): InFlight {
  // Those that keep something: nobody says when a connection is over.
  const entries = new Set<Entry>()
  let total = 0

  const change = (entry: Entry, bytes: number) => {
    if (!entry.isOpen) return
    entry.bytes += bytes
    total += bytes
    if (entry.bytes > 0) entries.add(entry)
    else entries.delete(entry)
  }
  const cutOffTheLargest = () => {
    const largest = [...entries].reduce((most, entry) => (entry.bytes > most.bytes ? entry : most))
    const { bytes, cutOff } = largest
    // Now, and not when its calls have closed: until then the next largest would follow it, and the next.
    change(largest, -bytes)
    largest.isOpen = false
    cutOff(bytes)
  }
  const add = (entry: Entry, bytes: number) => {
    change(entry, bytes)
    while (total > totalBytes) cutOffTheLargest()
  }

  return {
    get bytes() {
      return total
    },
    open: (cutOff) => {
      const entry: Entry = { bytes: 0, isOpen: true, cutOff }
      return {
        take: (bytes) => {
          if (entry.bytes + bytes > perConnectionBytes) return false
          add(entry, bytes)
          return true
        },
        add: (bytes) => add(entry, bytes),
        give: (bytes) => change(entry, -bytes),
      }
    },
  }
}
