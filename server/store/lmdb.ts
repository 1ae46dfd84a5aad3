import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type Database, open, type RootDatabase } from 'lmdb'
import {
  DATA_FILE,
  existingDataDir,
  giveToOwner,
  makeDataFile,
  mustBeFree,
  mustHaveRoom,
  mustNotBeRestoring,
  mustOpen,
  prepareDataDir,
  prepareRestoreDir,
  restoreDataFile,
} from './data-dir.ts'
import { type Change, type Kv, TABLES, type Table } from './kv.ts'
import { openKvStore } from './kv-store.ts'
import { toStoreError } from './lmdb-error.ts'
import { checkLmdbFile } from './lmdb-file.ts'
import { lockDirectory } from './lock.ts'
import { type Genesis, type Store, StoreError } from './store.ts'

export interface LmdbOptions {
  /** Created if it is missing. */
  readonly dataDir: string
  /** Names the history if the directory is new. */
  readonly genesis: Genesis
  /** Monotonic, ns; measures how quick the disk is. Default: the process's. */
  readonly clock?: () => bigint
}

/**
 * A store in a directory. It belongs to this process until `close`. Throws StoreError LOCKED, NEWER_FORMAT, DAMAGED, FULL
 * or IO.
 */
export async function openLmdbStore(options: LmdbOptions): Promise<Store> {
  const { genesis, clock = process.hrtime.bigint } = options
  try {
    const dataDir = prepareDataDir(options.dataDir)
    const lock = await lockDirectory(dataDir)
    try {
      // Once more: a restore may have begun, and ended early, before it was locked.
      mustNotBeRestoring(dataDir)
      await makeDataFile(dataDir, async (directory) => {
        await (await openLmdb(directory, () => undefined)).close()
      })
      checkLmdbFile(join(dataDir, DATA_FILE))
      const kv = await openLmdb(dataDir, () => lock.release())
      return await openKvStore('lmdb', kv, genesis, clock).catch(async (error) => {
        await kv.close()
        throw error
      })
    } catch (error) {
      lock.release()
      throw error
    }
  } catch (error) {
    throw toStoreError(error, `opening ${options.dataDir}`)
  }
}

/** Has a data file made in an empty directory, which is one that a daemon starts from only when `fill` has come to its end. */
export async function restoreLmdb<Result>(path: string, fill: (kv: Kv) => Promise<Result>): Promise<Result> {
  try {
    const dataDir = prepareRestoreDir(path)
    const lock = await lockDirectory(dataDir)
    try {
      mustBeFree(dataDir)
      const results: Result[] = []
      await restoreDataFile(dataDir, async (directory) => {
        const kv = await openLmdb(directory, () => undefined)
        try {
          results.push(await fill(kv))
        } finally {
          await kv.close()
        }
      })
      const [result] = results
      if (result === undefined) throw new Error('a restore came to nothing')
      return result
    } finally {
      lock.release()
    }
  } catch (error) {
    throw toStoreError(error, `restoring into ${path}`)
  }
}

/** Lets somebody read the data of a directory that no daemon has. Throws as openLmdbStore does. */
export async function readLmdb<Result>(path: string, read: (kv: Kv) => Promise<Result>): Promise<Result> {
  try {
    const dataDir = existingDataDir(path)
    const lock = await lockDirectory(dataDir)
    try {
      checkLmdbFile(join(dataDir, DATA_FILE))
      const kv = await openLmdb(dataDir, () => undefined)
      try {
        return await read(kv)
      } finally {
        await kv.close()
      }
    } finally {
      giveToOwner(dataDir)
      lock.release()
    }
  } catch (error) {
    throw toStoreError(error, `reading ${path}`)
  }
}

type Bytes = Database<Uint8Array, Uint8Array>

/** Address space, not memory and not disk: LMDB reads through a mapping, and this one is never too small. */
const MAP_BYTES = 256 * 2 ** 30

const BINARY = { encoding: 'binary', keyEncoding: 'binary' } as const

/**
 * What lmdb-js must be told for writes to be what Kv promises:
 *
 * overlappingSync false  a write is acknowledged when its data and then its meta page are on disk, not when it is visible
 * eventTurnBatching      off: a transaction is what `batch` was given, and nothing else that happens to be written then
 * useWritemap            off (its default): a failing write is an error here, not a signal later
 */
