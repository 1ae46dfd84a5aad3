import { evolve } from '../core/evolve.ts'
import { PAGE_IDS } from '../core/id-pages.ts'
import { asRevision } from '../core/ids.ts'
import { violations } from '../core/invariants.ts'
import { ANYTHING_GOES, type Base, createReplay, emptyBase, reindex } from '../core/reindex.ts'
import type { State } from '../core/state.ts'
import { decodeEntry, decodeLines, decodePart } from './codec.ts'
import type { Kv } from './kv.ts'
import { readShares, type Share } from './kv-log.ts'
import {
  checkFormat,
  type LogMeta,
  readFormat,
  readGenesis,
  readLogMeta,
  readSnapshotMeta,
  verifyFormat,
} from './kv-meta.ts'
import { eachMark, snapshotRecords } from './kv-store.ts'
import { decodeSnapshot } from './snapshot.ts'
import { type Mark, StoreError } from './store.ts'

/** Reads everything that a store has, changes nothing, and says all that is wrong with it. */

export interface Verified {
  /** A sentence for each thing that is wrong: what and where. */
  readonly problems: readonly string[]
  readonly found: Found
}

/** What was read, as far as it could be. */
export interface Found {
  format: number
  spaceId: string
  revision: number
  compactRevision: number
  entries: number
  sets: number
  leases: number
  allocated: number
  marks: number
}

/** Says what is wrong with marks, which the store does not understand. Given in the order of their keys. */
export type CheckMark = (mark: Mark) => string | undefined

/** Of the same kind of damage an operator need not read more. */
const MAX_PROBLEMS = 1000

interface Look {
  readonly kv: Kv
  readonly found: Found
  readonly problems: string[]
}

export function verifyKv(kv: Kv, checkMark: CheckMark): Verified {
  const counts = { revision: 0, compactRevision: 0, entries: 0, sets: 0, leases: 0, allocated: 0, marks: 0 }
  const look: Look = { kv, problems: [], found: { format: 0, spaceId: '', ...counts } }
  attempt(look, () => checkFormat(kv))
  attempt(look, () => verifyFormat(kv))
  attempt(look, () => {
    const { spaceId, handleKey } = readGenesis(kv)
    if (spaceId === '' || handleKey.length === 0) look.problems.push(`${kv.name} lacks its space id or its handle key`)
    look.found.spaceId = spaceId
  })
  look.found.format = readFormat(kv)
  const meta = attempt(look, () => readLogMeta(kv)) ?? { compactRevision: asRevision(0), bytes: 0 }
  const base = verifySnapshot(look)
  const state = verifyLog(look, meta, base)
  if (state !== undefined) verifyState(look, state)
  verifyMarks(look, checkMark)
  return { found: look.found, problems: look.problems.slice(0, MAX_PROBLEMS) }
}

/** The snapshot in force; undefined where it is damaged. */
function verifySnapshot(look: Look): Base | undefined {
  const { kv, problems } = look
  const before = problems.length
  const meta = attempt(look, () => readSnapshotMeta(kv))
  if (problems.length > before) return undefined
  if (meta === undefined || meta.number === 0) return emptyBase(ANYTHING_GOES.capacity)
  const records = [...snapshotRecords(kv, meta.number)]
  for (const [number, record] of records.entries()) {
    attempt(look, () => decodePart(record, `part ${number} of the snapshot`))
  }
  if (problems.length > before) return undefined
  const base = attempt(look, () => decodeSnapshot(records))
  if (base === undefined || base.revision === meta.revision) return base
  problems.push(`the snapshot is of revision ${base.revision}, not of ${meta.revision}`)
  return undefined
}

