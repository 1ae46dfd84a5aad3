import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { open, type RootDatabase } from 'lmdb'
import { afterEach, describe, expect, test } from 'vitest'
import { asRevision } from '../../server/core/ids.ts'
import { freeze } from '../../server/core/state.ts'
import { encodeJson, encodePart, RECORD_BYTES } from '../../server/store/codec.ts'
import { mustHaveRoom } from '../../server/store/data-dir.ts'
import { partKey } from '../../server/store/kv-log.ts'
import { openLmdbStore } from '../../server/store/lmdb.ts'
import { type Store, StoreError } from '../../server/store/store.ts'
import { canonical } from '../support/space.ts'
import { busySpace, GENESIS, goOn, longEntry, plainEntries, plainEntry, read, stateOf } from './history.ts'
import { storeSuite } from './suite.ts'

storeSuite('lmdb', async () => {
  const dataDir = newFolder()
  const reopen = () => openLmdbStore({ dataDir, genesis: GENESIS })
  const restart = (store: Store) => store.close().then(reopen)
  return { store: await reopen(), restart, dispose: async () => rmSync(dataDir, { recursive: true }) }
})

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function newFolder(): string {
  return mkdtempSync(join(tmpdir(), 'ioasidd-store-'))
}

function folder(): string {
  const made = newFolder()
  folders.push(made)
  return made
}

function copyOf(dataDir: string): string {
  const copy = folder()
  cpSync(dataDir, copy, { recursive: true })
  return copy
}

const openIn = (dataDir: string, clock?: () => bigint) =>
  openLmdbStore({ dataDir, genesis: GENESIS, ...(clock === undefined ? {} : { clock }) })

/** A directory in which a store was, closed. */
async function filled(fill: (store: Store, dataDir: string) => Promise<void>): Promise<string> {
  const dataDir = folder()
  const store = await openIn(dataDir)
  await read(store)
  await fill(store, dataDir)
  await store.close()
  return dataDir
}

/** A history with a snapshot, and entries before and after it. */
async function filledWithAll(): Promise<{ readonly dataDir: string; readonly running: ReturnType<typeof busySpace> }> {
  const running = busySpace()
  const dataDir = await filled(async (store) => {
    // Seven at a time, which share a record.
    for (let first = 0; first < running.log.length; first += 7) {
      const marks = first === 0 ? [{ key: 'clock', value: new Uint8Array(100) }] : []
      await store.append({ entries: running.log.slice(first, first + 7), marks })
    }
    await store.writeSnapshot(freeze(running.state))
    await store.append({ entries: goOn(running, 50), marks: [] })
  })
  return { dataDir, running }
}

/** Opens, reads everything, and says what was wrong; undefined if nothing was. */
async function problemIn(dataDir: string): Promise<StoreError | undefined> {
  try {
    const store = await openIn(dataDir)
    try {
      const { compactRevision } = await read(store)
      await store.tail(asRevision(compactRevision), 1 << 30)
    } finally {
      await store.close()
    }
    return undefined
  } catch (error) {
    if (error instanceof StoreError) return error
    throw error
  }
}

type Raw = RootDatabase<Uint8Array, Uint8Array>
const BINARY = { encoding: 'binary', keyEncoding: 'binary' } as const

/** Behind the store's back. */
async function tamper(dataDir: string, change: (table: (name: string) => Raw) => void): Promise<void> {
  const root = open<Uint8Array, Uint8Array>({ ...BINARY, path: dataDir, noSubdir: false, overlappingSync: false })
  change((name) => root.openDB<Uint8Array, Uint8Array>({ ...BINARY, name }) as Raw)
  await root.close()
}

const metaRecord = (value: unknown) => encodePart({ number: 0, more: false, payload: encodeJson(value) })

