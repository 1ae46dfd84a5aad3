import type { Entry } from '../core/event.ts'
import { asRevision, type Revision } from '../core/ids.ts'
import type { Base } from '../core/reindex.ts'
import { mustBeMark, mustFollow, wasCompacted } from './checks.ts'
import { damaged, decodePart, encodePart } from './codec.ts'
import type { Change, Kv } from './kv.ts'
import { commit, inLine, type KvState, mustBeOpen } from './kv-commit.ts'
import { addToLog, findLog, partKey, readLog, readPartKey } from './kv-log.ts'
import {
  ascii,
  beginHistory,
  checkFormat,
  logMetaChange,
  raiseFormat,
  readGenesis,
  readLogMeta,
  readSnapshotMeta,
} from './kv-meta.ts'
import { compact, removeCompacted, removeSnapshots, writeSnapshot } from './kv-upkeep.ts'
import { decodeSnapshot } from './snapshot.ts'
import type { Batch, Genesis, Loaded, Mark, Store } from './store.ts'
import { createSyncPace } from './sync-pace.ts'

/** How much of the log or of the marks is read at once when all of it is. */
const CHUNK_BYTES = 1 << 20
/** What a mark costs besides its value. */
const MARK_BYTES = 200
const FIRST_KEY = Uint8Array.of(0)
const BEYOND_ASCII = Uint8Array.of(0x80)
/** What is written on the main thread if the disk is quick (sync-pace.ts). */
const SMALL_ENTRIES = 2
const SMALL_BYTES = 32 << 10

/**
 * A Store on an ordered map:
 *
 *     table       key                  value
 *     meta        format               "2"
 *                 format-again         the same as a record, so that a changed byte is found
 *                 genesis              space id and handle key
 *                 log                  compact revision, and the bytes of all entries, so that a start need not add them up
 *                 snapshot             which snapshot is in force
 *     log         revision, part       a part of the entries from this one on that were written together (kv-log.ts)
 *     snapshots   number, part         a part of the snapshot (snapshot.ts)
 *     marks       the mark's           its value, as a record
 *
 * `genesis` names the history if there is none yet. Throws StoreError NEWER_FORMAT or DAMAGED.
 */
export async function openKvStore(kind: Store['kind'], kv: Kv, genesis: Genesis, clock: () => bigint): Promise<Store> {
  await beginHistory(kv, genesis)
  checkFormat(kv)
  const state = readState(kv, clock)
  return {
    kind,
    load: () => load(state),
    append: (batch) => append(state, batch),
    tail: async (after, maxBytes) => tail(state, after, maxBytes),
    readMark: async (key) => {
      mustBeOpen(state)
      const record = kv.get('marks', ascii(key))
      return record === undefined ? undefined : readMark(key, record).value
    },
    readMarks: async (after, maxBytes) => {
      mustBeOpen(state)
      return readMarks(kv, after === '' ? FIRST_KEY : ascii(`${after}\0`), maxBytes)
    },
    writeSnapshot: (frozen) => inLine(state, () => writeSnapshot(state, frozen)),
    compact: (revision) => inLine(state, () => compact(state, revision)),
    size: () => ({
      entries: state.lastRevision - state.removedRevision,
      logBytes: state.logBytes,
      sinceSnapshot: state.lastRevision - state.snapshot.revision,
    }),
    close: () => close(state),
  }
}

function readState(kv: Kv, clock: () => bigint): KvState {
  const { compactRevision, bytes } = readLogMeta(kv) ?? { compactRevision: asRevision(0), bytes: 0 }
  return {
    kv,
    clock,
    pace: createSyncPace(),
    wroteInTurn: false,
    genesis: readGenesis(kv),
    compactRevision,
    removedRevision: compactRevision,
    lastRevision: compactRevision,
    logBytes: bytes,
    snapshot: readSnapshotMeta(kv) ?? { number: 0, revision: asRevision(0) },
    nextSnapshot: 1,
    writing: undefined,
    upkeep: Promise.resolve(),
    failure: undefined,
    closed: false,
  }
}

async function load(state: KvState): Promise<Loaded> {
  mustBeOpen(state)
  const base = readSnapshot(state)
  const { removedRevision, lastRevision, unfinished } = findLog(state.kv, state.compactRevision)
  const { revision } = state.snapshot
  if (revision < state.compactRevision || revision > lastRevision) {
    const kept = `the log has entries ${state.compactRevision + 1} to ${lastRevision}`
    throw damaged(`${kept}, and the snapshot is of revision ${revision}`)
  }
  state.removedRevision = removedRevision
  state.lastRevision = lastRevision
  await commit(state, () => ({ changes: [...raiseFormat(state.kv), ...unfinished] }))
  await removeSnapshots(state)
  await removeCompacted(state)
  return {
    ...state.genesis,
    base,
    entries: entriesAfter(state, revision, lastRevision),
    marks: marksOf(state),
    compactRevision: state.compactRevision,
  }
}

