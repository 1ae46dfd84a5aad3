import { fstatSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Clock } from './engine/clock.ts'

/** Standard error, which a daemon may write to for months: whoever stops reading it must not stop the daemon. */

/** Where lines go. What can be written is written when `write` returns: the last word must get out before the process ends. */
export interface LogDestination {
  write(line: string): void
}

export interface PatientDestination extends LogDestination {
  /** Writes what waits, while the reader takes it, for at most 200 ms. Blocks. */
  flush(): void
}

export interface Outlet {
  /** Bytes that it took; 0: it takes none now. Throws where nobody reads. Must not block. */
  write(bytes: Uint8Array): number
  readonly after: Clock['after']
  /** Called when lines had to be left out and what came before them is written: to say so where they are missing. */
  leftOut(lines: number): void
  /** Blocks. */
  sleep(ms: number): void
}

const STANDARD_ERROR = 2
const MAX_WAITING_BYTES = 1 << 20
/** A pipe holds 64 KiB: a reader that is back gets some MiB a second. */
const RETRY_MS = 20
/** The daemon must have ended 5 s after SIGTERM, and has used up to 4.5 s of that. */
const FLUSH_MS = 200
const FLUSH_STEP_MS = 10

/**
 * Lines that an outlet does not take wait for it, 1 MiB at most. Those that do not fit are left out, and all after them
 * until the waiting ones are written: so there is one gap, and what says how long it is stands in its place.
 */
export function createDestination({ write, after, leftOut, sleep }: Outlet): PatientDestination {
  let waiting: Buffer[] = []
  let waitingBytes = 0
  let missing = 0
  let isRetrying = false

  const writeWaiting = () => {
    for (let [line] = waiting; line !== undefined; [line] = waiting) {
      const taken = writeSome(line)
      waitingBytes -= taken
      if (taken < line.length) {
        waiting[0] = line.subarray(taken)
        return retry()
      }
      waiting.shift()
    }
    if (missing === 0) return
    const lines = missing
    missing = 0
    leftOut(lines)
  }

  /** Where nobody reads any more there is nobody to keep lines for. That is no reason to end: a daemon outlives what started it. */
  const writeSome = (line: Buffer): number => {
    try {
      return write(line)
    } catch {
      waiting = [line]
      waitingBytes = line.length
      missing = 0
      return line.length
    }
  }

  const retry = () => {
    if (isRetrying) return
    isRetrying = true
    after(RETRY_MS, () => {
      isRetrying = false
      writeWaiting()
    })
  }

  return {
    write: (text) => {
      const line = Buffer.from(text)
      if (waiting.length > 0 && (missing > 0 || waitingBytes + line.length > MAX_WAITING_BYTES)) {
        missing += 1
        return
      }
      waiting.push(line)
      waitingBytes += line.length
      // Those that wait already are the timer's: a reader that takes nothing is not asked again for each line.
      if (waiting.length === 1) writeWaiting()
    },
    flush: () => {
      for (let passedMs = 0; waiting.length > 0; passedMs += FLUSH_STEP_MS) {
        writeWaiting()
        if (waiting.length === 0 || passedMs >= FLUSH_MS) return
        sleep(FLUSH_STEP_MS)
      }
    },
  }
}

/** Made not to block by the first write: a command, which never writes here, finds it as it was. */
export function standardError({ after, leftOut }: Pick<Outlet, 'after' | 'leftOut'>): PatientDestination {
  let isOpen = false
  const write = (bytes: Uint8Array) => {
    try {
      if (!isOpen) makeNonBlocking(STANDARD_ERROR)
      isOpen = true
      return writeSync(STANDARD_ERROR, bytes)
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'EAGAIN') return 0
      throw cause
    }
  }
  const never = new Int32Array(new SharedArrayBuffer(4))
  return createDestination({ write, after, leftOut, sleep: (ms) => void Atomics.wait(never, 0, 0, ms) })
}

/**
 * Writes to a pipe or a socket do not block from now on; those to files and terminals are as they were. It is so for all who
 * share the pipe, which Node sees to as well where anything loads node:assert, and until the process ends.
 */
function makeNonBlocking(fd: number): void {
  const stat = fstatSync(fd)
  if (!stat.isFIFO() && !stat.isSocket()) return
  try {
    // Node has no fcntl, but what it streams to does not block. Nothing is written to the stream, and it is never closed.
    new Socket({ fd, readable: false, writable: true })
  } catch {
    // A socket of a kind that Node does not stream to.
  }
}
