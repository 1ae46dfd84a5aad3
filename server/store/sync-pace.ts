/**
 * Whether a small write is worth doing on the main thread. A write and a sync there save two changes of thread, about
 * half of what a caller waits who is alone; but while they last nothing else happens, so the disk must be quick. It is while
 * the median of the last syncs is under a millisecond. A slow one now and then (a journal commit, a neighbour) changes
 * nothing; writes that were then done off the thread are measured, too, which is how a disk that is quick again is noticed.
 */
export interface SyncPace {
  /** Empty at first: a disk is taken to be quick until it was seen to be slow. */
  readonly lastNs: number[]
  next: number
}

const SYNCS_KEPT = 32
const QUICK_NS = 1_000_000

export function createSyncPace(): SyncPace {
  return { lastNs: [], next: 0 }
}

export function noteSync(pace: SyncPace, ns: number): void {
  pace.lastNs[pace.next] = ns
  pace.next = (pace.next + 1) % SYNCS_KEPT
}

export function isQuick(pace: SyncPace): boolean {
  const slow = pace.lastNs.reduce((count, ns) => (ns < QUICK_NS ? count : count + 1), 0)
  return slow * 2 <= pace.lastNs.length
}
