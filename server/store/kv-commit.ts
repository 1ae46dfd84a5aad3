import type { Revision } from '../core/ids.ts'
import type { Change, Kv } from './kv.ts'
import type { SnapshotMeta } from './kv-meta.ts'
import { type Genesis, StoreError } from './store.ts'
import { isQuick, noteSync, type SyncPace } from './sync-pace.ts'

/** What a store on a Kv knows without reading. */
export interface KvState {
  readonly kv: Kv
  /** Monotonic, ns. */
  readonly clock: () => bigint
  readonly pace: SyncPace
  /** Something was written on the main thread in this turn of the event loop. */
  wroteInTurn: boolean
  readonly genesis: Genesis
  compactRevision: Revision
  /** Entries up to here are gone: the compact revision, or, while a compaction is under way, something less. */
  removedRevision: Revision
  lastRevision: Revision
  logBytes: number
  /** Number 0: there is none. */
  snapshot: SnapshotMeta
  nextSnapshot: number
  /** Settles when the write under way is over. */
  writing: Promise<void> | undefined
  /** Settles when all snapshots and compactions asked for are over. */
  upkeep: Promise<void>
  /** The first write that failed: what is on disk is not known any more, so nothing is added to it. */
  failure: StoreError | undefined
  closed: boolean
}

export interface Step {
  readonly changes: readonly Change[]
  /** Little enough to be written on the main thread. */
  readonly small?: boolean
  /** Notes what is true now that the changes are on disk. */
  readonly done?: () => void
}

/**
 * One transaction. It waits for the one under way; `plan` is called when its turn has come, because the other may have
 * changed what it builds on. A small one is on disk before this returns, if nothing is under way, the disk is quick, and
 * it is the first in its turn of the event loop: an owner who appends again as soon as he may would let nobody else go on.
 */
export async function commit(state: KvState, plan: () => Step): Promise<void> {
  while (state.writing !== undefined) await state.writing
  mustBeOpen(state)
  const { changes, small = false, done = () => {} } = plan()
  if (changes.length === 0) return
  const start = state.clock()
  if (small && isQuick(state.pace) && !state.wroteInTurn) {
    waitForTurn(state)
    try {
      state.kv.writeNow(changes)
    } catch (error) {
      throw fail(state, error)
    }
    noteSync(state.pace, Number(state.clock() - start))
    done()
    return
  }
  let over = () => {}
  state.writing = new Promise((resolve) => {
    over = resolve
  })
  try {
    await state.kv.write(changes)
    if (small) noteSync(state.pace, Number(state.clock() - start))
    // Before the turn is over: who comes next builds on it.
    done()
  } catch (error) {
    throw fail(state, error)
  } finally {
    state.writing = undefined
    over()
  }
}

function waitForTurn(state: KvState): void {
  state.wroteInTurn = true
  setImmediate(() => {
    state.wroteInTurn = false
  })
}

function fail(state: KvState, cause: unknown): StoreError {
  state.failure = cause instanceof StoreError ? cause : new StoreError('IO', `${state.kv.name} failed`, { cause })
  return state.failure
}

export function mustBeOpen(state: KvState): void {
  if (state.failure !== undefined) throw state.failure
  if (state.closed) throw new StoreError('IO', `${state.kv.name} is closed`)
}

/** Snapshots and compactions one after the other, so that an append never waits for more than one piece of one of them. */
export function inLine(state: KvState, work: () => Promise<void>): Promise<void> {
  const outcome = state.upkeep.then(work)
  state.upkeep = outcome.catch(() => {})
  return outcome
}
