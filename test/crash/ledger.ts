import type { BatchItem, IoasidNotification } from '../../client/index.ts'
import type { Event } from '../../server/core/event.ts'

/** What clients were answered and told, and when: what no crash may take back. */
export interface Ledger {
  readonly answers: Answered[]
  readonly renewals: Renewed[]
  readonly told: Told[]
}

/** An answer to a change. */
export interface Answered {
  /** Not before it arrived: ms since 1970. */
  readonly atMs: number
  /** undefined: sent without, as Acknowledge is. */
  readonly requestId: string | undefined
  /** Sent again it must be answered the same; undefined where it was no item. */
  readonly item: BatchItem | undefined
  readonly revision: number
  /** What the log must hold at its revision; undefined: it need not have changed anything. */
  readonly event: { readonly kind: Event['kind']; readonly ids: readonly number[] } | undefined
  /** An acknowledgement that must hold: of which lease, and up to where. */
  readonly acknowledged: { readonly leaseId: number; readonly revision: number } | undefined
}

export interface Renewed {
  /** Not after it was sent, not before it was answered. */
  readonly sentMs: number
  readonly atMs: number
  readonly leaseId: number
  readonly ttlMs: number
}

/** What a subscriber got. */
export interface Told {
  readonly atMs: number
  readonly revision: number
  /** `BIND 7`, or `SET_ALLOC vm`; none with a heartbeat. */
  readonly lines: readonly string[]
}

export function createLedger(): Ledger {
  return { answers: [], renewals: [], told: [] }
}

/** The clock of strace has microseconds, this one leaves them out. */
export function afterNowMs(): number {
  return Date.now() + 1
}

export function lineOf(event: IoasidNotification): string {
  return 'ioasid' in event ? `${event.type} ${event.ioasid}` : `${event.type} ${event.token}`
}