describe('the directory', () => {
  test('is made with all above it, and nobody else can read it', async () => {
    const dataDir = join(folder(), 'a', 'b')
    const umask = process.umask(0)
    try {
      await (await openIn(dataDir)).close()
    } finally {
      process.umask(umask)
    }
    expect((statSync(dataDir).mode & 0o777).toString(8)).toBe('700')
    const modes = readdirSync(dataDir).map((name) => [name, (statSync(join(dataDir, name)).mode & 0o777).toString(8)])
    expect(modes.sort()).toEqual([
      ['data.mdb', '600'],
      ['ioasidd.lock', '600'],
      ['lock.mdb', '600'],
    ])
  })

  test('is made private where it was not', async () => {
    const dataDir = folder()
    chmodSync(dataDir, 0o755)
    await (await openIn(dataDir)).close()
    expect((statSync(dataDir).mode & 0o777).toString(8)).toBe('700')
  })

  test('in which something else lives is refused, and left alone', async () => {
    const dataDir = folder()
    writeFileSync(join(dataDir, 'passwd'), 'root')
    chmodSync(dataDir, 0o755)
    const problem = await problemIn(dataDir)
    expect(problem).toMatchObject({ problem: 'DAMAGED', message: expect.stringContaining('"passwd"') })
    expect(readdirSync(dataDir)).toEqual(['passwd'])
    expect((statSync(dataDir).mode & 0o777).toString(8)).toBe('755')
  })

  test('where no directory can be made it is refused at once', async () => {
    // Node 20's recursive mkdir would try for ever.
    await expect(openLmdbStore({ dataDir: '/proc/1/no/such', genesis: GENESIS })).rejects.toThrow('/proc/1/no')
  })

  test('with the data of another program is refused, and they are left alone', async () => {
    const dataDir = folder()
    await tamper(dataDir, (table) => table('theirs').putSync(Buffer.from('a'), Buffer.from('b')))
    const problem = await problemIn(dataDir)
    expect(problem).toMatchObject({ problem: 'DAMAGED', message: expect.stringContaining('"theirs"') })
    await tamper(dataDir, (table) => {
      expect([...table('theirs').getKeys()].map(String)).toEqual(['a'])
    })
  })

  test('in use is refused with a message that says by whom', async () => {
    const dataDir = folder()
    const store = await openIn(dataDir)
    const problem = await openIn(dataDir).catch((error: unknown) => error)
    expect(problem).toMatchObject({ problem: 'LOCKED', message: expect.stringContaining(`process ${process.pid}`) })
    await store.close()
    expect(await problemIn(dataDir)).toBeUndefined()
  })

  test('keeps the names of its history, whatever a later start proposes', async () => {
    const dataDir = await filled(async () => {})
    const store = await openLmdbStore({ dataDir, genesis: { spaceId: 'other', handleKey: new Uint8Array(32) } })
    expect(await read(store)).toMatchObject(GENESIS)
    await store.close()
  })

  test('on a disk that is nearly full is refused before a write is half done', () => {
    const left = (bytes: number) => () => ({ bavail: bytes / 4096, bsize: 4096 })
    expect(() => mustHaveRoom('/data', 1 << 20, left(16 << 20))).not.toThrow()
    expect(() => mustHaveRoom('/data', 1 << 20, left(4 << 20))).toThrow('only 4096 KiB left')
  })
})

describe('data', () => {
  test('of a later format are refused', async () => {
    const dataDir = await filled(async () => {})
    await tamper(dataDir, (table) => table('meta').putSync(Buffer.from('format'), Buffer.from('99')))
    const problem = await problemIn(dataDir)
    expect(problem).toMatchObject({ problem: 'NEWER_FORMAT', message: expect.stringContaining('format 99') })
  })

  test('of an earlier format are read, and closed to the release that wrote them', async () => {
    const dataDir = await filled(async (store) => {
      for (let revision = 1; revision <= 5; revision++) {
        await store.append({ entries: [plainEntry(revision)], marks: [] })
      }
    })
    // An entry alone has the record that format 1 gave it.
    await tamper(dataDir, (table) => table('meta').putSync(Buffer.from('format'), Buffer.from('1')))
    const store = await openIn(dataDir)
    expect((await read(store)).entries).toEqual(plainEntries(1, 5))
    await store.append({ entries: plainEntries(6, 2), marks: [] })
    await store.close()
    await tamper(dataDir, (table) => {
      expect(Buffer.from(table('meta').getBinary(Buffer.from('format')) ?? []).toString()).toBe('3')
    })
  })

  test.each(['', '0', '-1', 'x'])('of format "%s" are damaged', async (format) => {
    const dataDir = await filled(async () => {})
    await tamper(dataDir, (table) => table('meta').putSync(Buffer.from('format'), Buffer.from(format)))
    expect(await problemIn(dataDir)).toMatchObject({ problem: 'DAMAGED' })
  })

  test('without a format are damaged, and not taken for a new store', async () => {
    const dataDir = await filled((store) => store.append({ entries: [plainEntry(1)], marks: [] }))
    await tamper(dataDir, (table) => table('meta').removeSync(Buffer.from('format')))
    expect(await problemIn(dataDir)).toMatchObject({ problem: 'DAMAGED' })
  })

  test.each([
    ['first', 1],
    ['middle', 5],
  ])('whose %s entries are missing are damaged', async (_what, revision) => {
    const dataDir = await filled(async (store) => {
      for (let first = 1; first <= 9; first += 2) await store.append({ entries: plainEntries(first, 2), marks: [] })
    })
    await tamper(dataDir, (table) => table('log').removeSync(partKey(revision, 0)))
    const message = expect.stringContaining(`log entry ${revision} is missing`)
    expect(await problemIn(dataDir)).toMatchObject({ problem: 'DAMAGED', message })
  })

  test('whose log ends before their snapshot are damaged', async () => {
    const { dataDir, running } = await filledWithAll()
    await tamper(dataDir, (table) => {
      const late = [...table('log').getKeys({ start: Buffer.from(partKey(running.log.length - 55, 0)) })]
      for (const key of late) table('log').removeSync(key)
    })
    expect(await problemIn(dataDir)).toMatchObject({ problem: 'DAMAGED' })
  })

  test('with one byte of an entry, a mark or a snapshot changed are damaged, and the message says where', async () => {
    const { dataDir } = await filledWithAll()
    const changeIn = async (name: string, key: Uint8Array) => {
      const copy = copyOf(dataDir)
      await tamper(copy, (table) => {
        const value = Buffer.from(table(name).getBinary(key) ?? [])
        value[20] = (value[20] ?? 0) ^ 1
        table(name).putSync(key, value)
      })
      return (await problemIn(copy))?.message
    }
    expect(await changeIn('log', partKey(1, 0))).toContain('log entry 1 does')
    expect(await changeIn('marks', Buffer.from('clock'))).toContain('mark clock')
    expect(await changeIn('snapshots', partKey(1, 2))).toContain('part 2 of the snapshot')
  })

  test('of which an entry at the end is unfinished are whole without it', async () => {
    const dataDir = await filled((store) => store.append({ entries: plainEntries(1, 3), marks: [] }))
    const payload = new Uint8Array(RECORD_BYTES / 2)
    await tamper(dataDir, (table) => {
      table('log').putSync(partKey(4, 0), encodePart({ number: 0, more: true, payload }))
      table('log').putSync(partKey(4, 1), encodePart({ number: 1, more: true, payload }))
    })
    const store = await openIn(dataDir)
    expect((await read(store)).entries).toEqual(plainEntries(1, 3))
    await store.append({ entries: [longEntry(4), plainEntry(5)], marks: [] })
    expect((await store.tail(asRevision(3), 1 << 30)).map((entry) => entry.revision)).toEqual([4, 5])
    await store.close()
  })
})

