import type { Entry, Event, Priority } from '../../../server/core/event.ts'
import { AGED, idsOf, UNBOUND } from '../../../server/core/runs.ts'
import type { FeedItem } from '../../../server/engine/subscription.ts'
import { allIds, type Model } from '../../core/model.ts'
import type { Sim } from '../sim.ts'
import type { Moments } from './moments.ts'
import { LATE_MS, SLACK_MS, type StreamRecord } from './stream-record.ts'

/** Who is told of a teardown after whom: contract section 4, Hold, by the model as of what is on the disk. */
export interface Waves {
  follow(entry: Entry): void
  /** Looks whether the next revision that a stream has to tell waits for anybody. */
  look(stream: StreamRecord, next: Entry | undefined): void
  told(stream: StreamRecord, item: Extract<FeedItem, { kind: 'entry' }>): void
  restarted(): void
  /** Ids that were told before their turn, since the start. */
  readonly overruns: number
}

const RANKS: Readonly<Record<Priority, number>> = { CPU: 0, IOMMU: 1, DEVICE: 2 }

export interface WavesOptions {
  readonly moments: Moments
  readonly model: Model
  readonly teardownTimeoutMs: () => number
  /** Has the model go on to what is on the disk. */
  readonly catchUp: () => void
}

export function createWaves({ report, coverage, disk }: Sim, options: WavesOptions): Waves {
  const { moments, model, teardownTimeoutMs, catchUp } = options
  /** What a lease registered last: it stays its priority when its time is over. */
  const priorities = new Map<number, Priority>()
  let overruns = 0

  /** The holder that comes before, has the id from before the revision, and has not acknowledged it. */
  const blockerOf = (ioasid: number, revision: number, rank: number): number | undefined => {
    const found = allIds(model).find(({ id }) => id.ioasid === ioasid)
    const blocker = found?.id.holds.find(({ leaseId, sinceRevision }) => {
      const priority = priorities.get(leaseId)
      const lease = model.leases.find((each) => each.leaseId === leaseId)
      if (priority === undefined || lease === undefined || RANKS[priority] >= rank) return false
      return sinceRevision < revision && lease.acknowledged < revision
    })
    return blocker?.leaseId
  }

  const rankOf = ({ hold }: StreamRecord) => (hold === undefined ? 0 : RANKS[hold.priority])

  const check = (stream: StreamRecord, rank: number, item: Extract<FeedItem, { kind: 'entry' }>) => {
    const { revision } = item
    const overrun = item.overrun ?? new Set<number>()
    const torn = tornDown(item.events)
    const about = `${stream.name} is told of revision ${revision}`
    for (const id of overrun) if (!torn.has(id)) report('waves', `${about}: id ${id} is marked, and not torn down`)
    if (torn.size === 0 || rank === 0) {
      if (overrun.size > 0) report('waves', `${about} with marks, and waits for nobody`)
      return
    }
    for (const id of torn) {
      const blocker = blockerOf(id, revision, rank)
      if (blocker === undefined || overrun.has(id)) continue
      report('waves', `${about}: id ${id} is torn down, before lease ${blocker} has acknowledged it`)
    }
    const timeoutMs = rank * teardownTimeoutMs()
    const waitedMs = moments.atMostSince(moments.decided(revision))
    // Serving time is told in whole milliseconds.
    if (overrun.size > 0 && waitedMs < timeoutMs - 1) {
      report('waves', `${about}: id ${[...overrun]} is marked after ${waitedMs} of ${timeoutMs} ms`)
    }
    coverage.count('overrun told', overrun.size)
    overruns += overrun.size
    checkTime(stream, revision, timeoutMs)
  }

  /** Told when nobody has to be waited for any more, or when the time is up. */
  const checkTime = ({ name, waiting, due, diskMs }: StreamRecord, revision: number, timeoutMs: number) => {
    const readyMs = Math.min(
      moments.atLeastSince(moments.durable(revision)),
      waiting === undefined ? 0 : moments.atLeastSince(waiting),
    )
    if (readyMs > SLACK_MS) coverage.count('wave waited for')
    const diskSlackMs = disk.busyMs() - diskMs
    const overMs = Math.min(readyMs, moments.atLeastSince(moments.decided(revision)) - timeoutMs)
    if (overMs > SLACK_MS + LATE_MS + diskSlackMs) {
      report('waves', `${name} is told of revision ${revision} ${overMs} ms after ${timeoutMs} ms were over`)
    }
    const clearMs = due?.revision === revision ? Math.min(readyMs, moments.atLeastSince(due.since)) : 0
    if (clearMs > SLACK_MS + diskSlackMs) {
      report('waves', `${name} is told of revision ${revision} ${clearMs} ms after it had nobody to wait for`)
    }
  }

  return {
    follow: ({ events }) => {
      for (const event of events) if (event.kind === 'REGISTER') priorities.set(event.leaseId, event.priority)
    },
    look: (stream, next) => {
      const rank = rankOf(stream)
      if (rank === 0 || next === undefined || stream.due?.revision === next.revision) return
      const blocked = [...tornDown(next.events)].some((id) => blockerOf(id, next.revision, rank) !== undefined)
      stream.due = blocked ? undefined : { revision: next.revision, since: moments.now() }
    },
    restarted: () => {
      overruns = 0
    },
    get overruns() {
      return overruns
    },
    told: (stream, item) => {
      catchUp()
      check(stream, rankOf(stream), item)
    },
  }
}

function tornDown(events: readonly Event[]): ReadonlySet<number> {
  const torn = new Set<number>()
  for (const event of events) {
    if (event.kind === 'UNBIND') for (const id of idsOf(event.runs, UNBOUND)) torn.add(id)
    if (event.kind === 'FREE') for (const id of idsOf(event.runs, AGED)) torn.add(id)
  }
  return torn
}
