import { dirname } from 'node:path'
import { DATA_FILE } from '../../server/store/data-dir.ts'

/** What a daemon does to its data, as strace has seen it: the bytes that it writes, and when it waits for the disk. */

export type Act =
  /** `isDurable`: through a descriptor opened with O_DSYNC, so on disk when it has returned. */
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Uint8Array; readonly isDurable: boolean }
  /** fdatasync or fsync of the data file. */
  | { readonly kind: 'sync' }
  /** The data file is new. */
  | { readonly kind: 'create' }
  /** fsync of the data directory: its names are on disk. */
  | { readonly kind: 'syncNames' }
  /** The data directory is new; then: fsync of the one above it. */
  | { readonly kind: 'makeDirectory' }
  | { readonly kind: 'syncParent' }

export interface Step {
  readonly kind: 'begin' | 'end'
  readonly act: Act
  /** µs since 1970. */
  readonly atUs: number
}

export interface Trace {
  readonly steps: readonly Step[]
  /** What the model of a disk would not know what to do with. */
  readonly surprises: readonly string[]
}

/** Every call that changes a file or waits for one, and those that say which file a descriptor is. */
const CALLS = [
  'openat,open,creat,close,lseek,dup,dup2,dup3,mmap,mkdir,mkdirat',
  'write,writev,pwrite64,pwritev,pwritev2,sendfile,splice,copy_file_range,ioctl',
  'truncate,ftruncate,fallocate,rename,renameat,renameat2,unlink,unlinkat,link,linkat,symlink,symlinkat',
  'fdatasync,fsync,sync,syncfs,msync,sync_file_range,io_uring_setup',
].join(',')

/** As TestDaemon's `wrapper`: records to a file what happens in and right above a data directory. */
export function recorder(file: string, dataDir: string, more: readonly string[] = []): readonly string[] {
  const paths = [dirname(dataDir), dataDir, ...dataFiles(dataDir)].flatMap((path) => ['-P', path])
  // A write is never cut off in the record, whatever its size.
  const form = ['-f', '-qq', '--seccomp-bpf', '-y', '-ttt', '-T', '-s', String(16 << 20)]
  return ['strace', ...form, '-o', file, ...paths, '-e', `trace=${CALLS}`, ...more]
}

/** The file by its name, and by the one under which it is made. */
function dataFiles(dataDir: string): readonly string[] {
  return [`${dataDir}/${DATA_FILE}`, `${dataDir}/unfinished/${DATA_FILE}`]
}

interface Descriptor {
  readonly isDurable: boolean
  position: number
}

interface Call {
  readonly name: string
  readonly atUs: number
  readonly arguments: string
}

const LINE = /^(\d+) +(\d+)\.(\d{6}) (.*)$/s
const ENTERED = /^(\w+)\((.*) <unfinished \.\.\.>$/s
const RESUMED = /^<\.\.\. (\w+) resumed>(.*)\) += (-?\d+|\?|0x[0-9a-f]+).*?(?:<(\d+\.\d+)>)?$/s
const WHOLE = /^(\w+)\((.*)\) += (-?\d+|\?|0x[0-9a-f]+).*?(?:<(\d+\.\d+)>)?$/s

/** Reads the record of one process. The data are kept as long as the trace. */
export function readTrace(record: Buffer, dataDir: string): Trace {
  const steps: Step[] = []
  const surprises: string[] = []
  const descriptors = new Map<number, Descriptor>()
  const open = new Map<string, { readonly call: Call; readonly act: Act | undefined }>()
  const enter = (thread: string, call: Call) => {
    const act = actOf(call, dataDir, descriptors, surprises)
    if (act !== undefined) steps.push({ kind: 'begin', act, atUs: call.atUs })
    open.set(thread, { call, act })
  }
  const leave = (thread: string, result: string, rest: string, atUs: number) => {
    const entered = open.get(thread)
    open.delete(thread)
    if (entered === undefined) return void surprises.push(`the end of a call without its beginning, of ${thread}`)
    const { call, act } = entered
    follow({ ...call, arguments: call.arguments + rest }, Number(result), dataDir, descriptors)
    // `?`: it was killed, and nobody knows.
    if (act === undefined || result === '?') return
    const length = act.kind === 'write' ? act.bytes.length : Number(result)
    if (Number(result) !== length || Number(result) < 0) surprises.push(`${call.name} returned ${result}`)
    steps.push({ kind: 'end', act, atUs })
  }
  for (const line of linesOf(record)) {
    const [, thread = '', seconds = '', micros = '', text = ''] = LINE.exec(line) ?? []
    const atUs = Number(seconds) * 1_000_000 + Number(micros)
    const whole = WHOLE.exec(text)
    const entered = whole === null ? ENTERED.exec(text) : null
    const resumed = RESUMED.exec(text)
    if (resumed !== null) leave(thread, resumed[3] ?? '', resumed[2] ?? '', atUs)
    else if (entered !== null) enter(thread, { name: entered[1] ?? '', atUs, arguments: entered[2] ?? '' })
    else if (whole !== null) {
      enter(thread, { name: whole[1] ?? '', atUs, arguments: whole[2] ?? '' })
      leave(thread, whole[3] ?? '', '', atUs + Math.round(Number(whole[4] ?? 0) * 1_000_000))
    } else if (!/^(---|\+\+\+) /.test(text)) surprises.push(`no line of strace: ${line.slice(0, 100)}`)
  }
  return { steps, surprises }
}

