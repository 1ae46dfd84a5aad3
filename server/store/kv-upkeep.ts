import { setImmediate } from 'node:timers/promises'
import type { Revision } from '../core/ids.ts'
import type { FrozenState } from '../core/state.ts'
import { mustNotExceed } from './checks.ts'
import type { Change } from './kv.ts'
import { commit, type KvState } from './kv-commit.ts'
import { partKey, readPartKey, removeOldest } from './kv-log.ts'
import { logMetaChange, snapshotMetaChange } from './kv-meta.ts'
import { encodeSnapshot } from './snapshot.ts'

/**
 * Snapshots and compactions are cut into pieces, each a transaction of its own. After each the event loop turns, and an
 * append that waits goes first. What a crash leaves behind in the middle is removed by the next start.
 */
/** A page of the id table, or a few hundred entries: a few milliseconds. */
const PIECE_BYTES = 128 << 10
const PIECE_RECORDS = 256

export async function writeSnapshot(state: KvState, frozen: FrozenState): Promise<void> {
  mustNotExceed('a snapshot', frozen.revision, 'the last entry', state.lastRevision)
  mustNotExceed('the earlier snapshot', state.snapshot.revision, 'the new one', frozen.revision)
  const number = state.nextSnapshot++
  try {
    let part = 0
    for (const piece of piecesOf(encodeSnapshot(frozen))) {
      const changes = piece.map((value): Change => ({ table: 'snapshots', key: partKey(number, part++), value }))
      await commit(state, () => ({ changes }))
      await setImmediate()
    }
    const snapshot = { number, revision: frozen.revision }
    await commit(state, () => ({
      changes: [snapshotMetaChange(snapshot)],
      done: () => {
        state.snapshot = snapshot
      },
    }))
  } finally {
    // The earlier one; or, where this one came to nothing, its pieces.
    if (state.failure === undefined) await removeSnapshots(state)
  }
}

/** Removes every snapshot but the one in force. */
export async function removeSnapshots(state: KvState): Promise<void> {
  for (;;) {
    const changes: Change[] = []
    for (const key of state.kv.keys('snapshots', partKey(0, 0), partKey(Number.MAX_SAFE_INTEGER, 0))) {
      if (readPartKey(key, 'a snapshot').number === state.snapshot.number) continue
      changes.push({ table: 'snapshots', key, value: null })
      if (changes.length === PIECE_RECORDS) break
    }
    if (changes.length === 0) return
    await commit(state, () => ({ changes }))
    await setImmediate()
  }
}

export async function compact(state: KvState, revision: Revision): Promise<void> {
  if (revision <= state.compactRevision) return
  mustNotExceed('a compaction', revision, 'the newest snapshot', state.snapshot.revision)
  // First the word, then the deed: what is half removed can no longer be asked for, and a start knows how to go on.
  await commit(state, () => ({
    changes: [logMetaChange({ compactRevision: revision, bytes: state.logBytes })],
    done: () => {
      state.compactRevision = revision
    },
  }))
  await removeCompacted(state)
}

/** Removes what the compact revision says is gone. */
export async function removeCompacted(state: KvState): Promise<void> {
  while (state.removedRevision < state.compactRevision) {
    const removal = removeOldest(state.kv, state.compactRevision, PIECE_RECORDS, PIECE_BYTES)
    await commit(state, () => {
      const bytes = state.logBytes - removal.bytes
      return {
        changes: [...removal.changes, logMetaChange({ compactRevision: state.compactRevision, bytes })],
        done: () => {
          state.logBytes = bytes
          state.removedRevision = removal.throughRevision
        },
      }
    })
    await setImmediate()
  }
}

/** Records in groups that are worth a transaction and are written quickly. */
function* piecesOf(records: Iterable<Uint8Array>): Generator<Uint8Array[], void, undefined> {
  let piece: Uint8Array[] = []
  let bytes = 0
  for (const record of records) {
    piece.push(record)
    bytes += record.length
    if (bytes < PIECE_BYTES) continue
    yield piece
    piece = []
    bytes = 0
  }
  if (piece.length > 0) yield piece
}
