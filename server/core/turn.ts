import type { Priority, TellableEvent } from './event.ts'
import { pageOf } from './id-pages.ts'
import type { LeaseId, Revision } from './ids.ts'
import { AGED, countIds, eachId, UNBOUND } from './runs.ts'
import type { State } from './state.ts'

/**
 * Who is told of a teardown after whom: the CPU first, so that no vCPU submits to a context that is torn down under it,
 * then the IOMMU, then the devices. (The kernel's documents say so; its code ran the system-wide chain first, whatever was
 * on it.)
 */
const RANK: Readonly<Record<Priority, number>> = { CPU: 0, IOMMU: 1, DEVICE: 2 }

/** How many classes of holders come before it: so many time-outs it waits at most. */
export function rankOf(priority: Priority): number {
  return RANK[priority]
}

/** An id whose teardown a holder must not be told of yet, and one of those for whom it waits. */
export interface Wait {
  readonly ioasid: number
  readonly leaseId: LeaseId
}

/**
 * The ids among those that a revision's events tear down which are still held by somebody who comes before this priority,
 * has a reference from before the revision, and has not acknowledged it. Each id once.
 */
export function* waitsOf(
  state: State,
  events: readonly TellableEvent[],
  revision: Revision,
  priority: Priority,
): Generator<Wait> {
  const seen = new Set<number>()
  for (const ioasid of tornDown(events)) {
    // Nothing is written down for most ids: they are passed by without another thought.
    const holds = findHolds(state, ioasid)
    if (holds === undefined || seen.has(ioasid)) continue
    const blocker = holds.find(({ leaseId, sinceRevision }) => {
      const holding = state.leases.get(leaseId)?.holding ?? null
      if (holding === null || RANK[holding.priority] >= RANK[priority]) return false
      return sinceRevision < revision && holding.acknowledged < revision
    })
    if (blocker === undefined) continue
    seen.add(ioasid)
    yield { ioasid, leaseId: blocker.leaseId }
  }
}

function findHolds(state: State, ioasid: number) {
  return pageOf(state.table, ioasid)?.holds.get(ioasid)
}

function* tornDown(events: readonly TellableEvent[]): Generator<number> {
  for (const event of events) {
    if (event.kind === 'UNBIND') for (const { id } of eachId(event.runs, UNBOUND)) yield id
    else if (event.kind === 'FREE') for (const { id } of eachId(event.runs, AGED)) yield id
  }
}

/** What a look at them costs. */
export function countTornDown(events: readonly TellableEvent[]): number {
  let ids = 0
  for (const event of events) {
    if (event.kind === 'UNBIND') ids += countIds(event.runs, UNBOUND)
    else if (event.kind === 'FREE') ids += countIds(event.runs, AGED)
  }
  return ids
}

export function isTeardown(events: readonly TellableEvent[]): boolean {
  return events.some(({ kind }) => kind === 'UNBIND' || kind === 'FREE')
}
