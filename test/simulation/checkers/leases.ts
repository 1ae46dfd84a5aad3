import type { LeaseId } from '../../../server/core/ids.ts'
import type { State } from '../../../server/core/state.ts'
import type { Sim } from '../sim.ts'
import type { Moment, Moments } from './moments.ts'
import { SLACK_MS } from './stream-record.ts'

/** When leases end: contract section 4, LeaseService, in serving time as the world counts it. */
export interface Leases {
  /** Something may have kept it alive. */
  kept(leaseId: LeaseId): void
  /** What kept it alive at that moment was answered: its whole time begins there, or, sent again, now. */
  answered(leaseId: LeaseId, since: Moment): void
  /** Its holder, or an operator, has ended it. */
  revoked(leaseId: LeaseId): void
  /** What there is now, after a callback. */
  look(state: State): void
  /** A start, with this grace. */
  restarted(state: State, graceMs: number): void
}

interface Watched {
  ttlMs: number
  /** At the latest. */
  kept: Moment
  /** The latest that was answered. */
  answered: Moment
  /** For how long the disk had been writing by then: what is decided waits for it. */
  diskMs: number
  /** What restarts have added since. */
  restartsMs: number
  isAlive: boolean
  isRevoked: boolean
}

const NEVER: Moment = { atMostMs: -Infinity, atLeastMs: -Infinity }

/** It ends at most so late while the daemon serves. */
const LATE_MS = 1000

export function createLeases({ report, disk }: Sim, moments: Moments): Leases {
  const all = new Map<LeaseId, Watched>()

  const watch = (leaseId: LeaseId, ttlMs: number): Watched => {
    const known = all.get(leaseId)
    if (known !== undefined) return known
    const now = moments.now()
    const begun = {
      ttlMs,
      kept: now,
      answered: now,
      diskMs: disk.busyMs(),
      restartsMs: 0,
      isAlive: true,
      isRevoked: false,
    }
    all.set(leaseId, begun)
    return begun
  }

  const kept = (leaseId: LeaseId) => {
    const lease = all.get(leaseId)
    if (lease === undefined) return
    lease.kept = moments.now()
    lease.diskMs = disk.busyMs()
  }

  const ended = (leaseId: LeaseId, lease: Watched) => {
    lease.isAlive = false
    if (lease.isRevoked) return
    const ageMs = moments.atMostSince(lease.answered)
    if (ageMs < lease.ttlMs) report('lease-end', `lease ${leaseId} ends after ${ageMs} of ${lease.ttlMs} ms`)
  }

  return {
    kept,
    answered: (leaseId, since) => {
      const lease = all.get(leaseId)
      if (lease === undefined) return
      if (since.atMostMs > lease.answered.atMostMs) lease.answered = since
      kept(leaseId)
      lease.restartsMs = 0
    },
    revoked: (leaseId) => {
      const lease = all.get(leaseId)
      if (lease !== undefined) lease.isRevoked = true
    },
    look: (state) => {
      for (const { leaseId, ttlMs, isHeld } of state.leases.values()) {
        const lease = watch(leaseId, ttlMs)
        if (!isHeld && !lease.isAlive) {
          // Revived: its time begins again, and is promised when that is answered. A crash may undo it before.
          lease.isAlive = true
          lease.isRevoked = false
          lease.answered = NEVER
          lease.restartsMs = 0
          kept(leaseId)
        }
      }
      for (const [leaseId, lease] of all) {
        if (!lease.isAlive) continue
        if (state.leases.get(leaseId)?.isHeld !== false) {
          ended(leaseId, lease)
          continue
        }
        const lateMs = moments.atLeastSince(lease.kept) - lease.ttlMs - lease.restartsMs
        if (lateMs > LATE_MS + SLACK_MS + disk.busyMs() - lease.diskMs)
          report('lease-end', `lease ${leaseId} is alive ${lateMs} ms after its time`)
      }
    },
    restarted: (state, graceMs) => {
      for (const [leaseId, lease] of all) {
        // Gone for ever, or granted and undone by the crash: then another lease gets its number.
        if (!state.leases.has(leaseId)) all.delete(leaseId)
        const isAlive = state.leases.get(leaseId)?.isHeld === false
        // An end that a crash undid comes again.
        if (isAlive && !lease.isAlive) lease.isRevoked = false
        lease.isAlive = isAlive
        lease.restartsMs += graceMs
      }
    },
  }
}
