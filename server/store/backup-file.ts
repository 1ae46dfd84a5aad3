import { createHash, type Hash } from 'node:crypto'
import { encodeEntries, encodeJson, encodePart, toBase64 } from './codec.ts'
import { FORMAT } from './kv-meta.ts'
import { encodeSnapshot } from './snapshot.ts'
import type { BackupItem } from './store.ts'

/**
 * A backup as a file: a line that says what it is, and frames, each a length (4 bytes, little-endian) and a record (codec.ts)
 * whose part number counts the frames. The first byte of a record's payload says what the rest is:
 *
 *     H   JSON: BackupHeader
 *     S   a record of the snapshot (snapshot.ts)
 *     B   JSON: { compactRevision }: the log begins after it; log frames before this one do not count
 *     L   a record of log entries (codec.ts)
 *     M   JSON: marks, [key, base64][]
 *     E   JSON: BackupEnd, which proves that all of it is there
 *
 * in the order H S… B L… (B L…)… M… E. `ioasidctl backup inspect` reads it too (client/cli/backup-file.ts).
 */
export const BACKUP_MAGIC = 'ioasidd backup 1\n'

export const FRAME = { header: 'H', snapshot: 'S', begin: 'B', log: 'L', marks: 'M', end: 'E' } as const
export type FrameKind = (typeof FRAME)[keyof typeof FRAME]

export interface BackupHeader {
  /** Of the daemon that wrote it. */
  readonly version: string
  /** The format of its data (kv-meta.ts). */
  readonly dataFormat: number
  readonly spaceId: string
  /** Base64. A secret: whoever has it can make every handle. */
  readonly handleKey: string
  readonly capacity: number
  readonly revision: number
  readonly wallMs: number
}

export interface BackupEnd {
  readonly frames: number
  readonly entries: number
  readonly marks: number
  /** Of everything before this frame, in hexadecimal. */
  readonly sha256: string
}

/** The file in pieces, each made when it is asked for: a frame is at most about 1.4 MiB, most are an eighth of one. */
export async function* encodeBackup(
  items: AsyncIterable<BackupItem>,
  version: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash('sha256')
  const counts = { frames: 0, entries: 0, marks: 0 }
  const frame = (kind: FrameKind, payload: Uint8Array) => encodeFrame(hash, counts, kind, payload)
  const magic = Buffer.from(BACKUP_MAGIC)
  hash.update(magic)
  yield magic
  for await (const item of items) {
    switch (item.kind) {
      case 'header': {
        const { spaceId, capacity, revision, wallMs } = item
        const handleKey = toBase64(item.handleKey)
        const header: BackupHeader = { version, dataFormat: FORMAT, spaceId, handleKey, capacity, revision, wallMs }
        yield frame(FRAME.header, encodeJson(header))
        break
      }
      case 'state':
        for (const record of encodeSnapshot(item.state)) yield frame(FRAME.snapshot, record)
        break
      case 'begin':
        counts.entries = 0
        yield frame(FRAME.begin, encodeJson({ compactRevision: item.compactRevision }))
        break
      case 'entries':
        counts.entries += item.entries.length
        for (const record of encodeEntries(item.entries)) yield frame(FRAME.log, record)
        break
      case 'marks':
        counts.marks += item.marks.length
        yield frame(FRAME.marks, encodeJson(item.marks.map(({ key, value }) => [key, toBase64(value)])))
        break
    }
  }
  const end: BackupEnd = { ...counts, sha256: hash.copy().digest('hex') }
  yield frame(FRAME.end, encodeJson(end))
}

function encodeFrame(hash: Hash, counts: { frames: number }, kind: FrameKind, payload: Uint8Array): Uint8Array {
  const isLast = kind === FRAME.end
  const record = encodePart({
    number: counts.frames,
    more: !isLast,
    payload: Buffer.concat([Buffer.from(kind), payload]),
  })
  const length = Buffer.alloc(4)
  length.writeUInt32LE(record.length)
  const bytes = Buffer.concat([length, record])
  counts.frames += 1
  hash.update(bytes)
  return bytes
}
