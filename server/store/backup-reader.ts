import { createHash } from 'node:crypto'
import { BACKUP_MAGIC, type BackupEnd, FRAME, type FrameKind } from './backup-file.ts'
import { decodeJson, decodePart } from './codec.ts'
import { StoreError } from './store.ts'

export interface Frame {
  readonly kind: FrameKind
  readonly payload: Uint8Array
}

/** No frame is longer: a length that says so is damaged, and not worth the memory. */
const MAX_FRAME_BYTES = 8 << 20
const LENGTH_BYTES = 4
const KINDS: readonly FrameKind[] = Object.values(FRAME)

/**
 * The frames of a backup, the last one left out, which is compared with what came before it. Throws StoreError DAMAGED, or
 * NEWER_FORMAT, with the place in the file; what was read until then is not to be trusted before it has come to its end.
 */
export async function* readBackup(
  source: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<Frame, void, undefined> {
  const input = inputOf(source)
  const hash = createHash('sha256')
  const magic = await input.take(BACKUP_MAGIC.length)
  mustBeBackup(magic, name)
  hash.update(magic)
  for (let number = 0; ; number++) {
    const where = `frame ${number} at byte ${input.offset}`
    const cutOff = () => notWhole(name, `it is cut off in ${where}`)
    const length = await input.take(LENGTH_BYTES)
    if (length.length < LENGTH_BYTES) throw cutOff()
    const bytes = length.readUInt32LE()
    if (bytes > MAX_FRAME_BYTES) throw notWhole(name, `${where} is damaged: it says that it has ${bytes} bytes`)
    const record = await input.take(bytes)
    if (record.length < bytes) throw cutOff()
    const { more, payload, ...part } = decodeFrame(record, name, where)
    const kind = KINDS.find((known) => known.charCodeAt(0) === payload[0])
    if (kind === undefined || part.number !== number || more !== (kind !== FRAME.end)) {
      throw notWhole(name, `${where} is out of place`)
    }
    const rest = payload.subarray(1)
    if (kind === FRAME.end) {
      const { frames, sha256 } = decodeJson(rest, where) as BackupEnd
      if (frames !== number || sha256 !== hash.digest('hex')) throw notWhole(name, 'it does not match its SHA-256')
      if ((await input.take(1)).length > 0)
        throw notWhole(name, `something follows its end at byte ${input.offset - 1}`)
      return
    }
    hash.update(length)
    hash.update(record)
    yield { kind, payload: rest }
  }
}

function mustBeBackup(magic: Buffer, name: string): void {
  const text = magic.toString('latin1')
  if (text === BACKUP_MAGIC) return
  const [, format] = /^ioasidd backup (\d+)\n/.exec(text) ?? []
  if (format === undefined) throw new StoreError('DAMAGED', `${name} is no backup of ioasidd`)
  throw new StoreError('NEWER_FORMAT', `${name} is a backup of format ${format}, this release reads format 1`)
}

function decodeFrame(record: Buffer, name: string, where: string) {
  try {
    return decodePart(record, where)
  } catch (error) {
    if (error instanceof StoreError && error.problem === 'DAMAGED') {
      throw notWhole(name, `${where} does not match its checksum`)
    }
    throw error
  }
}

export function notWhole(name: string, what: string): StoreError {
  return new StoreError('DAMAGED', `${name} is no whole backup: ${what}`)
}

/** Bytes in portions of any size, taken as they are wanted; fewer than wanted at the end. */
function inputOf(source: AsyncIterable<Uint8Array>) {
  const pieces = source[Symbol.asyncIterator]()
  let waiting: Buffer[] = []
  let bytes = 0
  let offset = 0
  return {
    get offset() {
      return offset
    },
    take: async (wanted: number): Promise<Buffer> => {
      while (bytes < wanted) {
        const { done, value } = await pieces.next()
        if (done === true) break
        waiting.push(Buffer.from(value.buffer, value.byteOffset, value.length))
        bytes += value.length
      }
      const all = waiting.length === 1 && waiting[0] !== undefined ? waiting[0] : Buffer.concat(waiting)
      const taken = all.subarray(0, wanted)
      waiting = [all.subarray(taken.length)]
      bytes -= taken.length
      offset += taken.length
      return taken
    },
  }
}
