import type { Priority } from '../../server/core/event.ts'
import type { Model } from '../core/model.ts'
import { copyOf } from './copy.ts'
import type { History, Stream } from './history.ts'
import type { Due } from './renewals.ts'
import { tornDownIn } from './stream-rules.ts'
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

const RANKS = { CPU: 0, IOMMU: 1, DEVICE: 2 } as const satisfies Record<Priority, number>

/** A holder that is told of a teardown while one before it may still use the id. */
export function waveRule({ streams, teardownTimeoutMs }: History, times: Times): TimeRule {
  interface Wait {
    readonly revision: number
    readonly leaseId: number
    readonly rank: number
    settledAt: number | undefined
  }
  const waits = new Map<string, Wait[]>()
  let open: Wait[] = []
  let held = new Map<number, readonly number[]>()
  return {
    look: (model, { revision, happened }) => {
      for (const wait of open) {
        const lease = model.leases.find(({ leaseId }) => leaseId === wait.leaseId)
        const isOver = lease?.registration === undefined || lease.acknowledged >= wait.revision
        if (isOver) wait.settledAt = revision
      }
      open = open.filter(({ settledAt }) => settledAt === undefined)
      for (const [kind, id] of happened) {
        if (kind !== 'UNBIND' && kind !== 'FREE') continue
        const key = `${revision} ${id}`
        const before = (held.get(Number(id)) ?? []).flatMap((leaseId): Wait[] => {
          const registration = model.leases.find((each) => each.leaseId === leaseId)?.registration
          if (registration === undefined || waits.has(key)) return []
          return [{ revision, leaseId, rank: RANKS[registration.priority], settledAt: undefined }]
        })
        waits.set(key, [...(waits.get(key) ?? []), ...before])
        open.push(...before)
      }
      const ids = model.sets.flatMap((set) => set.ids)
      held = new Map(ids.map((id) => [id.ioasid, id.holds.map(({ leaseId }) => leaseId)]))
    },
    end: () => streams.flatMap((stream) => earlyIn(stream)),
  }

  function earlyIn({ id, stream: { hold }, items }: Stream): Violation[] {
    if (hold === undefined) return []
    return items.flatMap(({ atMs, item }) => {
      if (item.kind !== 'revision') return []
      const waitedMs = atMs - times.notBefore(item.revision)
      const limitMs = RANKS[hold.priority] * teardownTimeoutMs
      if (item.overrun.length > 0 && waitedMs < limitMs) {
        const what = `stream ${id} was told of ${item.revision} as overrun after ${waitedMs} ms, not ${limitMs}`
        return [{ rule: 'told out of turn', what }]
      }
      return tornDownIn(item).flatMap((ioasid) => {
        const before = (waits.get(`${item.revision} ${ioasid}`) ?? []).filter(({ rank }) => rank < RANKS[hold.priority])
        const early = before.find((wait) => wait.settledAt === undefined || times.notBefore(wait.settledAt) > atMs)
        if (early === undefined) return []
        const what = `stream ${id} of a ${hold.priority} holder was told of the teardown of ${ioasid}`
        return [
          { rule: 'told out of turn', what: `${what} by ${item.revision} before lease ${early.leaseId} was done` },
        ]
      })
    })
  }
}
