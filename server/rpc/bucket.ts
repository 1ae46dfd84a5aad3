/** Grants so much a second, and what was not asked for meanwhile up to a burst: at most burst + rate × time, ever. */
export interface Bucket {
  /** Whether so many can be taken now. Of more than the burst there never are. */
  has(count: number): boolean
  /** Takes what is there. */
  take(count: number): void
  /**
   * Whole milliseconds until there are so many, behind those for whom the same was said before: callers who were refused
   * together and all came back with the first token would be refused together again.
   */
  promise(count: number): number
  /** Whole milliseconds until nothing of what was taken is to be seen any more. */
  untilFullMs(): number
}

/** Counted in thousandths and whole milliseconds, so that nothing is lost or won by rounding. */
const PARTS = 1000

export function createBucket(perSecond: number, burst: number, nowMs: () => number): Bucket {
  const full = burst * PARTS
  let parts = full
  let promised = 0
  let atMs = Math.floor(nowMs())

  const fill = () => {
    const now = Math.floor(nowMs())
    if (now === atMs) return
    const more = (now - atMs) * perSecond
    parts = Math.min(full, parts + more)
    promised = Math.max(0, promised - more)
    atMs = now
  }

  return {
    has: (count) => {
      fill()
      return parts >= count * PARTS
    },
    take: (count) => {
      parts -= count * PARTS
    },
    promise: (count) => {
      fill()
      // Whoever does not keep to it does not make others wait without an end.
      promised = Math.min(full, promised + count * PARTS)
      return Math.max(1, Math.ceil((promised - parts) / perSecond))
    },
    untilFullMs: () => {
      fill()
      return Math.ceil((full - parts) / perSecond)
    },
  }
}
