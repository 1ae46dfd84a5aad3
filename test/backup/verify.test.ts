import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { open } from 'lmdb'
import { describe, expect, it } from 'vitest'
import { createMarkCheck } from '../../server/engine/verify-marks.ts'
import { encodeEntries, encodePart } from '../../server/store/codec.ts'
import { type Kv, TABLES, type Table } from '../../server/store/kv.ts'
import { partKey } from '../../server/store/kv-log.ts'
import { verifyKv } from '../../server/store/kv-verify.ts'
import { openLmdbStore, readLmdb } from '../../server/store/lmdb.ts'
import { GENESIS, plainEntry } from '../store/history.ts'
import { backupOf, restore, scratch, verify } from '../support/backups.ts'
import { allocate, command, createSet, grantLease, makeRevisions, must, request, run } from '../support/engine.ts'

/** A directory with everything that a daemon leaves: a snapshot, entries before and after it, and every kind of mark. */
async function lived(): Promise<string> {
  const first = await run()
  await grantLease(first.engine, 60_000)
  const { dataDir } = await restore(await backupOf(first.engine))
  const store = await openLmdbStore({ dataDir, genesis: GENESIS })
  const { engine, clock } = await run({ store, limits: { snapshotEvery: 40 } })
  const setId = await createSet(engine, 'vm-a')
  const ids = await allocate(engine, setId, 5)
  must(await engine.submit(command.attachSpid(setId, ids[0] ?? 0, 101, 'nic'), request('a')))
  must(await engine.submit(command.attachData(setId, ids[1] ?? 0, Uint8Array.of(1, 2)), undefined))
  must(await engine.submit(command.acquire(setId, ids[0] ?? 0, await grantLease(engine, 60_000)), request('b')))
  await makeRevisions(engine, await createSet(engine, 'vm-b'), 40)
  clock.advance(1000)
  await expect.poll(() => store.size().sinceSnapshot).toBeLessThan(10)
  must(await engine.submit(command.free(setId, [ids[2] ?? 0]), request('c')))
  await engine.drain({ reason: 'DRAINING', message: 'It ends.', metadata: {} })
  await store.close()
  return dataDir
}

interface Pair {
  readonly table: Table
  readonly key: Uint8Array
  readonly value: Uint8Array
}

const ALL = [Uint8Array.of(0), new Uint8Array(16).fill(0xff)] as const

function pairsOf(kv: Kv): Pair[] {
  return TABLES.flatMap((table) => [...kv.range(table, ...ALL)].map((pair) => ({ table, ...pair })))
}

/** The store as it would be read with one value changed; null: gone. */
function changed(kv: Kv, { table, key }: Pair, value: Uint8Array | null): Kv {
  const isIt = (other: Table, otherKey: Uint8Array) => other === table && Buffer.compare(otherKey, key) === 0
  return {
    ...kv,
    get: (...place) => (isIt(...place) ? (value ?? undefined) : kv.get(...place)),
    range: function* (from, ...bounds) {
      for (const pair of kv.range(from, ...bounds)) {
        if (!isIt(from, pair.key)) yield pair
        else if (value !== null) yield { key: pair.key, value }
      }
    },
  }
}

/** All of a short value; of a longer one its head, its end, and some between. */
function positionsOf({ length }: Uint8Array): readonly number[] {
  if (length <= 24) return Array.from({ length }, (_, index) => index)
  const between = Array.from({ length: 6 }, (_, index) => Math.floor(((index + 1) * length) / 7))
  return [...new Set([0, 3, 4, 5, 6, 9, 10, 11, ...between, length - 2, length - 1])]
}

const problemsOf = (kv: Kv) => verifyKv(kv, createMarkCheck()).problems

