import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/**
 * A backup as a file (server/store/backup-file.ts writes it): a line that says what it is, and frames, each a length and a
 * record: CRC-32 of the rest, version, whether more follow, the frame's number, its kind as a letter, and what it holds. Of
 * what it holds only the header and the counts are looked at.
 */
const MAGIC = 'ioasidd backup 1\n'
const LENGTH_BYTES = 4
const HEAD_BYTES = 11
const MAX_FRAME_BYTES = 8 << 20

/** What an operator may know of it: the key that is in it is not among it. */
export interface BackupFacts {
  readonly bytes: number
  readonly version: string
  readonly dataFormat: number
  readonly spaceId: string
  readonly revision: number
  /** The oldest cursor that works where it is restored. */
  readonly compactRevision: number
  readonly capacity: number
  readonly time: string
  readonly entries: number
  readonly marks: number
}

interface Header {
  readonly version: string
  readonly dataFormat: number
  readonly spaceId: string
  readonly revision: number
  readonly capacity: number
  readonly wallMs: number
}

interface End {
  readonly frames: number
  readonly entries: number
  readonly marks: number
  readonly sha256: string
}

/** Reads all of it; `refuse` ends the command with a sentence that says what is wrong, and where. */
export async function inspectBackup(
  source: AsyncIterable<Uint8Array>,
  refuse: (sentence: string) => never,
): Promise<BackupFacts> {
  const input = inputOf(source)
  const hash = createHash('sha256')
  const magic = await input.take(MAGIC.length)
  if (magic.toString('latin1') !== MAGIC) refuse(notOurs(magic.toString('latin1')))
  hash.update(magic)
  let header: Header | undefined
  let compactRevision = 0
  for (let number = 0; ; number += 1) {
    const where = `frame ${number} at byte ${input.offset()}`
    const length = await input.take(LENGTH_BYTES)
    const bytes = length.length < LENGTH_BYTES ? 0 : length.readUInt32LE()
    if (bytes > MAX_FRAME_BYTES) refuse(`${where} is damaged: it says that it has ${bytes} bytes`)
    const record = await input.take(bytes)
    if (length.length < LENGTH_BYTES || record.length < bytes) refuse(`it is cut off in ${where}`)
    if (bytes < HEAD_BYTES || record.readUInt32LE() !== crc32(record.subarray(4))) {
      refuse(`${where} does not match its checksum`)
    }
    const kind = String.fromCharCode(record[10] ?? 0)
    if (record.readUInt32LE(6) !== number || (record[5] === 1) !== (kind !== 'E')) refuse(`${where} is out of place`)
    const json = () => JSON.parse(record.subarray(HEAD_BYTES).toString())
    if (kind === 'H') header = json() as Header
    if (kind === 'B') compactRevision = (json() as { compactRevision: number }).compactRevision
    if (kind === 'E') {
      const { frames, sha256, entries, marks } = json() as End
      if (frames !== number || sha256 !== hash.digest('hex')) refuse('it does not match its SHA-256')
      const end = input.offset()
      if ((await input.take(1)).length > 0) refuse(`something follows its end at byte ${end}`)
      if (header === undefined) return refuse('it has no header')
      const { version, dataFormat, spaceId, revision, capacity, wallMs } = header
      const time = new Date(wallMs).toISOString()
      return { bytes: end, version, dataFormat, spaceId, revision, compactRevision, capacity, time, entries, marks }
    }
    hash.update(length).update(record)
  }
}

function notOurs(magic: string): string {
  const [, format] = /^ioasidd backup (\d+)\n/.exec(magic) ?? []
  return format === undefined ? 'it is no backup of ioasidd' : `it is of format ${format}, ioasidctl reads format 1`
}

/** Bytes in portions of any size, taken as they are wanted; fewer than wanted at the end. */
function inputOf(source: AsyncIterable<Uint8Array>) {
  const pieces = source[Symbol.asyncIterator]()
  let waiting: Buffer = Buffer.alloc(0)
  let offset = 0
  return {
    offset: () => offset,
    take: async (wanted: number): Promise<Buffer> => {
      const parts = [waiting]
      for (let bytes = waiting.length; bytes < wanted; ) {
        const { done, value } = await pieces.next()
        if (done === true) break
        parts.push(Buffer.from(value.buffer, value.byteOffset, value.length))
        bytes += value.length
      }
      const all = parts.length === 1 ? waiting : Buffer.concat(parts)
      const taken = all.subarray(0, wanted)
      waiting = all.subarray(taken.length)
      offset += taken.length
      return taken
    },
  }
}
