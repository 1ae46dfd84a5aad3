import { isDeepStrictEqual } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { asRevision } from '../../server/core/ids.ts'
import { freeze } from '../../server/core/state.ts'
import { type Mark, type Store, StoreError } from '../../server/store/store.ts'
import { canonical } from '../support/space.ts'
import { busySpace, GENESIS, goOn, longEntry, plainEntries, plainEntry, read, stateOf } from './history.ts'

/** A store to test, empty, and what a restart of its process is. */
export interface Candidate {
  readonly store: Store
  /** The store that a new process finds. The one before it is not used any more. */
  restart(store: Store): Promise<Store>
  dispose?(): Promise<void>
}

const NOTHING = { entries: [], marks: [] }
const PLENTY = 1 << 20
/** As toEqual, for what is too large for it to compare in good time. */
const expectSame = (actual: unknown, expected: unknown) => expect(isDeepStrictEqual(actual, expected)).toBe(true)
const bytes = (...values: number[]) => Uint8Array.from(values)

/** The contract of store.ts as tests. */
export function storeSuite(name: string, makeCandidate: () => Promise<Candidate>): void {
  const cleanUps: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0)) await cleanUp()
  })

  /** A loaded store, and `restart`, which gives the store after it and what that read. */
  const begin = async () => {
    const candidate = await makeCandidate()
    let current = candidate.store
    cleanUps.push(async () => {
      await current.close()
      await candidate.dispose?.()
    })
    await read(current)
    const restart = async () => {
      current = await candidate.restart(current)
      return { store: current, found: await read(current) }
    }
    return { store: current, restart }
  }

  describe(`${name}: a start`, () => {
    test('finds nothing in a new store but its genesis', async () => {
      const { store, restart } = await begin()
      expect(store.size()).toEqual({ entries: 0, logBytes: 0, sinceSnapshot: 0 })
      const { found } = await restart()
      expect(found).toEqual({ ...GENESIS, base: undefined, entries: [], marks: [], compactRevision: 0 })
    })

    test('finds every entry that was appended, in order, as it was', async () => {
      const running = busySpace()
      const { store, restart } = await begin()
      for (const entry of running.log) await store.append({ entries: [entry], marks: [] })
      const { found } = await restart()
      expect(found.entries).toEqual(running.log)
      expect(stateOf(found, running)).toEqual(canonical(running.state))
    })

    test('finds entries that were appended after an earlier start', async () => {
      const { store, restart } = await begin()
      await store.append({ entries: plainEntries(1, 3), marks: [] })
      const second = await restart()
      await second.store.append({ entries: plainEntries(4, 2), marks: [] })
      const { found, store: third } = await restart()
      expect(found.entries).toEqual(plainEntries(1, 5))
      expect(third.size()).toMatchObject({ entries: 5, sinceSnapshot: 5 })
    })

    test('counts the bytes of the log as they were counted before', async () => {
      const { store, restart } = await begin()
      await store.append({ entries: plainEntries(1, 10), marks: [{ key: 'clock', value: bytes(1) }] })
      const { logBytes } = store.size()
      expect(logBytes).toBeGreaterThan(0)
      expect((await restart()).store.size().logBytes).toBe(logBytes)
    })
  })

  describe(`${name}: an append`, () => {
    test('takes entries and marks together', async () => {
      const { store, restart } = await begin()
      await store.append({ entries: plainEntries(1, 100), marks: [{ key: 'clock', value: bytes(1, 2) }] })
      const { found } = await restart()
      expect(found.entries).toHaveLength(100)
      expect(found.marks).toEqual([{ key: 'clock', value: bytes(1, 2) }])
    })

    test('of nothing changes nothing', async () => {
      const { store } = await begin()
      await store.append(NOTHING)
      expect(store.size()).toEqual({ entries: 0, logBytes: 0, sinceSnapshot: 0 })
    })

    test('takes an entry longer than a megabyte, and gives it back whole', async () => {
      const { store, restart } = await begin()
      const entries = [plainEntry(1), longEntry(2), plainEntry(3)]
      await store.append({ entries, marks: [] })
      expectSame(await store.tail(asRevision(0), 100 * PLENTY), entries)
      const { found } = await restart()
      expectSame(found.entries, entries)
    })

    test.each([
      ['leaves a gap', [plainEntry(3)]],
      ['comes again', [plainEntry(1)]],
      ['jumps within a batch', [plainEntry(2), plainEntry(4)]],
    ])('whose entry %s is refused whole', async (_what, entries) => {
      const { store, restart } = await begin()
      await store.append({ entries: [plainEntry(1)], marks: [] })
      await expect(store.append({ entries, marks: [{ key: 'clock', value: bytes(1) }] })).rejects.toThrow(/is due/)
      const { found } = await restart()
      expect(found).toMatchObject({ entries: [plainEntry(1)], marks: [] })
    })

    test('to a closed store is refused', async () => {
      const { store } = await begin()
      await store.close()
      await expect(store.append({ entries: [plainEntry(1)], marks: [] })).rejects.toThrow(StoreError)
    })
  })

  describe(`${name}: marks`, () => {
    test('are overwritten and deleted, and make no log grow', async () => {
      const { store, restart } = await begin()
      await store.append({ entries: [], marks: ['a', 'b', 'c'].map((key) => ({ key, value: bytes(1) })) })
      await store.append({
        entries: [],
        marks: [
          { key: 'a', value: bytes(2, 3) },
          { key: 'b', value: null },
          { key: 'never', value: null },
        ],
      })
      expect(store.size()).toEqual({ entries: 0, logBytes: 0, sinceSnapshot: 0 })
      const { found } = await restart()
      expect(found.marks).toEqual([
        { key: 'a', value: bytes(2, 3) },
        { key: 'c', value: bytes(1) },
      ])
    })

    test('come by key, bytewise, however many there are', async () => {
      const keys = ['~', 'a', 'B', 'a/1', 'a/10', 'a/2', ' ', `x${'y'.repeat(63)}`]
      for (let number = 0; number < 20_000; number++) keys.push(`r/${number * 7919}`)
      const { store, restart } = await begin()
      await store.append({ entries: [], marks: keys.map((key) => ({ key, value: Buffer.from(key) })) })
      const { found } = await restart()
      expect(found.marks.map((mark) => mark.key)).toEqual([...keys].sort())
      expect(found.marks.every((mark: Mark) => Buffer.from(mark.value).toString() === mark.key)).toBe(true)
    })

    test('of no bytes and of a megabyte are values like others', async () => {
      const { store, restart } = await begin()
      const marks = [
        { key: 'empty', value: bytes() },
        { key: 'large', value: new Uint8Array(1 << 20).fill(7) },
      ]
      await store.append({ entries: [], marks })
      const { found } = await restart()
      expectSame(found.marks, marks)
    })

    test('can be read one by one as they are now', async () => {
      const { store, restart } = await begin()
      await store.append({ entries: [], marks: [{ key: 'clock', value: bytes(1) }] })
      await store.append({ entries: [], marks: [{ key: 'clock', value: bytes(2) }] })
      expect(await store.readMark('clock')).toEqual(bytes(2))
      expect(await store.readMark('clo')).toBeUndefined()
      expect(await (await restart()).store.readMark('clock')).toEqual(bytes(2))
    })

    test('can be read in portions from any key on, as they are now', async () => {
      const { store, restart } = await begin()
      const keys = ['a', 'a/1', 'a/2', 'b', 'c']
      await store.append({ entries: [], marks: keys.map((key) => ({ key, value: bytes(1, 2, 3) })) })
      await store.append({ entries: [], marks: [{ key: 'b', value: null }] })
      const portions = async (from: Store, maxBytes: number) => {
        const found: string[][] = []
        for (let after = ''; ; ) {
          const marks = await from.readMarks(after, maxBytes)
          if (marks.length === 0) return found
          for (const { value } of marks) expect(value).toEqual(bytes(1, 2, 3))
          found.push(marks.map(({ key }) => key))
          after = marks.at(-1)?.key ?? ''
        }
      }
      expect(await portions(store, PLENTY)).toEqual([['a', 'a/1', 'a/2', 'c']])
      expect(await portions(store, 1)).toEqual([['a'], ['a/1'], ['a/2'], ['c']])
      expect(await store.readMarks('a/1', PLENTY)).toHaveLength(2)
      expect(await store.readMarks('a/11', PLENTY)).toHaveLength(2)
      expect(await portions((await restart()).store, PLENTY)).toEqual([['a', 'a/1', 'a/2', 'c']])
    })

    test.each(['', 'é', 'a\nb', 'x'.repeat(65)])(
      'with the key "%s" are refused, and all that came with them',
      async (key) => {
        const { store } = await begin()
        const marks = [{ key, value: bytes(1) }]
        await expect(store.append({ entries: [plainEntry(1)], marks })).rejects.toThrow('has the key')
        expect(await store.tail(asRevision(0), PLENTY)).toEqual([])
      },
    )
  })

  describe(`${name}: the tail`, () => {
    test('is what comes after a cursor', async () => {
      const { store } = await begin()
      await store.append({ entries: plainEntries(1, 20), marks: [] })
      expect(await store.tail(asRevision(0), PLENTY)).toEqual(plainEntries(1, 20))
      expect(await store.tail(asRevision(17), PLENTY)).toEqual(plainEntries(18, 3))
      expect(await store.tail(asRevision(20), PLENTY)).toEqual([])
    })

    test('is read in portions that are bounded, and of one entry at least', async () => {
      const { store } = await begin()
      await store.append({ entries: plainEntries(1, 20), marks: [] })
      const perEntry = store.size().logBytes / 20
      const portions: number[] = []
      for (let cursor = 0; cursor < 20; ) {
        const portion = await store.tail(asRevision(cursor), Math.ceil(perEntry * 3.5))
        expect(portion).toEqual(plainEntries(cursor + 1, portion.length))
        portions.push(portion.length)
        cursor += portion.length
      }
      expect(portions).toEqual([3, 3, 3, 3, 3, 3, 2])
      expect(await store.tail(asRevision(4), 1)).toEqual([plainEntry(5)])
    })
  })

  describe(`${name}: a snapshot`, () => {
    test('is what a start begins with, and the entries after it follow', async () => {
      const running = busySpace()
      const { store, restart } = await begin()
      await store.append({ entries: running.log, marks: [] })
      await store.writeSnapshot(freeze(running.state))
      expect(store.size().sinceSnapshot).toBe(0)
      const later = goOn(running, 5)
      await store.append({ entries: later, marks: [] })
      expect(store.size().sinceSnapshot).toBe(5)
      const { found, store: next } = await restart()
      expect(found.base?.revision).toBe(running.state.revision - 5)
      expect(found.entries).toEqual(later)
      expect(stateOf(found, running)).toEqual(canonical(running.state))
      expect(next.size().sinceSnapshot).toBe(5)
    })

    test('has pages that its reader may write', async () => {
      const running = busySpace()
      const { store, restart } = await begin()
      await store.append({ entries: running.log, marks: [] })
      await store.writeSnapshot(freeze(running.state))
      const { found } = await restart()
      expect(found.base?.table.epoch).toBe(0)
      expect(found.base?.table.pages.map((page) => page?.epoch)).toEqual(
        running.state.table.pages.map((page) => (page === undefined ? undefined : 0)),
      )
    })

    test('is of the moment at which it was asked for, while others append', async () => {
      const running = busySpace()
      const { store, restart } = await begin()
      await store.append({ entries: running.log, marks: [] })
      const before = canonical(running.state)
      const revision = running.state.revision
      const snapshot = store.writeSnapshot(freeze(running.state))
      for (const entry of goOn(running, 30)) await store.append({ entries: [entry], marks: [] })
      await snapshot
      const { found } = await restart()
      expect(found.base?.revision).toBe(revision)
      expect(stateOf({ ...found, entries: [] }, running)).toEqual(before)
      expect(stateOf(found, running)).toEqual(canonical(running.state))
    })

    test('takes the place of the earlier one', async () => {
      const running = busySpace()
      const { store, restart } = await begin()
      await store.append({ entries: running.log, marks: [] })
      await store.writeSnapshot(freeze(running.state))
      await store.append({ entries: goOn(running, 3), marks: [] })
      await store.writeSnapshot(freeze(running.state))
      const { found } = await restart()
      expect(found.base?.revision).toBe(running.state.revision)
      expect(stateOf(found, running)).toEqual(canonical(running.state))
    })

    test('of what is not durable is refused', async () => {
      const running = busySpace()
      const { store, restart } = await begin()
      await store.append({ entries: running.log.slice(0, -1), marks: [] })
      await expect(store.writeSnapshot(freeze(running.state))).rejects.toThrow(/ahead of the last entry/)
      expect((await restart()).found.base).toBeUndefined()
    })

    test('that fails half-way leaves the earlier one in force, and can be tried again', async () => {
      const running = busySpace()
      const { store, restart } = await begin()
      await store.append({ entries: running.log, marks: [] })
      await store.writeSnapshot(freeze(running.state))
      await store.append({ entries: goOn(running, 3), marks: [] })
      const frozen = freeze(running.state)
      const pages = new Proxy(frozen.table.pages, {
        get: (target, name, receiver) => {
          if (name === '2') throw new Error('half-way')
          return Reflect.get(target, name, receiver)
        },
      })
      await expect(store.writeSnapshot({ ...frozen, table: { pages } })).rejects.toThrow('half-way')
      const second = await restart()
      expect(second.found.base?.revision).toBe(running.state.revision - 3)
      await second.store.writeSnapshot(frozen)
      const { found } = await restart()
      expect(found.base?.revision).toBe(running.state.revision)
      expect(stateOf(found, running)).toEqual(canonical(running.state))
    })
  })

  describe(`${name}: a compaction`, () => {
    /** 1,000 entries and more, a snapshot of 900 or so, and the last ones after it. */
    const beginLong = async () => {
      const running = busySpace()
      goOn(running, 900)
      const begun = await begin()
      await begun.store.append({ entries: running.log, marks: [] })
      await begun.store.writeSnapshot(freeze(running.state))
      const snapshotRevision = running.state.revision
      await begun.store.append({ entries: goOn(running, 10), marks: [] })
      return { ...begun, running, snapshotRevision, at: asRevision(snapshotRevision - 20) }
    }

    test('drops the entries at or below its revision, and no others', async () => {
      const { store, restart, running, at } = await beginLong()
      const before = store.size()
      await store.compact(at)
      expect(await store.tail(at, 100 * PLENTY)).toEqual(running.log.slice(at))
      const { entries, logBytes } = store.size()
      expect(entries).toBe(30)
      expect(logBytes).toBeGreaterThan(0)
      expect(logBytes).toBeLessThan(before.logBytes / 10)
      const { found, store: next } = await restart()
      expect(found.compactRevision).toBe(at)
      expect(stateOf(found, running)).toEqual(canonical(running.state))
      expect(next.size()).toEqual(store.size())
    })

    test('makes an older cursor an error that says which is the oldest', async () => {
      const { store, at } = await beginLong()
      await store.compact(at)
      const problem = await store.tail(asRevision(at - 1), PLENTY).catch((error: unknown) => error)
      expect(problem).toBeInstanceOf(StoreError)
      expect(problem).toMatchObject({ problem: 'COMPACTED', message: expect.stringContaining(`${at}`) })
    })

    test('at or below what is compacted already changes nothing', async () => {
      const { store, at } = await beginLong()
      await store.compact(at)
      const size = store.size()
      await store.compact(at)
      await store.compact(asRevision(1))
      expect(store.size()).toEqual(size)
      expect(await store.tail(at, PLENTY)).not.toEqual([])
    })

    test('ahead of the newest snapshot is refused', async () => {
      const { store, snapshotRevision } = await beginLong()
      await expect(store.compact(asRevision(snapshotRevision + 1))).rejects.toThrow(/ahead of the newest snapshot/)
      expect(await store.tail(asRevision(0), 1)).toHaveLength(1)
    })

    test('of everything leaves a log that goes on', async () => {
      const { store, restart, running } = await beginLong()
      await store.writeSnapshot(freeze(running.state))
      const { revision } = running.state
      await store.compact(revision)
      expect(store.size()).toEqual({ entries: 0, logBytes: 0, sinceSnapshot: 0 })
      expect(await store.tail(revision, PLENTY)).toEqual([])
      await store.append({ entries: goOn(running, 1), marks: [] })
      const second = await restart()
      expect(second.found.entries).toHaveLength(1)
      await second.store.append({ entries: goOn(running, 1), marks: [] })
      const { found } = await restart()
      expect(stateOf(found, running)).toEqual(canonical(running.state))
    })

    test('goes on beside appends, a snapshot and readers', async () => {
      const { store, restart, running, at } = await beginLong()
      const upkeep = [
        store.compact(asRevision(at - 100)),
        store.writeSnapshot(freeze(running.state)),
        store.compact(at),
      ]
      for (let round = 0; round < 20; round++) {
        await store.append({ entries: goOn(running, 1), marks: [] })
        const last = asRevision(running.state.revision - 1)
        expect(await store.tail(last, PLENTY)).toEqual(running.log.slice(-1))
      }
      await Promise.all(upkeep)
      const { found } = await restart()
      expect(found.compactRevision).toBe(at)
      expect(stateOf(found, running)).toEqual(canonical(running.state))
    })
  })

  test(`${name}: closing waits for what is under way, and may be asked for twice`, async () => {
    const running = busySpace()
    const { store, restart } = await begin()
    await store.append({ entries: running.log, marks: [] })
    const snapshot = store.writeSnapshot(freeze(running.state))
    await Promise.all([store.close(), store.close()])
    await snapshot
    expect((await restart()).found.base?.revision).toBe(running.state.revision)
  })
}