async function openLmdb(dataDir: string, release: () => void): Promise<Kv> {
  const options = {
    ...BINARY,
    path: dataDir,
    noSubdir: false,
    overlappingSync: false,
    eventTurnBatching: false,
    mapSize: MAP_BYTES,
    maxDbs: TABLES.length,
    permissionsMode: 0o600,
  }
  mustOpen(dataDir)
  const root = open<Uint8Array, Uint8Array>(options)
  try {
    const names = tableNames(dataDir, root)
    // Tables of a new file are made now, outside `write`, which would ask.
    if (names.length < TABLES.length) mustHaveRoom(dataDir, 0)
    return makeKv(dataDir, root, release)
  } catch (error) {
    await root.close()
    throw error
  }
}

function makeKv(dataDir: string, root: RootDatabase<Uint8Array, Uint8Array>, release: () => void): Kv {
  const openTable = (name: Table): Bytes => root.openDB<Uint8Array, Uint8Array>({ ...BINARY, name })
  const tables: Record<Table, Bytes> = {
    meta: openTable('meta'),
    log: openTable('log'),
    marks: openTable('marks'),
    snapshots: openTable('snapshots'),
  }
  return {
    name: dataDir,
    get: (table, key) => reading(dataDir, () => tables[table].getBinary(key)),
    range: (table, start, end) => rangeOf(dataDir, tables[table].getRange({ start, end })),
    keys: (table, start, end) => rangeOf(dataDir, tables[table].getKeys({ start, end })),
    lastKey: (table, upTo) =>
      reading(dataDir, () => {
        const range = { reverse: true, limit: 1, ...(upTo && { start: upTo }) }
        return [...tables[table].getKeys(range)][0]
      }),
    write: (changes) => writeOffThread(dataDir, root, tables, changes),
    writeNow: (changes) => {
      try {
        mustHaveRoom(dataDir, countBytes(changes))
        // Its flags left out mean: abortable, committed and synced before it returns.
        root.transactionSync(() => apply(tables, changes))
      } catch (error) {
        throw toStoreError(error, `writing to ${dataDir}`)
      }
    },
    close: async () => {
      await root.close()
      release()
    },
  }
}

/** The tables that are there. Throws StoreError DAMAGED, before ours are made, where one is another program's. */
function tableNames(dataDir: string, root: Bytes): string[] {
  const names = [...root.getKeys()].map((key) => Buffer.from(key).toString('utf8').replace(/\0$/, ''))
  const foreign = names.find((name) => !TABLES.some((table) => table === name))
  if (foreign === undefined) return names
  throw new StoreError('DAMAGED', `${dataDir} has data of another program ("${foreign}"): choose another --data-dir`)
}

/** lmdb-js answers with a promise for each; the transaction as a whole is what counts. */
function apply(tables: Record<Table, Bytes>, changes: readonly Change[]): void {
  for (const { table, key, value } of changes) {
    if (value === null) void tables[table].remove(key)
    else void tables[table].put(key, value)
  }
}

function countBytes(changes: readonly Change[]): number {
  return changes.reduce((bytes, { value }) => bytes + (value?.length ?? 0), 0)
}

async function writeOffThread(
  dataDir: string,
  root: Bytes,
  tables: Record<Table, Bytes>,
  changes: readonly Change[],
): Promise<void> {
  try {
    mustHaveRoom(dataDir, countBytes(changes))
    await root.batch(() => apply(tables, changes))
  } catch (error) {
    throw toStoreError(await causeOf(error), `writing to ${dataDir}`)
  }
}

const COMMIT_ERROR_MS = 100

/** lmdb-js rejects with "Commit failed" at first, and says why a moment later, or never. */
async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error && 'commitError' in error)) return error
  const cause = Promise.resolve(error.commitError).then(
    () => error,
    (cause: unknown) => cause,
  )
  return await Promise.race([cause, setTimeout(COMMIT_ERROR_MS, error, { ref: false })])
}

function* rangeOf<Item>(dataDir: string, items: Iterable<Item>): Generator<Item, void, undefined> {
  try {
    yield* items
  } catch (error) {
    throw toStoreError(error, `reading ${dataDir}`)
  }
}

function reading<Result>(dataDir: string, read: () => Result): Result {
  try {
    return read()
  } catch (error) {
    throw toStoreError(error, `reading ${dataDir}`)
  }
}
