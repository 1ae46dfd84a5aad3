/** How often interesting things happened: a simulation in which they do not proves nothing. */
export interface Coverage {
  count(what: Happening, times?: number): void
  readonly counts: ReadonlyMap<Happening, number>
}

export const HAPPENINGS = [
  // What is asked
  'request',
  'refusal',
  'read compared',
  'answer compared',
  'state checked',
  'sent again after a lost answer',
  'answered from memory',
  'answered from memory after a restart',
  'request_id reused',
  'overloaded',
  // Ids
  'id handed out',
  'id reused',
  'id reclaimed at once',
  'id reclaimed by an acknowledgement',
  'id reclaimed by a release',
  'id reclaimed by the end of a lease',
  'kept away by its reuse delay',
  'set drained',
  // Leases
  'lease expired',
  'lease held',
  'held lease revived',
  'lease revoked',
  // Streams
  'message told',
  'heartbeat told',
  'snapshot told',
  'resumed with a cursor',
  'resumed with a cursor after a restart',
  'told COMPACTED',
  'read from the disk',
  'reader stopped',
  // Holds
  'hold registered',
  'hold resumed after a restart',
  'hold superseded',
  'hold refused',
  'stream ended with its lease',
  'wave waited for',
  'overrun told',
  'teardown acknowledged',
  'rebound before the acknowledgement',
  // Faults
  'crash',
  'crash while starting',
  'crash within a callback',
  'unknown write lost',
  'unknown write survived',
  'write failed',
  'write on the main thread',
  'disk full',
  'disk stuck',
  'drain',
  'started with other flags',
  'start refused by the data',
  'process stopped for 30 s',
  'wall clock jumped',
  'snapshot written',
  'log compacted',
] as const

export type Happening = (typeof HAPPENINGS)[number]

export function createCoverage(): Coverage {
  const counts = new Map<Happening, number>(HAPPENINGS.map((what) => [what, 0]))
  return {
    counts,
    count: (what, times = 1) => {
      counts.set(what, (counts.get(what) ?? 0) + times)
    },
  }
}