/** The state at the end of the log; undefined where it cannot be told. */
function verifyLog(look: Look, meta: LogMeta, base: Base | undefined): State | undefined {
  const { kv, found, problems } = look
  const replay = base === undefined ? undefined : createReplay(base)
  let isWhole = true
  let bytes = 0
  let last = 0
  attempt(look, () => {
    for (const share of readShares(kv, 0, Number.MAX_SAFE_INTEGER - 1)) {
      bytes += share.records.reduce((sum, { length }) => sum + length, 0)
      // What a compaction has yet to remove may begin anywhere.
      const due = last === 0 ? Math.min(share.first, meta.compactRevision + 1) : last + 1
      if (share.first !== due) {
        problems.push(`log entries ${due} to ${share.first - 1} are missing`)
        isWhole = false
      }
      const count = verifyShare(look, share, replay)
      if (count === undefined) isWhole = false
      // Of a damaged one it is not known how many it had: the next one says.
      last = share.first - 1 + (count ?? nextShareDistance(kv, share.first))
    }
  })
  found.compactRevision = meta.compactRevision
  found.revision = Math.max(last, meta.compactRevision)
  found.entries = found.revision - meta.compactRevision
  if (isWhole && bytes !== meta.bytes) problems.push(`the log has ${bytes} bytes, and its record says ${meta.bytes}`)
  if (base !== undefined && base.revision < meta.compactRevision) {
    problems.push(`the log begins after ${meta.compactRevision}, and the snapshot is of revision ${base.revision}`)
    return undefined
  }
  if (base !== undefined && isWhole && base.revision > found.revision) {
    problems.push(`the log ends at ${found.revision}, and the snapshot is of revision ${base.revision}`)
    return undefined
  }
  return isWhole && replay?.revision === found.revision ? replay : undefined
}

/** How many entries it has; undefined where one is damaged, or does not follow from what was before. */
function verifyShare(look: Look, { first, records }: Share, replay: State | undefined): number | undefined {
  return attempt(look, () => {
    const lines = decodeLines(records, first)
    for (const [index, line] of lines.entries()) {
      const entry = decodeEntry(line, asRevision(first + index))
      if (replay === undefined || entry.revision !== replay.revision + 1) continue
      try {
        evolve(replay, entry)
      } catch (error) {
        throw new Error(`log entry ${entry.revision} does not fit what was before it: ${messageOf(error)}`, {
          cause: error,
        })
      }
    }
    return lines.length
  })
}

function nextShareDistance(kv: Kv, first: number): number {
  for (const share of readShares(kv, first + 1, Number.MAX_SAFE_INTEGER - 1)) {
    if (share.first > first) return share.first - first
  }
  return 1
}

function verifyState({ found, problems }: Look, replay: State): void {
  const state = reindex(replay, { ...ANYTHING_GOES, capacity: capacityFor(replay) })
  if ('contradiction' in state) {
    problems.push(`at revision ${replay.revision} ${state.contradiction}`)
    return
  }
  for (const sentence of violations(state)) problems.push(`at revision ${state.revision}: ${sentence}`)
  Object.assign(found, { sets: state.sets.size, leases: state.leases.size, allocated: state.allocated })
}

/** The least that can hold it: what it was under is not on record, and every id is visited. */
function capacityFor({ table, reservedByQuotas, unreservedUse }: State): number {
  const pages = table.pages.findLastIndex((page) => page !== undefined) + 1
  return Math.min(ANYTHING_GOES.capacity, Math.max(2, pages * PAGE_IDS, reservedByQuotas + unreservedUse + 1))
}

function verifyMarks(look: Look, checkMark: CheckMark): void {
  const { kv, found, problems } = look
  attempt(look, () => {
    for (const read of eachMark(kv)) {
      found.marks += 1
      const mark = attempt(look, read)
      const problem = mark === undefined ? undefined : attempt(look, () => checkMark(mark))
      if (problem !== undefined) problems.push(problem)
    }
  })
}

/** What it comes to, or undefined with what is wrong told. */
function attempt<Value>({ problems }: Look, read: () => Value): Value | undefined {
  try {
    return read()
  } catch (error) {
    problems.push(messageOf(error))
    return undefined
  }
}

/** Without what a start tells its operator to do. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (!(error instanceof StoreError)) return error.message
  return error.message.replace(/^the data are damaged: /, '').replace(/; restore a backup$/, '')
}