function readSnapshot(state: KvState): Base | undefined {
  const { kv, snapshot } = state
  const lastKey = kv.lastKey('snapshots')
  const newest = lastKey === undefined ? 0 : readPartKey(lastKey, 'a snapshot').number
  state.nextSnapshot = Math.max(newest, snapshot.number) + 1
  if (snapshot.number === 0) return undefined
  const base = decodeSnapshot(snapshotRecords(kv, snapshot.number))
  if (base.revision === snapshot.revision) return base
  throw damaged(`the snapshot is of revision ${base.revision}, not of ${snapshot.revision}`)
}

export function* snapshotRecords(kv: Kv, number: number): Generator<Uint8Array, void, undefined> {
  for (const { value } of kv.range('snapshots', partKey(number, 0), partKey(number + 1, 0))) yield value
}

async function* entriesAfter(state: KvState, after: Revision, last: Revision): AsyncGenerator<Entry, void, undefined> {
  for (let cursor = after; cursor < last; ) {
    mustBeOpen(state)
    const chunk = readLog(state.kv, cursor, last, CHUNK_BYTES)
    yield* chunk
    cursor = asRevision(cursor + chunk.length)
  }
}

async function* marksOf(state: KvState): AsyncGenerator<Mark, void, undefined> {
  for (let from: Uint8Array | undefined = FIRST_KEY; from !== undefined; ) {
    mustBeOpen(state)
    const chunk = readMarks(state.kv, from, CHUNK_BYTES)
    yield* chunk
    const last = chunk.at(-1)
    from = last === undefined ? undefined : ascii(`${last.key}\0`)
  }
}

/** Every mark by key ascending, each still to be read: a damaged one keeps nobody from the next. */
export function* eachMark(kv: Kv): Generator<() => Mark, void, undefined> {
  for (const { key, value } of kv.range('marks', FIRST_KEY, BEYOND_ASCII)) {
    yield () => readMark(Buffer.from(key).toString('latin1'), value)
  }
}

/** Marks from a key on, as many as are read quickly; none when there are no more. */
function readMarks(kv: Kv, from: Uint8Array, maxBytes: number): Mark[] {
  const marks: Mark[] = []
  let bytes = 0
  for (const { key, value } of kv.range('marks', from, BEYOND_ASCII)) {
    bytes += value.length + MARK_BYTES
    if (bytes > maxBytes && marks.length > 0) break
    marks.push(readMark(Buffer.from(key).toString('latin1'), value))
  }
  return marks
}

function readMark(key: string, record: Uint8Array): Mark {
  // A copy, because the record may be a view of something larger, and a Buffer.
  return { key, value: new Uint8Array(decodePart(record, `mark ${key}`).payload) }
}

async function append(state: KvState, batch: Batch): Promise<void> {
  batch.marks.forEach(mustBeMark)
  const log = addToLog(batch.entries)
  const marks = batch.marks.map(markChange)
  const logBytes = countBytes(log)
  const small = batch.entries.length <= SMALL_ENTRIES && logBytes + countBytes(marks) <= SMALL_BYTES
  await commit(state, () => {
    mustFollow(batch.entries, state.lastRevision)
    const bytes = state.logBytes + logBytes
    const meta = log.length === 0 ? [] : [logMetaChange({ compactRevision: state.compactRevision, bytes })]
    return {
      changes: [...log, ...marks, ...meta],
      small,
      done: () => {
        state.logBytes = bytes
        state.lastRevision = asRevision(state.lastRevision + batch.entries.length)
      },
    }
  })
}

export function markChange({ key, value }: Batch['marks'][number]): Change {
  const record = value === null ? null : encodePart({ number: 0, more: false, payload: value })
  return { table: 'marks', key: ascii(key), value: record }
}

function countBytes(changes: readonly Change[]): number {
  return changes.reduce((bytes, { value }) => bytes + (value?.length ?? 0), 0)
}

function tail(state: KvState, after: Revision, maxBytes: number): readonly Entry[] {
  mustBeOpen(state)
  if (after < state.compactRevision) throw wasCompacted(after, state.compactRevision)
  return readLog(state.kv, after, state.lastRevision, maxBytes)
}

async function close(state: KvState): Promise<void> {
  await state.upkeep
  while (state.writing !== undefined) await state.writing
  if (state.closed) return
  state.closed = true
  await state.kv.close()
}
