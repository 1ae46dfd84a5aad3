import { forgetEndedSets } from '../core/ended-sets.ts'
import { isFailure } from '../core/failure.ts'
import { asRevision, type Revision } from '../core/ids.ts'
import { freeze } from '../core/state.ts'
import type { Store } from '../store/store.ts'
import type { Clock } from './clock.ts'
import { CLOCK_MARK, numberMark } from './open-space.ts'
import type { Sequencer } from './sequencer.ts'

/** What is done beside serving, on a beat: keeping the serving clock, writing snapshots, compacting the log. */
export interface Upkeep {
  /** The oldest cursor that works. */
  readonly compactRevision: Revision
  /** Drops what is at or below a durable revision; what is dropped already is no fault. */
  compact(revision: Revision): Promise<void>
  /** Resolves when what is under way has come to its end. */
  stop(): Promise<void>
}

export interface UpkeepOptions {
  readonly store: Store
  readonly sequencer: Sequencer
  readonly clock: Clock
  readonly compactRevision: Revision
  /** Serving time is looked at this often, and kept while something waits for it. */
  readonly beatMs: number
  /** Entries and bytes that the log may hold; over either it is compacted to nine tenths. */
  readonly historyRevisions: number
  readonly historyBytes: number
  /** A snapshot is written when a start would have to replay this many entries. */
  readonly snapshotEvery: number
  readonly onFailure: (cause: unknown) => void
}

const KEPT_SHARE = 0.9

export function startUpkeep(options: UpkeepOptions): Upkeep {
  const { store, sequencer, clock, beatMs, historyRevisions, historyBytes, snapshotEvery, onFailure } = options
  let compactRevision = options.compactRevision
  let keptMs = 0
  let work: Promise<void> | undefined
  let isStopped = false
  let cancel: () => void = () => undefined

  const beat = () => {
    // Looking at the clock is what makes serving time pass, so it is looked at even when nothing is to be kept.
    const servingMs = sequencer.servingMs
    sequencer.forgetAnswers()
    sequencer.expireLeases()
    if (sequencer.isWaiting && servingMs > keptMs) {
      sequencer.mark(numberMark(CLOCK_MARK, servingMs))
      keptMs = servingMs
    }
    if (work === undefined) void run(tidy)
    cancel = clock.after(beatMs, beat)
  }

  /** One thing at a time: a snapshot that is being written is what a compaction may be waiting for. */
  const run = (task: () => Promise<void>): Promise<void> => {
    const done = (work === undefined ? task() : work.then(task)).catch(onFailure)
    const own = done.finally(() => {
      if (work === own) work = undefined
    })
    work = own
    return own
  }

  const tidy = async () => {
    if (store.size().sinceSnapshot >= snapshotEvery && !(await snapshot())) return
    const target = compactionTarget()
    if (target !== undefined) await compactTo(target)
  }

  const snapshot = async (): Promise<boolean> => {
    const frozen = await sequencer.read(freeze)
    if (isFailure(frozen) || isStopped) return false
    await store.writeSnapshot(frozen)
    return !isStopped
  }

  const compactTo = async (target: Revision) => {
    if (target <= compactRevision) return
    const { sinceSnapshot, entries } = store.size()
    const isSnapshotOld = target > compactRevision + entries - sinceSnapshot
    if (isStopped || (isSnapshotOld && !(await snapshot()))) return
    // First, since entries go piece by piece: whoever misses one meanwhile must be told of the new beginning.
    compactRevision = target
    forgetEndedSets(sequencer.state.endedSets, target)
    await store.compact(target)
  }

  const compactionTarget = (): Revision | undefined => {
    const { entries, logBytes } = store.size()
    if (entries <= historyRevisions && logBytes <= historyBytes) return undefined
    const byBytes = Math.floor((entries * KEPT_SHARE * historyBytes) / logBytes)
    const kept = Math.min(Math.floor(historyRevisions * KEPT_SHARE), byBytes)
    return asRevision(compactRevision + entries - kept)
  }

  beat()
  return {
    get compactRevision() {
      return compactRevision
    },
    compact: (revision) => run(() => compactTo(revision)),
    stop: async () => {
      isStopped = true
      cancel()
      await work
    },
  }
}
