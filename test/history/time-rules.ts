import type { Model } from '../core/model.ts'
import { copyOf } from './copy.ts'
import type { History } from './history.ts'
import type { Due } from './renewals.ts'
import type { Times } from './times.ts'
import type { Violation } from './violation.ts'
import type { Step } from './walk.ts'

/** Rules that tell of time, as far as the clients' clocks can say. Each sees every state in turn. */
export interface TimeRule {
  readonly look: (model: Model, step: Step) => void
  readonly end: () => readonly Violation[]
}

/** "A lease never ends early": not before its time has passed since it was renewed last. */
export function leaseRule(dueMs: Due, times: Times): TimeRule {
  const found: Violation[] = []
  let before: Model | undefined
  return {
    look: (model, { cause, revision }) => {
      const endedMs = times.notAfter(revision)
      const lease = cause?.kind === 'expired' && before?.leases.find(({ leaseId }) => leaseId === cause.leaseId)
      if (lease && endedMs < dueMs(lease, revision)) {
        const what = `lease ${lease.leaseId} of ${lease.terms.ttlMs} ms ended with revision ${revision} at ${endedMs} ms`
        found.push({ rule: 'early end of a lease', what: `${what}, not ${dueMs(lease, revision)}` })
      }
      before = copyOf(model)
    },
    end: () => found,
  }
}

/** "No early reuse": not before the reuse delay has passed since RECLAIM. */
export function reuseRule({ reuseDelayMs }: History, times: Times): TimeRule {
  const reclaimed = new Map<number, number>()
  const found: Violation[] = []
  return {
    look: (_model, { revision, happened }) => {
      for (const [kind, id] of happened) {
        const ioasid = Number(id)
        if (kind === 'RECLAIM') reclaimed.set(ioasid, revision)
        const since = reclaimed.get(ioasid)
        if (kind !== 'ALLOC' || since === undefined) continue
        const restedMs = times.notAfter(revision) - times.notBefore(since)
        if (restedMs >= reuseDelayMs) continue
        const what = `id ${ioasid} was reclaimed by revision ${since} and allocated by ${revision}`
        found.push({ rule: 'early reuse', what: `${what}, after ${restedMs} ms at most` })
      }
    },
    end: () => found,
  }
}
