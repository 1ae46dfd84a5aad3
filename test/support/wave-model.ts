import type { Entry, Event, Names, Priority } from '../../server/core/event.ts'
import type { LeaseId, SetId } from '../../server/core/ids.ts'
import { AGED, BOUND, idsOf, PLAIN, type Runs, type Stride, UNBOUND } from '../../server/core/runs.ts'

/**
 * Who holds what and since when, worked out the slow way: every reference is written down when it begins, from the log
 * and from what holders have acknowledged. It says whom a holder has yet to wait for.
 */
export interface WaveModel {
  /** Takes what has happened; sentences for what must not. */
  apply(entry: Entry): readonly string[]
  /** An acknowledgement that was answered, whether or not it changed anything. */
  acknowledged(leaseId: LeaseId, revision: number): void
  /** ALIVE leases, of which a registration may be there or not. */
  isAlive(leaseId: LeaseId): boolean
  /** Ids of a revision's teardowns that somebody before this priority still has, and has not acknowledged. */
  blocked(entry: Entry, ids: Iterable<number>, priority: Priority): ReadonlySet<number>
  /** How many references holds have to an id. */
  references(id: number): number
  /** By bound id: its set. */
  readonly bound: ReadonlyMap<number, SetId>
  /** Sets that live, pending ones too. */
  readonly sets: ReadonlyMap<SetId, string>
}

export const ORDER: readonly Priority[] = ['CPU', 'IOMMU', 'DEVICE']

interface Holder {
  isAlive: boolean
  /** null: it never held, or not any longer. */
  names: Names | null
  priority: Priority
  acknowledged: number
  /** By id: since which revision, and the latest teardown. */
  readonly held: Map<number, { readonly since: number; teardown: number }>
}

export function createWaveModel(): WaveModel {
  const leases = new Map<LeaseId, Holder>()
  const sets = new Map<SetId, string>()
  const bound = new Map<number, SetId>()

  const names = ({ names: of }: Holder, setId: SetId) => {
    if (of === null) return false
    return of === 'all' || of.tokens.includes(sets.get(setId) ?? '') || of.setIds.includes(setId)
  }
  const settle = (holder: Holder, upTo: number) => {
    holder.acknowledged = Math.max(holder.acknowledged, upTo)
    for (const [id, { teardown }] of holder.held) {
      if (!bound.has(id) && teardown <= holder.acknowledged) holder.held.delete(id)
    }
  }
  const mustHave = (leaseId: LeaseId): Holder => {
    const holder = leases.get(leaseId)
    if (holder === undefined) throw new Error(`lease ${leaseId} is not there`)
    return holder
  }
  const holders = (id: number) => [...leases].filter(([, { held }]) => held.has(id)).map(([leaseId]) => leaseId)
  const tearDown = (runs: Runs, stride: Stride, revision: number) => {
    for (const id of idsOf(runs, stride)) {
      for (const { held } of leases.values()) {
        const hold = held.get(id)
        if (hold !== undefined) hold.teardown = revision
      }
    }
  }

  const change = (event: Event, revision: number): readonly string[] => {
    switch (event.kind) {
      case 'SET_ALLOC':
        sets.set(event.set.setId, event.set.token)
        return []
      case 'SET_FREE':
        sets.delete(event.set.setId)
        return []
      case 'LEASE_GRANT':
        leases.set(event.leaseId, { isAlive: true, names: null, priority: 'CPU', acknowledged: 0, held: new Map() })
        return []
      case 'REGISTER': {
        const holder = mustHave(event.leaseId)
        holder.names = event.names
        holder.priority = event.priority
        for (const [id, setId] of bound) {
          if (names(holder, setId) && !holder.held.has(id)) holder.held.set(id, { since: revision, teardown: 0 })
        }
        return []
      }
      case 'BIND':
        for (const id of idsOf(event.runs, BOUND)) {
          bound.set(id, event.set.setId)
          for (const holder of leases.values()) {
            const isNew = names(holder, event.set.setId) && !holder.held.has(id)
            if (isNew) holder.held.set(id, { since: revision, teardown: 0 })
          }
        }
        return []
      case 'UNBIND':
        for (const id of idsOf(event.runs, UNBOUND)) bound.delete(id)
        tearDown(event.runs, UNBOUND, revision)
        return []
      case 'FREE':
        tearDown(event.runs, AGED, revision)
        return []
      case 'ACKNOWLEDGE':
        settle(mustHave(event.leaseId), event.acknowledged)
        return []
      case 'LEASE_HELD':
        Object.assign(mustHave(event.leaseId), { isAlive: false, names: null })
        return []
      case 'DEREGISTER':
        Object.assign(mustHave(event.leaseId), { names: null })
        return []
      case 'LEASE_REVIVE':
        mustHave(event.leaseId).isAlive = true
        return []
      case 'LEASE_END':
        leases.delete(event.leaseId)
        return []
      case 'RECLAIM':
      case 'ALLOC':
        return idsOf(event.runs, event.kind === 'ALLOC' ? PLAIN : AGED).flatMap((id) =>
          holders(id).map((leaseId) => `${revision}: ${event.kind} of ${id}, which lease ${leaseId} holds`),
        )
      default:
        return []
    }
  }

  return {
    apply: ({ revision, events }) => events.flatMap((event) => change(event, revision)),
    acknowledged: (leaseId, revision) => {
      const holder = leases.get(leaseId)
      if (holder !== undefined) settle(holder, revision)
    },
    isAlive: (leaseId) => leases.get(leaseId)?.isAlive === true,
    blocked: ({ revision }, ids, priority) => {
      const before = [...leases.values()].filter((holder) => ORDER.indexOf(holder.priority) < ORDER.indexOf(priority))
      const waits = (id: number) =>
        before.some(({ held, acknowledged }) => acknowledged < revision && (held.get(id)?.since ?? revision) < revision)
      return new Set([...ids].filter(waits))
    },
    references: (id) => holders(id).length,
    bound,
    sets,
  }
}