describe('a file', () => {
  test('that is cut off is damaged, wherever it is', async () => {
    const { dataDir } = await filledWithAll()
    const { size } = statSync(join(dataDir, 'data.mdb'))
    for (const bytes of [1, 100, 4096, 8191, 8192, size / 4, size / 2, size - 4096 * 40]) {
      const copy = copyOf(dataDir)
      truncateSync(join(copy, 'data.mdb'), Math.floor(bytes))
      expect(await problemIn(copy), `cut off at ${bytes}`).toMatchObject({ problem: 'DAMAGED' })
    }
  })

  test('of which any page is zeros or another page never ends the process', async () => {
    const dataDir = await filled((store) => store.append({ entries: plainEntries(1, 300), marks: [] }))
    const whole = readFileSync(join(dataDir, 'data.mdb'))
    const problems: (string | undefined)[] = []
    for (let page = 0; page < whole.length; page += 4096) {
      for (const instead of [Buffer.alloc(4096), whole.subarray(whole.length - 4096)]) {
        const copy = folder()
        mkdirSync(copy, { recursive: true })
        const file = Buffer.from(whole)
        instead.copy(file, page)
        writeFileSync(join(copy, 'data.mdb'), file)
        problems.push((await problemIn(copy))?.problem)
      }
    }
    // Pages that are free now are the only ones that may be anything.
    expect(new Set(problems)).toEqual(new Set(['DAMAGED', undefined]))
    expect(problems.filter((problem) => problem === 'DAMAGED').length).toBeGreaterThan(problems.length / 3)
  })

  test('that is no database is damaged', async () => {
    const dataDir = folder()
    writeFileSync(join(dataDir, 'data.mdb'), 'this is not LMDB'.repeat(1000))
    expect(await problemIn(dataDir)).toMatchObject({ problem: 'DAMAGED', message: expect.stringContaining('no LMDB') })
  })

  test('that is empty is a new one', async () => {
    const dataDir = folder()
    writeFileSync(join(dataDir, 'data.mdb'), '')
    expect(await problemIn(dataDir)).toBeUndefined()
  })
})