function* linesOf(record: Buffer): Generator<string, void> {
  for (let from = 0; from < record.length; ) {
    const end = record.indexOf('\n', from)
    const to = end === -1 ? record.length : end
    yield record.toString('latin1', from, to)
    from = to + 1
  }
}

/** The number and the path that `-y` puts behind it. */
const FILE = /^(\d+)<([^>]*)>/

/** What a call is about to do; undefined: nothing to the data. Ours are never shared between threads while they move. */
function actOf(
  call: Call,
  dataDir: string,
  descriptors: Map<number, Descriptor>,
  surprises: string[],
): Act | undefined {
  const { name, arguments: text } = call
  const [, number = '', path = ''] = FILE.exec(text) ?? []
  const isData = dataFiles(dataDir).includes(path)
  const descriptor = descriptors.get(Number(number))
  switch (name) {
    case 'openat': {
      const isNew = text.includes('O_CREAT') && text.includes(`"${dataDir}/${DATA_FILE}"`)
      return isNew ? { kind: 'create' } : undefined
    }
    // It gets its name when it is whole.
    case 'rename':
      return text ===
        dataFiles(dataDir)
          .toReversed()
          .map((name) => `"${name}"`)
          .join(', ')
        ? { kind: 'create' }
        : undefined
    case 'mkdir':
      return text.startsWith(`"${dataDir}"`) ? { kind: 'makeDirectory' } : undefined
    case 'fsync':
    case 'fdatasync':
      if (isData) return { kind: 'sync' }
      return path === dataDir ? { kind: 'syncNames' } : path === dirname(dataDir) ? { kind: 'syncParent' } : undefined
    case 'write':
    case 'writev':
    case 'pwrite64': {
      if (!isData) return undefined
      const bytes = stringsOf(text, number.length + path.length + 2)
      const offset = name === 'pwrite64' ? Number(/, (\d+)$/.exec(text)?.[1]) : descriptor?.position
      if (descriptor === undefined || offset === undefined) surprises.push(`${name} to an unknown place`)
      else return { kind: 'write', offset, bytes, isDurable: descriptor.isDurable }
      return undefined
    }
    case 'mmap':
      // A write by mmap would leave no trace.
      if (text.includes(DATA_FILE) && text.includes('PROT_WRITE')) surprises.push(`mmap(${text})`)
      return undefined
    case 'close':
    case 'lseek':
    case 'ioctl':
      return undefined
    default:
      surprises.push(`${name}(${text.slice(0, 200)})`)
      return undefined
  }
}

/** Where descriptors come from, stand and end. */
function follow(
  { name, arguments: text }: Call,
  result: number,
  dataDir: string,
  descriptors: Map<number, Descriptor>,
): void {
  const [, number = '', path = ''] = FILE.exec(text) ?? []
  const descriptor = descriptors.get(Number(number))
  if (name === 'openat' && result >= 0 && dataFiles(dataDir).some((file) => text.includes(`"${file}"`))) {
    descriptors.set(result, { isDurable: /O_D?SYNC/.test(text), position: 0 })
  } else if (name === 'close') descriptors.delete(Number(number))
  else if (descriptor === undefined || !dataFiles(dataDir).includes(path)) return
  else if (name === 'lseek') descriptor.position = result
  else if (name === 'write' || name === 'writev') descriptor.position += result
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const ESCAPES: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, f: 12, v: 11, '"': QUOTE, '\\': BACKSLASH }

/** All quoted strings of a call's arguments, one behind the other: what a write, in one piece or in several, writes. */
function stringsOf(text: string, from: number): Uint8Array {
  const bytes = Buffer.alloc(text.length)
  let length = 0
  let isInside = false
  for (let index = from; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === QUOTE) isInside = !isInside
    else if (!isInside) continue
    else if (code !== BACKSLASH) bytes[length++] = code
    else {
      const short = ESCAPES[text[index + 1] ?? '']
      // Octal, as short as what follows allows.
      const digits = short === undefined ? (/^[0-7]{1,3}/.exec(text.slice(index + 1, index + 4))?.[0] ?? '') : ''
      bytes[length++] = short ?? Number.parseInt(digits, 8)
      index += short === undefined ? digits.length : 1
    }
  }
  return Uint8Array.prototype.slice.call(bytes, 0, length)
}
