import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { StoreError } from './store.ts'

/**
 * Keeps a second daemon out of a data directory: flock(2) on a file in it, which the kernel lets go of whenever the process
 * ends, kill -9 included. What the file says of its holder is for people; only the lock itself counts, so the file is never
 * removed (a lock on a removed file would keep nobody out).
 */
export const LOCK_FILE = 'ioasidd.lock'

export interface DirectoryLock {
  release(): void
}

const LOCK_EX = 2
const LOCK_NB = 4

/** Throws StoreError LOCKED if another process has it, and IO where it cannot be told. */
export async function lockDirectory(dataDir: string): Promise<DirectoryLock> {
  const flock = await loadFlock()
  const path = join(dataDir, LOCK_FILE)
  // Node opens with O_CLOEXEC: a child cannot keep the lock alive.
  const fd = openSync(path, 'a+', 0o600)
  try {
    const errno = flock(fd, LOCK_EX | LOCK_NB)
    if (errno.code === errno.wouldBlock) throw heldByAnother(dataDir, path)
    if (errno.code !== 0) throw new StoreError('IO', `cannot lock ${path}: errno ${errno.code}`)
    ftruncateSync(fd)
    writeSync(fd, `pid ${process.pid}\nstarted ${startTime()}\n`)
  } catch (error) {
    closeSync(fd)
    throw error
  }
  let held = true
  return {
    release: () => {
      // Once only: the number of a closed file may be another's by then.
      if (held) closeSync(fd)
      held = false
    },
  }
}

interface Errno {
  /** 0: done. */
  readonly code: number
  readonly wouldBlock: number | undefined
}

/** Only here, and only when a store on disk is opened: nothing else needs the C library, and loading it takes a while. */
async function loadFlock(): Promise<(fd: number, operation: number) => Errno> {
  const { default: koffi } = await import('koffi')
  const flock = koffi.load(null).func('int flock(int fd, int operation)')
  return (fd, operation) => ({
    code: flock(fd, operation) === 0 ? 0 : koffi.errno(),
    wouldBlock: koffi.os.errno['EWOULDBLOCK'] ?? koffi.os.errno['EAGAIN'],
  })
}

function heldByAnother(dataDir: string, path: string): StoreError {
  const [, pid = '?'] = /^pid (\d+)$/m.exec(readFileSync(path, 'latin1')) ?? []
  const [, started = '?'] = /^started (\S+)$/m.exec(readFileSync(path, 'latin1')) ?? []
  const holder = `process ${pid}, started ${started}`
  return new StoreError('LOCKED', `${dataDir} is in use by ${holder}: stop that one, or choose another --data-dir`)
}

function startTime(): string {
  return new Date(Date.now() - process.uptime() * 1000).toISOString()
}
