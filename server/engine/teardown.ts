import type { Entry, Priority, TellableEvent } from '../core/event.ts'
import type { Failure } from '../core/failure.ts'
import type { LeaseId, Revision } from '../core/ids.ts'
import { addTo, removeFrom } from '../core/multimap.ts'
import type { State } from '../core/state.ts'
import { isTeardown, rankOf, waitsOf } from '../core/turn.ts'

/**
 * When a holder is told of a teardown: in its turn (core/turn.ts), or when the time is up. The time runs from the commit
 * of the revision, once for each class of holders before it; so a stream stays behind by at most two time-outs, however
 * many teardowns are open. Nothing is kept here for a teardown: who waits looks at the state again when a lease that he
 * waits for has acknowledged something or ended.
 */
export interface Teardowns {
  /** undefined: holders of this priority wait for nobody. */
  turnOf(priority: Priority): Turn | undefined
  /** Entries that became durable: whoever waits for a lease that they settle something of looks again. */
  follow(entries: readonly Entry[]): void
  /** Ids that holders were told of before their turn, since the start. */
  readonly overruns: number
}

/** One holder's turn. */
export interface Turn {
  /** Whether it may be told now. Decided ahead of the disk: to tell, wait for `durable` first. */
  look(item: Committed): Look
  /** Resolves when everything that was looked at is on disk; to a failure when the store failed. */
  durable(): Promise<Failure | undefined>
  /** Calls back when the lease has acknowledged the revision, or ended. Returns what cancels it. */
  onSettled(leaseId: LeaseId, revision: Revision, callback: () => void): () => void
  /** So many ids are told of before their turn. */
  count(overruns: number): void
}

/** Events of a revision, and the serving time of its commit. */
export interface Committed {
  readonly revision: Revision
  readonly servingMs: number
  readonly events: readonly TellableEvent[]
}

export type Look =
  /** overrun: ids that others before it still hold, though the time is up. */
  | { readonly kind: 'tell'; readonly overrun: ReadonlySet<number> }
  /** For this lease among others, and so long at most. */
  | { readonly kind: 'wait'; readonly leaseId: LeaseId; readonly forMs: number }

export interface TeardownOptions {
  readonly state: State
  readonly timeoutMs: number
  readonly servingMs: () => number
  readonly durable: () => Promise<Failure | undefined>
}

interface Waiting {
  readonly revision: Revision
  readonly callback: () => void
}

const NO_OVERRUN: ReadonlySet<number> = new Set()

export function createTeardowns({ state, timeoutMs, servingMs, durable }: TeardownOptions): Teardowns {
  const waiting = new Map<LeaseId, Set<Waiting>>()
  let overruns = 0

  const look = (priority: Priority, { revision, servingMs: committedMs, events }: Committed): Look => {
    if (!isTeardown(events)) return { kind: 'tell', overrun: NO_OVERRUN }
    const leftMs = committedMs + rankOf(priority) * timeoutMs - servingMs()
    const waits = waitsOf(state, events, revision, priority)
    if (leftMs > 0) {
      const { value: first } = waits.next()
      if (first !== undefined) return { kind: 'wait', leaseId: first.leaseId, forMs: leftMs }
      return { kind: 'tell', overrun: NO_OVERRUN }
    }
    return { kind: 'tell', overrun: new Set([...waits].map(({ ioasid }) => ioasid)) }
  }

  const onSettled = (leaseId: LeaseId, revision: Revision, callback: () => void) => {
    const one = { revision, callback }
    addTo(waiting, leaseId, one)
    return () => removeFrom(waiting, leaseId, one)
  }

  /** Whoever waits for more than was acknowledged is not woken: a holder of every VM may be waited for by thousands. */
  const settle = (leaseId: LeaseId, acknowledged: number) => {
    for (const { revision, callback } of waiting.get(leaseId) ?? []) if (revision <= acknowledged) callback()
  }

  return {
    turnOf: (priority) => {
      if (rankOf(priority) === 0) return undefined
      const count = (told: number) => {
        overruns += told
      }
      return { look: (item) => look(priority, item), durable, onSettled, count }
    },
    follow: (entries) => {
      for (const { events } of entries) {
        for (const event of events) {
          if (event.kind === 'ACKNOWLEDGE') settle(event.leaseId, event.acknowledged)
          // A lease that was revived may register anew, to be told later than those who waited for it.
          if (event.kind === 'LEASE_END' || event.kind === 'REGISTER') settle(event.leaseId, Infinity)
        }
      }
    },
    get overruns() {
      return overruns
    },
  }
}