describe('a crash', () => {
  test('in the middle of a snapshot leaves the earlier one in force, and its pieces are removed', async () => {
    const running = busySpace()
    const copies: string[] = []
    await filled(async (store, dataDir) => {
      await store.append({ entries: running.log, marks: [] })
      await store.writeSnapshot(freeze(running.state))
      await store.append({ entries: goOn(running, 3), marks: [] })
      const frozen = freeze(running.state)
      const pages = new Proxy([...frozen.table.pages, ...frozen.table.pages], {
        get: (target, name, receiver) => {
          // A page is asked for when the piece before it is on disk, and nothing is being written.
          if (typeof name === 'string' && /^\d+$/.test(name)) copies.push(copyOf(dataDir))
          return Reflect.get(target, name, receiver)
        },
      })
      await store.writeSnapshot({ ...frozen, table: { pages } })
    })
    expect(copies.length).toBeGreaterThan(4)
    for (const copy of copies) {
      const store = await openIn(copy)
      const found = await read(store)
      expect(found.base?.revision).toBe(running.state.revision - 3)
      expect(stateOf(found, running)).toEqual(canonical(running.state))
      await store.close()
      await tamper(copy, (table) => {
        const numbers = [...table('snapshots').getKeys()].map((key) => Buffer.from(key).readBigUInt64BE())
        expect(new Set(numbers)).toEqual(new Set([1n]))
      })
    }
  })

  test('in the middle of a compaction is finished by the next start', async () => {
    const { dataDir, running } = await filledWithAll()
    // What the first step of a compaction leaves, and a part of the second. The next record has entries that stay.
    const at = 10
    await tamper(dataDir, (table) => {
      table('meta').putSync(Buffer.from('log'), metaRecord({ compactRevision: at, bytes: 10_000 }))
      table('log').removeSync(partKey(1, 0))
    })
    const store = await openIn(dataDir)
    const found = await read(store)
    expect(found.compactRevision).toBe(at)
    expect(stateOf(found, running)).toEqual(canonical(running.state))
    expect(store.size().entries).toBe(running.log.length - at)
    await store.close()
    await tamper(dataDir, (table) => {
      const [first = new Uint8Array(12)] = table('log').getKeys({ limit: 1 })
      expect(Buffer.from(first).readBigUInt64BE()).toBe(BigInt(at + 1))
    })
  })
})

describe('a small append', () => {
  /** Whether it was on disk before `append` returned: only what is written on this thread can be. */
  const isAtOnce = async (store: Store, revision: number, count = 1) => {
    await setImmediate()
    const before = store.size().entries
    const append = store.append({ entries: plainEntries(revision, count), marks: [] })
    const after = store.size().entries
    await append
    return after > before
  }

  /** A clock by which every write takes so long. */
  const clockOf = (disk: { syncNs: bigint }) => {
    let now = 0n
    return () => {
      now += disk.syncNs
      return now
    }
  }

  test('is written at once while the disk is quick, off the thread while it is slow, and at once again', async () => {
    const disk = { syncNs: 300_000n }
    const store = await openIn(folder(), clockOf(disk))
    await read(store)
    let revision = 0
    const next = () => isAtOnce(store, ++revision)
    expect(await next()).toBe(true)
    disk.syncNs = 3_000_000n
    // As many slow ones as quick ones were noted, and one.
    await next()
    await next()
    expect(await next()).toBe(false)
    disk.syncNs = 300_000n
    while (!(await next())) expect(revision).toBeLessThan(40)
    await store.close()
  })

  test('that follows another in the same turn of the event loop is written off the thread', async () => {
    const store = await openIn(folder(), clockOf({ syncNs: 1n }))
    await read(store)
    expect(await isAtOnce(store, 1)).toBe(true)
    let turned = false
    const turn = setImmediate().then(() => {
      turned = true
    })
    for (let revision = 2; !turned; revision++) {
      await store.append({ entries: plainEntries(revision, 1), marks: [] })
      expect(revision).toBeLessThan(10)
    }
    await turn
    await store.close()
  })

  test('of more than two entries is written off the thread', async () => {
    const store = await openIn(folder(), clockOf({ syncNs: 1n }))
    await read(store)
    expect(await isAtOnce(store, 1, 2)).toBe(true)
    expect(await isAtOnce(store, 3, 3)).toBe(false)
    await store.close()
  })

  test('waits for the piece of a snapshot that is under way, and for no more', async () => {
    const running = busySpace()
    const store = await openIn(folder())
    await read(store)
    await store.append({ entries: running.log, marks: [] })
    const frozen = freeze(running.state)
    const pages = Array.from({ length: 300 }, (_, index) => frozen.table.pages[index % 3])
    const order: string[] = []
    const snapshot = store.writeSnapshot({ ...frozen, table: { pages } }).then(() => order.push('snapshot'))
    for (const entry of goOn(running, 10)) {
      await store.append({ entries: [entry], marks: [] })
      order.push('append')
    }
    await snapshot
    expect(order).toEqual([...Array.from({ length: 10 }, () => 'append'), 'snapshot'])
    await store.close()
  })
})
