import { asRevision, type Revision } from '../core/ids.ts'
import { type BackupHeader, FRAME } from './backup-file.ts'
import { type Frame, notWhole } from './backup-reader.ts'
import { decodeEntry, decodeJson, decodeLines, decodePart, fromBase64 } from './codec.ts'
import type { Change, Kv } from './kv.ts'
import { addToLog, partKey } from './kv-log.ts'
import { beginningOf, FORMAT, logMetaChange, snapshotMetaChange } from './kv-meta.ts'
import { markChange, snapshotRecords } from './kv-store.ts'
import { decodeSnapshot } from './snapshot.ts'
import { type Mark, StoreError } from './store.ts'

/** Puts the frames of a backup into an empty store, so that it is what the daemon had at the backup's revision. */

export interface Restored {
  readonly header: BackupHeader
  readonly compactRevision: Revision
  readonly entries: number
}

export interface RestoreOptions {
  /** Of the restored space: another history than the one that was backed up. */
  readonly spaceId: string
  /** Of the backup, for messages. */
  readonly name: string
  /** Marks that a restored space has besides: what is given is the snapshot's end and the marks of the backup without answers. */
  readonly marksOf: (ended: Ended) => readonly Mark[]
}

export interface Ended {
  readonly lastSetId: number
  readonly lastLeaseId: number
  readonly servingMs: number
  readonly marks: ReadonlyMap<string, Mark>
}

/** Of one transaction: each is on disk before the next. */
const PIECE_BYTES = 4 << 20
const SNAPSHOT = 1
/** Marks with small values, and few of them, that the caller may look at; answers and leases are many. */
const isOwnMark = ({ key }: Mark) => !key.includes('/')

export async function restoreInto(kv: Kv, frames: AsyncIterable<Frame>, options: RestoreOptions): Promise<Restored> {
  const { name } = options
  const write = writerOf(kv)
  const log = createLogRestore(kv, write, name)
  const marks = new Map<string, Mark>()
  let header: BackupHeader | undefined
  let parts = 0
  for await (const { kind, payload } of frames) {
    switch (kind) {
      case FRAME.header:
        header = decodeJson(payload, `the header of ${name}`) as BackupHeader
        mustBeReadable(header, name)
        break
      case FRAME.snapshot:
        await write.add({ table: 'snapshots', key: partKey(SNAPSHOT, parts), value: payload })
        parts += 1
        break
      case FRAME.begin:
        await log.begin(asRevision((decodeJson(payload, name) as { compactRevision: number }).compactRevision))
        break
      case FRAME.log:
        await log.add(payload)
        break
      case FRAME.marks:
        for (const mark of readMarks(payload, name)) {
          if (isOwnMark(mark)) marks.set(mark.key, mark)
          await write.add(markChange(mark))
        }
        break
    }
  }
  if (header === undefined) throw notWhole(name, 'it has no header')
  await write.flush()
  const base = decodeSnapshot(snapshotRecords(kv, SNAPSHOT))
  const revision = asRevision(header.revision)
  if (base.revision !== revision)
    throw notWhole(name, `its snapshot is of revision ${base.revision}, not of ${revision}`)
  if (log.lastRevision !== revision) throw notWhole(name, `its log ends at ${log.lastRevision}, not at ${revision}`)
  for (const mark of options.marksOf({ ...base, marks })) await write.add(markChange(mark))
  const handleKey = fromBase64(header.handleKey)
  for (const change of [
    ...beginningOf(header.dataFormat, { spaceId: options.spaceId, handleKey }),
    logMetaChange({ compactRevision: log.compactRevision, bytes: log.bytes }),
    snapshotMetaChange({ number: SNAPSHOT, revision }),
  ]) {
    await write.add(change)
  }
  await write.flush()
  return { header, compactRevision: log.compactRevision, entries: revision - log.compactRevision }
}

function mustBeReadable({ dataFormat, version }: BackupHeader, name: string): void {
  if (dataFormat <= FORMAT) return
  const message = `${name} holds data of format ${dataFormat}, this release reads up to ${FORMAT}: restore with ${version}`
  throw new StoreError('NEWER_FORMAT', message)
}

function readMarks(payload: Uint8Array, name: string): Mark[] {
  const written = decodeJson(payload, `marks of ${name}`) as readonly (readonly [key: string, value: string])[]
  return written.map(([key, value]) => ({ key, value: fromBase64(value) }))
}

interface Writer {
  add(change: Change): Promise<void>
  flush(): Promise<void>
}

function writerOf(kv: Kv): Writer {
  let changes: Change[] = []
  let bytes = 0
  const flush = async () => {
    if (changes.length > 0) await kv.write(changes)
    changes = []
    bytes = 0
  }
  return {
    add: async (change) => {
      changes.push(change)
      bytes += 100 + (change.value?.length ?? 0)
      if (bytes >= PIECE_BYTES) await flush()
    },
    flush,
  }
}

function createLogRestore(kv: Kv, write: Writer, name: string) {
  let compactRevision = asRevision(0)
  let lastRevision = asRevision(0)
  let bytes = 0
  /** Records of entries whose last one has yet to come. */
  let records: Uint8Array[] = []
  return {
    get compactRevision() {
      return compactRevision
    },
    get lastRevision() {
      return lastRevision
    },
    get bytes() {
      return bytes
    },
    /** What came before was compacted while the backup was made. */
    begin: async (revision: Revision) => {
      await write.flush()
      for (const key of [...kv.keys('log', partKey(0, 0), partKey(revision + 1, 0))]) {
        await write.add({ table: 'log', key, value: null })
      }
      await write.flush()
      compactRevision = revision
      lastRevision = revision
      bytes = 0
    },
    add: async (record: Uint8Array) => {
      records.push(record)
      const first = lastRevision + 1
      if (decodePart(record, `log entry ${first} of ${name}`).more) return
      const entries = decodeLines(records, first).map((line, index) => decodeEntry(line, asRevision(first + index)))
      records = []
      for (const change of addToLog(entries)) {
        bytes += change.value?.length ?? 0
        await write.add(change)
      }
      lastRevision = asRevision(lastRevision + entries.length)
    },
  }
}
