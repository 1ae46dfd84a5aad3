import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  type StatsFs,
  statfsSync,
  statSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { LOCK_FILE } from './lock.ts'
import { StoreError } from './store.ts'

/** The directory that holds a history, and with it the key that handles are made with: nobody else may read it. */
export const DATA_FILE = 'data.mdb'
/** LMDB's own, for its readers. */
const READERS_FILE = 'lock.mdb'
/** Where a data file is made, until it is whole. */
const UNFINISHED = 'unfinished'
/** In a directory that a backup is restored into, until that is whole: a start would make a new, empty history there. */
const RESTORING = 'restoring'
const OURS = new Set([DATA_FILE, READERS_FILE, LOCK_FILE, UNFINISHED, RESTORING, 'lost+found'])

const PRIVATE = 0o700

/**
 * Makes the directory if it is missing, private in any case, and returns its absolute path. Throws StoreError DAMAGED
 * where something else lives in it.
 */
export function prepareDataDir(path: string): string {
  const dataDir = resolve(path)
  makeDirectory(dataDir)
  // First: what is somebody else's keeps its mode.
  mustBeOurs(dataDir)
  mustNotBeRestoring(dataDir)
  return makePrivate(dataDir)
}

function makePrivate(dataDir: string): string {
  if (modeOf(dataDir) !== PRIVATE) chmodSync(dataDir, PRIVATE)
  if (modeOf(dataDir) === PRIVATE) return dataDir
  const mode = modeOf(dataDir).toString(8)
  throw new StoreError('IO', `${dataDir} has mode ${mode} and cannot be made private: chmod 700 it, and start again`)
}

function mustBeOurs(dataDir: string): void {
  const names = readdirSync(dataDir, { withFileTypes: true })
  if (names.some((entry) => entry.name === DATA_FILE)) return
  const foreign = names.find((entry) => (entry.isFile() || entry.isDirectory()) && !OURS.has(entry.name))
  if (foreign === undefined) return
  const message = `${dataDir} has no data of ioasidd, but something else ("${foreign.name}"): choose another --data-dir`
  throw new StoreError('DAMAGED', message)
}

/** Throws StoreError DAMAGED. What it says is true as long as the directory is locked. */
export function mustNotBeRestoring(dataDir: string): void {
  if (!existsSync(join(dataDir, RESTORING))) return
  const message = `${dataDir} has a restore that did not come to its end: restore into it again, or remove it`
  throw new StoreError('DAMAGED', message)
}

/** The absolute path of a directory that has data to read. Throws StoreError DAMAGED. */
export function existingDataDir(path: string): string {
  const dataDir = resolve(path)
  mustNotBeRestoring(dataDir)
  const dataFile = join(dataDir, DATA_FILE)
  // Into an empty one LMDB would write.
  if (existsSync(dataFile) && statSync(dataFile).size > 0) return dataDir
  throw new StoreError('DAMAGED', `${dataDir} has no data of ioasidd`)
}

/** Throws StoreError IO: where LMDB's files cannot be opened, lmdb-js 3.5.6 ends the process by a signal. */
export function mustOpen(dataDir: string): void {
  for (const path of [join(dataDir, DATA_FILE), join(dataDir, READERS_FILE)]) {
    if (!existsSync(path)) continue
    if (!statSync(path).isFile()) throw new StoreError('IO', `${path} is no regular file: remove it and start again`)
    accessSync(path, constants.R_OK | constants.W_OK)
  }
}

/** What root has made in a directory of the daemon's own user is that user's: else the daemon could not open it. */
export function giveToOwner(dataDir: string): void {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = statSync(dataDir)
  for (const name of [DATA_FILE, READERS_FILE, LOCK_FILE]) {
    const path = join(dataDir, name)
    if (!existsSync(path)) continue
    // Never through a link that this user may have put there.
    const found = lstatSync(path)
    if (found.isFile() && found.nlink === 1) lchownSync(path, uid, gid)
  }
}

/**
 * Makes the directory if it is missing, private in any case, and returns its absolute path. Throws StoreError DAMAGED unless
 * it is empty, but for what a restore has left that did not come to its end.
 */
export function prepareRestoreDir(path: string): string {
  const dataDir = resolve(path)
  makeDirectory(dataDir)
  mustBeFree(dataDir)
  return makePrivate(dataDir)
}

/** As prepareRestoreDir says. Asked again when it is locked: another restore may have come to its end meanwhile. */
export function mustBeFree(dataDir: string): void {
  const isRestoring = existsSync(join(dataDir, RESTORING))
  const other = readdirSync(dataDir).find((name) => !OURS.has(name) || (name === DATA_FILE && !isRestoring))
  if (other === undefined) return
  const message = `${dataDir} is not empty ("${other}"): choose an empty or a new directory as --data-dir`
  throw new StoreError('DAMAGED', message)
}

/**
 * As makeDataFile, in a directory that prepareRestoreDir has looked at and that is locked. Whatever ends it early, no daemon
 * starts there before another restore has come to its end.
 */
export async function restoreDataFile(dataDir: string, make: (directory: string) => Promise<void>): Promise<void> {
  const marker = join(dataDir, RESTORING)
  closeSync(openSync(marker, 'w', 0o600))
  sync(dataDir)
  rmSync(join(dataDir, DATA_FILE), { force: true })
  await makeDataFile(dataDir, make)
  giveToOwner(dataDir)
  rmSync(marker)
  sync(dataDir)
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777
}

/** With the missing ones above it. One by one: Node 20's `recursive` tries for ever where nothing can be made, as in /proc. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return
  const parent = dirname(path)
  makeDirectory(parent)
  mkdirSync(path, { mode: PRIVATE })
  sync(parent)
}

/**
 * Has the data file made where it is missing or empty. It is made elsewhere and gets its place when it is whole and on disk:
 * LMDB's first pages are written before anything is synced, and a power cut between them would leave a file that no start
 * can use.
 */
export async function makeDataFile(dataDir: string, make: (directory: string) => Promise<void>): Promise<void> {
  const elsewhere = join(dataDir, UNFINISHED)
  rmSync(elsewhere, { recursive: true, force: true })
  const dataFile = join(dataDir, DATA_FILE)
  if (existsSync(dataFile) && statSync(dataFile).size > 0) return
  mkdirSync(elsewhere, { mode: PRIVATE })
  await make(elsewhere)
  const made = join(elsewhere, DATA_FILE)
  sync(made)
  renameSync(made, dataFile)
  sync(dataDir)
  rmSync(elsewhere, { recursive: true })
}

/** Of a directory: a new file's name is on disk only then. */
function sync(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

type Room = Pick<StatsFs, 'bavail' | 'bsize'>

/** What must be left after a write: the file system's own needs, and the pages that a transaction touches besides. */
const SPARE_BYTES = 4 << 20

/**
 * Throws StoreError FULL unless there is room for so many bytes. Asked before each write, because to be told by a write
 * that fails is worse: the file system may have taken half of it, and lmdb-js 3.5.6 writes its message about it into a buffer
 * that is too small (mdb_page_flush in mdb.c), after which the process may abort at any time.
 */
export function mustHaveRoom(dataDir: string, bytes: number, statfs: (path: string) => Room = statfsSync): void {
  const { bavail, bsize } = statfs(dataDir)
  if (bavail * bsize >= bytes + SPARE_BYTES) return
  const left = Math.floor((bavail * bsize) / 1024)
  throw new StoreError('FULL', `the disk of ${dataDir} has only ${left} KiB left: make room on it and start again`)
}
