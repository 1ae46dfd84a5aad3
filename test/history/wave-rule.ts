import type { Priority } from '../../server/core/event.ts'
import type { Happening, Model } from '../core/model.ts'
import type { History } from './history.ts'
import type { Item } from './record.ts'
import { tornDownIn } from './stream-rules.ts'
import type { TimeRule } from './time-rules.ts'
import type { Times } from './times.ts'
import type { Violation } from './violation.ts'

const RANKS = { CPU: 0, IOMMU: 1, DEVICE: 2 } as const satisfies Record<Priority, number>

/** A teardown that a lease held the id of, and the revision that settled it. */
interface Wait {
  readonly revision: number
  readonly leaseId: number
  readonly rank: number
  settledAt: number | undefined
}

/** A holder that is told of a teardown while one before it may still use the id, or of an overrun before its time. */
export function waveRule({ streams, teardownTimeoutMs }: History, times: Times): TimeRule {
  const waits = followWaits()
  return {
    look: (model, { revision, happened }) => waits.follow(model, revision, happened),
    end: () => {
      return streams.flatMap(({ id, stream: { hold }, items }) => {
        if (hold === undefined) return []
        const wrong = items.flatMap(({ atMs, item }) => (item.kind === 'revision' ? wrongIn(item, atMs, hold) : []))
        return wrong.map((what) => ({ rule: 'told out of turn', what: `stream ${id} ${what}` }) satisfies Violation)
      })
    },
  }

  function wrongIn(item: Item, atMs: number, { priority }: { readonly priority: Priority }): string[] {
    const { revision, overrun } = item
    const waitsBefore = (id: number) => waits.of(revision, id).filter(({ rank }) => rank < RANKS[priority])
    const waitedMs = atMs - times.notBefore(revision)
    const limitMs = RANKS[priority] * teardownTimeoutMs
    if (overrun.length > 0 && waitedMs < limitMs) {
      return [`was told of ${revision} as overrun after ${waitedMs} ms, not ${limitMs}`]
    }
    const alone = overrun.find((id) => waitsBefore(id).length === 0)
    if (alone !== undefined) return [`was told of ${revision} as overrun, though nobody held ${alone} before it`]
    return tornDownIn(item).flatMap((id) => {
      const isOpen = ({ settledAt }: Wait) => settledAt === undefined || times.notBefore(settledAt) > atMs
      const early = waitsBefore(id).find(isOpen)
      if (early === undefined) return []
      const what = `of a ${priority} holder was told of the teardown of ${id} by ${revision}`
      return [`${what} before lease ${early.leaseId} was done`]
    })
  }
}

function followWaits() {
  /** By revision and id. */
  const waits = new Map<string, readonly Wait[]>()
  let open: readonly Wait[] = []
  /** By id: who holds it. */
  let held = new Map<number, readonly number[]>()
  /** A lease that is HELD has no registration any more, but its references; who comes after it still waits for them. */
  const ranks = new Map<number, number>()
  return {
    of: (revision: number, id: number) => waits.get(`${revision} ${id}`) ?? [],
    follow: (model: Model, revision: number, happened: readonly Happening[]): void => {
      for (const { leaseId, registration } of model.leases) {
        if (registration !== undefined) ranks.set(leaseId, RANKS[registration.priority])
      }
      for (const wait of open) {
        const lease = model.leases.find(({ leaseId }) => leaseId === wait.leaseId)
        // One that lives again may register anew, to be told later than those who waited for it.
        const isAnew = happened.some(([kind, leaseId]) => kind === 'REGISTER' && leaseId === wait.leaseId)
        if (lease === undefined || lease.acknowledged >= wait.revision || isAnew) wait.settledAt = revision
      }
      open = open.filter(({ settledAt }) => settledAt === undefined)
      for (const [kind, id] of happened) {
        const key = `${revision} ${id}`
        if ((kind !== 'UNBIND' && kind !== 'FREE') || waits.has(key)) continue
        const before = (held.get(Number(id)) ?? []).map((leaseId): Wait => {
          return { revision, leaseId, rank: ranks.get(leaseId) ?? 0, settledAt: undefined }
        })
        const isGone = ({ leaseId }: Wait) => !model.leases.some((lease) => lease.leaseId === leaseId)
        for (const wait of before) if (isGone(wait)) wait.settledAt = revision
        waits.set(key, before)
        open = [...open, ...before.filter(({ settledAt }) => settledAt === undefined)]
      }
      const ids = model.sets.flatMap((set) => set.ids)
      held = new Map(ids.map((id) => [id.ioasid, id.holds.map(({ leaseId }) => leaseId)]))
    },
  }
}