describe('ioasidd verify', () => {
  it('finds nothing wrong with what a daemon has left, and says what it read', async () => {
    const dataDir = await lived()
    const { exitCode, output } = await verify(dataDir)
    expect(output).toMatch(
      /: nothing is wrong: space \S+, format \d+, revision \d+, \d+ log entries after 0, 2 sets, 2 /,
    )
    expect(exitCode).toBe(0)
    expect(output.trimEnd().split('\n')).toHaveLength(1)
  })

  it('finds a changed byte anywhere in any value', { timeout: 120_000 }, async () => {
    const dataDir = await lived()
    await readLmdb(dataDir, async (kv) => {
      expect(problemsOf(kv)).toEqual([])
      const pairs = pairsOf(kv)
      expect(new Set(pairs.map(({ table }) => table))).toEqual(new Set(TABLES))
      const missed: string[] = []
      for (const pair of pairs) {
        for (const position of positionsOf(pair.value)) {
          for (const bit of [1 << (position % 8), 0xff]) {
            const value = Uint8Array.from(pair.value)
            value[position] = (value[position] ?? 0) ^ bit
            if (problemsOf(changed(kv, pair, value)).length === 0) missed.push(`${pair.table} ${position} ^${bit}`)
          }
        }
      }
      expect(missed).toEqual([])
    })
  })

  it('finds a value that is cut short, or gone where something rests on it', async () => {
    const dataDir = await lived()
    await readLmdb(dataDir, async (kv) => {
      for (const pair of pairsOf(kv)) {
        expect(problemsOf(changed(kv, pair, pair.value.slice(0, -1))), `${pair.table} cut`).not.toEqual([])
      }
      // Of the marks only answers follow each other; which leases there are is told by the state.
      const needed = pairsOf(kv).filter(({ table }) => table === 'log' || table === 'snapshots')
      for (const pair of needed) expect(problemsOf(changed(kv, pair, null)), `${pair.table} gone`).not.toEqual([])
    })
  })

  it('says all that is wrong, each in a line with what and where', async () => {
    const dataDir = await lived()
    const copy = join(scratch(), 'copy')
    cpSync(dataDir, copy, { recursive: true })
    const root = open({ path: copy, encoding: 'binary', keyEncoding: 'binary', noSubdir: false, maxDbs: 8 })
    const damage = async (name: string, key: Uint8Array) => {
      const table = root.openDB<Uint8Array, Uint8Array>({ name, encoding: 'binary', keyEncoding: 'binary' })
      const value = Uint8Array.from(table.getBinary(key) ?? [])
      value[value.length - 1] = (value[value.length - 1] ?? 0) ^ 1
      await table.put(key, value)
    }
    await damage('marks', Buffer.from('clock'))
    const [logKey] = [...root.openDB<Uint8Array, Uint8Array>({ name: 'log', keyEncoding: 'binary' }).getKeys({})].slice(
      -1,
    )
    await damage('log', logKey ?? new Uint8Array())
    await root.close()
    const { exitCode, output } = await verify(copy)
    const lines = output.trimEnd().split('\n')
    expect(lines).toEqual([
      expect.stringMatching(new RegExp(`^${copy}: log entry \\d+ does not match its checksum$`)),
      `${copy}: mark clock does not match its checksum`,
      'ioasidd: the data are damaged: restore a backup.',
    ])
    expect(exitCode).toBe(1)
  })

  it('finds an entry that is whole, and does not fit what was before it', async () => {
    const dataDir = await lived()
    await readLmdb(dataDir, async (kv) => {
      const { found } = verifyKv(kv, createMarkCheck())
      const [record = new Uint8Array()] = encodeEntries([plainEntry(found.revision + 1)])
      const value = encodePart({ number: 0, more: false, payload: record.slice(10) })
      const added: Kv = {
        ...kv,
        range: function* (table, ...bounds) {
          yield* kv.range(table, ...bounds)
          if (table === 'log') yield { key: partKey(found.revision + 1, 0), value }
        },
      }
      expect(problemsOf(added)[0]).toMatch(/^log entry \d+ does not fit what was before it: /)
    })
  })

  it('says who has the directory, and what is no data of ioasidd', async () => {
    const dataDir = await lived()
    const store = await openLmdbStore({ dataDir, genesis: GENESIS })
    expect(await verify(dataDir)).toMatchObject({
      exitCode: 1,
      output: expect.stringContaining('is in use by process'),
    })
    await store.close()
    const empty = scratch()
    expect(await verify(empty)).toEqual({ exitCode: 1, output: `ioasidd: ${empty} has no data of ioasidd.\n` })
  })
})
