import type { Event } from '../../../server/core/event.ts'
import type { FeedItem } from '../../../server/engine/subscription.ts'
import type { Sim } from '../sim.ts'
import type { Lives } from './lives.ts'
import type { Moments } from './moments.ts'
import { isSame, show } from './same.ts'
import { LATE_MS, SLACK_MS, type StreamRecord } from './stream-record.ts'
import type { Waves } from './waves.ts'

/** What streams tell, against the log as the disk has it, filtered as a child would. */
export interface Streams {
  /** Whatever was handed out is as good as told. */
  told(stream: StreamRecord, item: FeedItem): void
  /** The first revision that it is to be told of, and was not. */
  missing(stream: StreamRecord, upTo: number): number | undefined
  /** The disk, or what it has to tell, is another one now. */
  look(stream: StreamRecord): void
}

export interface StreamsOptions {
  readonly moments: Moments
  readonly waves: Waves
  readonly lives: Lives
}

export function createStreams({ report, coverage, disk }: Sim, { moments, waves, lives }: StreamsOptions): Streams {
  const missing = (stream: StreamRecord, upTo: number) => {
    for (let revision = stream.cursor + 1; revision <= upTo; revision++) {
      const entry = disk.history[revision - 1]
      if (entry !== undefined && matching(stream, entry.events).length > 0) return revision
    }
    return undefined
  }

  const isVisible = (stream: StreamRecord, what: string, revision: number) => {
    if (revision <= disk.history.length) return true
    const sentence = `${stream.name} gets ${what} ${revision}, and only ${disk.history.length} are on the disk`
    report('durable-before-visible', sentence)
    return false
  }

  const heartbeat = (stream: StreamRecord, revision: number) => {
    coverage.count('heartbeat told')
    if (!isVisible(stream, 'heartbeat', revision)) return
    if (revision < stream.cursor) {
      report('stream-order', `${stream.name} gets heartbeat ${revision} after revision ${stream.cursor}`)
    }
    const untold = missing(stream, revision)
    if (untold !== undefined) {
      report('heartbeat-never-ahead', `${stream.name} gets heartbeat ${revision}, and was not told of ${untold}`)
    }
  }

  const entry = (stream: StreamRecord, item: Extract<FeedItem, { kind: 'entry' }>) => {
    const { name, cursor } = stream
    const { revision, events } = item
    coverage.count('message told')
    if (!isVisible(stream, 'revision', revision)) return
    if (stream.told.has(revision)) return report('stream-unique', `${name} is told of revision ${revision} twice`)
    if (revision <= cursor) return report('stream-order', `${name} is told of ${revision} after ${cursor}`)
    const skipped = missing(stream, revision - 1)
    if (skipped !== undefined) {
      return report('stream-complete', `${name} is told of revision ${revision}, and not of ${skipped} before it`)
    }
    const logged = disk.history[revision - 1]?.events ?? []
    const wanted = matching(stream, logged)
    if (isSame(events, wanted)) waves.told(stream, item)
    else if (events.some((event) => !wanted.some((other) => isSame(other, event)))) {
      report('stream-filter', `${name} is told ${show(events)} at revision ${revision}, not ${show(wanted)}`)
    } else report('stream-atomic', `${name} is told ${show(events)} of revision ${revision}, not ${show(wanted)}`)
    stream.told.add(revision)
    if (stream.hold === undefined) inTime(stream, revision)
  }

  /** A reader who is there is told as soon as it is on the disk. */
  const inTime = ({ name, waiting }: StreamRecord, revision: number) => {
    if (waiting === undefined) return
    const lateMs = Math.min(moments.atLeastSince(moments.durable(revision)), moments.atLeastSince(waiting))
    if (lateMs > SLACK_MS) report('stream-complete', `${name} is told of revision ${revision} ${lateMs} ms late`)
  }

  /** Something comes within the time of a heartbeat. */
  const isSilent = (stream: StreamRecord) => {
    const { waiting, lastTold, heartbeatMs } = stream
    if (waiting === undefined) return 0
    const silentMs = Math.min(moments.atLeastSince(waiting), moments.atLeastSince(lastTold))
    return silentMs - heartbeatMs - LATE_MS - SLACK_MS - (disk.busyMs() - stream.diskMs)
  }

  const leaseEnded = ({ name, hold }: StreamRecord) => {
    coverage.count('stream ended with its lease')
    if (hold !== undefined && lives.hasLeaseEnded(hold.leaseId)) return
    report('lease-end', `${name} is told that its lease is over, and by the log it is not`)
  }

  const look = (stream: StreamRecord) => {
    const revision = stream.hold === undefined ? undefined : missing(stream, disk.history.length)
    waves.look(stream, revision === undefined ? undefined : disk.history[revision - 1])
  }

  return {
    missing,
    look,
    told: (stream, item) => {
      const overMs = isSilent(stream)
      if (overMs > 0 && item.kind !== 'ended') {
        report('heartbeat-never-ahead', `${stream.name} heard nothing for ${overMs} ms more than ${stream.heartbeatMs}`)
      }
      if (item.kind === 'ended') {
        stream.isOpen = false
        if (item.failure?.reason === 'SUPERSEDED') coverage.count('hold superseded')
        if (item.failure?.reason === 'LEASE_NOT_FOUND') leaseEnded(stream)
        return
      }
      if (item.kind === 'heartbeat') heartbeat(stream, item.revision)
      else entry(stream, item)
      stream.cursor = Math.max(stream.cursor, item.revision)
      stream.lastTold = moments.now()
      stream.diskMs = disk.busyMs()
      look(stream)
    },
  }
}

function matching({ sets, types }: Pick<StreamRecord, 'sets' | 'types'>, events: readonly Event[]): readonly Event[] {
  return events.filter((event) => {
    if (![...types].some((type) => type === event.kind) || !('set' in event)) return false
    if (sets === 'all') return true
    const { token, setId } = event.set
    return [...sets.tokens].some((named) => named === token) || [...sets.setIds].some((named) => named === setId)
  })
}
