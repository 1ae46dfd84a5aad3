import type { Entry } from '../core/event.ts'
import type { LeaseId } from '../core/ids.ts'
import type { State } from '../core/state.ts'
import type { Mark, MarkChange } from '../store/store.ts'

/**
 * When leases end, in serving time. Not part of the state: a renewal is no change of the space, takes no revision and
 * makes no log grow, but is a mark that is overwritten, and on disk before it is answered (contract section 4). That the
 * time is over is told to the core as a command.
 */
export interface LeaseTimes {
  /** Begins, renews and ends times as the events of an entry say; the marks belong in its batch. */
  follow(entry: Entry): readonly MarkChange[]
  renew(leaseId: LeaseId, servingMs: number): MarkChange
  /** 0: it is over, or the lease is HELD. */
  remainingMs(leaseId: LeaseId, servingMs: number): number
  /** Leases whose time is over. */
  due(servingMs: number): readonly LeaseId[]
  readonly count: number
}

const MARK_PREFIX = 'lease/'

export function isLeaseMark(key: string): boolean {
  return key.startsWith(MARK_PREFIX)
}

/** After a start no lease ends before `graceMs`, in which its holder can find the daemon again. */
export function createLeaseTimes(state: State, marks: readonly Mark[], graceMs: number): LeaseTimes {
  const kept = new Map(marks.map(({ key, value }) => [key, Number(Buffer.from(value).toString())]))
  // By the leases, not by the marks: one that nobody counts the time of would never end.
  const deadlines = new Map<LeaseId, number>()
  for (const { leaseId, isHeld } of state.leases.values()) {
    if (!isHeld) deadlines.set(leaseId, Math.max(kept.get(markKey(leaseId)) ?? 0, state.servingMs + graceMs))
  }

  const renew = (leaseId: LeaseId, servingMs: number): MarkChange => {
    const deadlineMs = servingMs + (state.leases.get(leaseId)?.ttlMs ?? 0)
    deadlines.set(leaseId, deadlineMs)
    return { key: markKey(leaseId), value: Buffer.from(String(deadlineMs)) }
  }

  return {
    follow: ({ events, servingMs }) => {
      const marks: MarkChange[] = []
      for (const event of events) {
        switch (event.kind) {
          case 'LEASE_GRANT':
          case 'LEASE_REVIVE':
          case 'ACQUIRE':
            marks.push(renew(event.leaseId, servingMs))
            break
          case 'LEASE_HELD':
          case 'LEASE_END':
            if (deadlines.delete(event.leaseId)) marks.push({ key: markKey(event.leaseId), value: null })
            break
        }
      }
      return marks
    },
    renew,
    remainingMs: (leaseId, servingMs) => Math.max(0, (deadlines.get(leaseId) ?? 0) - servingMs),
    // A deadline is in whole milliseconds, the fraction of the moment it counts from left out: so its own passes, too.
    due: (servingMs) => [...deadlines].filter(([, deadlineMs]) => deadlineMs < servingMs).map(([leaseId]) => leaseId),
    get count() {
      return deadlines.size
    },
  }
}

/** The lease that a mark is of. */
export function leaseOfMark(key: string): number {
  return Number.parseInt(key.slice(MARK_PREFIX.length), 16)
}

function markKey(leaseId: LeaseId): string {
  return MARK_PREFIX + leaseId.toString(16).padStart(14, '0')
}
