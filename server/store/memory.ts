import { setImmediate } from 'node:timers/promises'
import { type Entry, weigh } from '../core/event.ts'
import { asRevision, type Revision } from '../core/ids.ts'
import { mustBeMark, mustFollow, mustNotExceed, wasCompacted } from './checks.ts'
import { decodeSnapshot, encodeSnapshot } from './snapshot.ts'
import { type Batch, type Genesis, type Loaded, type Mark, type Store, StoreError } from './store.ts'

interface Memory {
  readonly genesis: Genesis
  /** Entries compactRevision+1 … , without gaps. */
  entries: Entry[]
  compactRevision: Revision
  readonly marks: Map<string, Uint8Array>
  snapshot: { readonly revision: Revision; readonly records: readonly Uint8Array[] } | undefined
  logBytes: number
  closed: boolean
}

/**
 * A store that keeps its promises as long as the process lives: for tests, demonstrations and hosts whose PASIDs do not
 * outlive the daemon. `load` may be called again, and then gives what a restart would.
 */
export function createMemoryStore(genesis: Genesis): Store {
  const memory: Memory = {
    genesis,
    entries: [],
    compactRevision: asRevision(0),
    marks: new Map(),
    snapshot: undefined,
    logBytes: 0,
    closed: false,
  }
  return {
    kind: 'memory',
    load: async () => load(memory),
    append: async (batch) => append(memory, batch),
    tail: async (after, maxBytes) => tail(memory, after, maxBytes),
    readMark: async (key) => memory.marks.get(key),
    readMarks: async (after, maxBytes) => readMarks(memory, after, maxBytes),
    writeSnapshot: async (state) => {
      mustNotExceed('a snapshot', state.revision, 'the last entry', lastRevision(memory))
      const records: Uint8Array[] = []
      for (const record of encodeSnapshot(state)) {
        records.push(record)
        await setImmediate()
      }
      if (state.revision >= (memory.snapshot?.revision ?? 0)) memory.snapshot = { revision: state.revision, records }
    },
    compact: async (revision) => compact(memory, revision),
    size: () => ({
      entries: memory.entries.length,
      logBytes: memory.logBytes,
      sinceSnapshot: lastRevision(memory) - (memory.snapshot?.revision ?? 0),
    }),
    close: async () => {
      memory.closed = true
    },
  }
}

function load(memory: Memory): Loaded {
  const base = memory.snapshot === undefined ? undefined : decodeSnapshot(memory.snapshot.records)
  const entries = memory.entries.slice((base?.revision ?? 0) - memory.compactRevision)
  const marks = sortedMarks(memory)
  const { genesis, compactRevision } = memory
  return { ...genesis, base, entries: later(entries), marks: later(marks), compactRevision }
}

function sortedMarks(memory: Memory): Mark[] {
  const marks: Mark[] = [...memory.marks].map(([key, value]) => ({ key, value }))
  return marks.sort((a, b) => (a.key < b.key ? -1 : 1))
}

function readMarks(memory: Memory, after: string, maxBytes: number): readonly Mark[] {
  const marks = sortedMarks(memory).filter(({ key }) => key > after)
  let bytes = 0
  const end = marks.findIndex(({ key, value }) => {
    bytes += key.length + value.length
    return bytes > maxBytes
  })
  return end < 0 ? marks : marks.slice(0, Math.max(1, end))
}

async function* later<Item>(items: Iterable<Item>): AsyncGenerator<Item, void, undefined> {
  yield* items
}

function append(memory: Memory, batch: Batch): void {
  if (memory.closed) throw new StoreError('IO', 'the store is closed')
  mustFollow(batch.entries, lastRevision(memory))
  batch.marks.forEach(mustBeMark)
  for (const entry of batch.entries) {
    memory.entries.push(entry)
    memory.logBytes += weigh(entry)
  }
  for (const { key, value } of batch.marks) {
    if (value === null) memory.marks.delete(key)
    else memory.marks.set(key, value)
  }
}

function tail(memory: Memory, after: Revision, maxBytes: number): readonly Entry[] {
  if (after < memory.compactRevision) throw wasCompacted(after, memory.compactRevision)
  const from = after - memory.compactRevision
  let to = from
  for (let bytes = 0; to < memory.entries.length; to++) {
    const entry = memory.entries[to]
    if (entry === undefined) break
    bytes += weigh(entry)
    if (bytes > maxBytes && to > from) break
  }
  return memory.entries.slice(from, to)
}

function compact(memory: Memory, revision: Revision): void {
  if (revision <= memory.compactRevision) return
  mustNotExceed('a compaction', revision, 'the newest snapshot', memory.snapshot?.revision ?? 0)
  for (const entry of memory.entries.splice(0, revision - memory.compactRevision)) memory.logBytes -= weigh(entry)
  memory.compactRevision = revision
}

function lastRevision(memory: Memory): Revision {
  return asRevision(memory.compactRevision + memory.entries.length)
}
