import { isDeepStrictEqual } from 'node:util'
import type { Entry } from '../../server/core/event.ts'
import { asRevision } from '../../server/core/ids.ts'
import { decodeEntry, decodeLines } from '../../server/store/codec.ts'
import type { Change, Kv } from '../../server/store/kv.ts'
import { readPartKey } from '../../server/store/kv-log.ts'
import { StoreError } from '../../server/store/store.ts'
import type { Coverage } from './coverage.ts'
import { createTables, type Tables } from './tables.ts'
import type { World } from './world.ts'

/**
 * The simulated disk, below store/kv-store.ts: so codec, log, snapshots, compaction and group commit are the real ones. A
 * write is a transaction, all or nothing (that is what Kv demands, and what test/crash proves of LMDB). It takes a drawn
 * time; at a crash what is in the air is lost or has made it.
 */
export interface Disk {
  readonly tables: Tables
  /** Every entry that was ever on the disk, compacted or not: `history[revision - 1]`. The oracle's truth. */
  readonly history: readonly Entry[]
  /** When each of them got there. */
  landedMs(revision: number): number
  /** For how long, in all, something was in the air. */
  busyMs(): number
  /** For how long at most what was decided may have been waiting for the disk. */
  lagMs(): number
  /** The disk as one process of the daemon sees it. */
  open(isAlive: () => boolean): Kv
  /** The power of the process goes: what is in the air is lost, or not. */
  crash(): void
  /** From now on a write takes about so long. */
  setPace(pace: Pace): void
  /** The next write fails: it did nothing, or all and nobody knows. */
  failNext(how: 'undone' | 'done'): void
  /** For so long nothing more fits on it. */
  fill(ms: number): void
  /** Nothing fails any more. */
  heal(): void
  /** Whether a failure is one that this disk was told to have. */
  isOwn(cause: unknown): boolean
}

/** quick: below the millisecond under which store/sync-pace.ts writes on the main thread. */
export type Pace = 'quick' | 'slow' | 'stuck'

interface InAir {
  readonly changes: readonly Change[]
  readonly sinceMs: number
  hasLanded: boolean
}

export interface DiskOptions {
  readonly world: World
  readonly coverage: Coverage
  readonly onEntry: (entry: Entry) => void
  /** The log is not what a log must be. */
  readonly onDisorder: (sentence: string) => void
}

export function createDisk({ world, coverage, onEntry, onDisorder }: DiskOptions): Disk {
  const { random } = world
  const tables = createTables()
  const history: Entry[] = []
  const landed: number[] = []
  const own = new Set<unknown>()
  let pace: Pace = 'quick'
  let failing: 'undone' | 'done' | undefined
  let fullUntilMs = 0
  let inAir: InAir | undefined
  /**
   * Of the last writes. A batch may wait for a piece of upkeep before its own turn comes; so what is not on the disk was
   * decided after the oldest of these began.
   */
  const starts = [0, 0, 0, 0, 0]
  let busyMs = 0

  const begin = () => {
    starts.shift()
    starts.push(world.nowMs)
  }

  const land = (changes: readonly Change[]) => {
    tables.apply(changes)
    for (const { table, key, value } of changes) {
      if (table !== 'log' || value === null) continue
      const { number, part } = readPartKey(key, 'a log entry')
      const entries = decodeLines([value], number).map((line, index) => decodeEntry(line, asRevision(number + index)))
      // A compaction writes anew what shared a record with what it removed.
      const isAnew = isDeepStrictEqual(entries, history.slice(number - 1, number - 1 + entries.length))
      if (isAnew) continue
      if (number !== history.length + 1 || part !== 0) {
        onDisorder(`entry ${number} (part ${part}) is written where ${history.length + 1} is due`)
        return
      }
      for (const entry of entries) {
        history.push(entry)
        landed.push(world.nowMs)
        onEntry(entry)
      }
    }
  }

  const failure = (problem: 'IO' | 'FULL') => {
    const error = new StoreError(problem, 'the simulated disk failed')
    own.add(error)
    coverage.count(problem === 'FULL' ? 'disk full' : 'write failed')
    return error
  }

  const takesMs = () => {
    switch (pace) {
      case 'quick':
        return random.between(1, 3) / 4
      case 'slow':
        return random.between(2, 60) / 2
      case 'stuck':
        return random.between(200, 1500)
    }
  }

  /** What becomes of a write, drawn when it begins. */
  const verdict = (): { readonly lands: boolean; readonly error: StoreError | undefined } => {
    if (world.nowMs < fullUntilMs) return { lands: false, error: failure('FULL') }
    if (failing === undefined) return { lands: true, error: undefined }
    const lands = failing === 'done'
    failing = undefined
    return { lands, error: failure('IO') }
  }

  const write = (changes: readonly Change[], isAlive: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      // Whoever is dead has no hands; it waits for ever.
      if (!isAlive()) return
      const { lands, error } = verdict()
      const ms = takesMs()
      const mine: InAir = { changes: lands ? changes : [], sinceMs: world.nowMs, hasLanded: false }
      inAir = mine
      begin()
      world.after('host', ms, () => {
        if (inAir !== mine) return
        mine.hasLanded = true
        busyMs += world.nowMs - mine.sinceMs
        land(mine.changes)
        // On the disk, but nobody knows yet.
        world.after('daemon', random.percent(80) ? 0 : random.between(1, 20), () => {
          if (inAir === mine) inAir = undefined
          if (error === undefined) resolve()
          else reject(error)
        })
      })
    })

  return {
    tables,
    history,
    landedMs: (revision) => landed[revision - 1] ?? 0,
    busyMs: () => busyMs + (inAir === undefined || inAir.hasLanded ? 0 : world.nowMs - inAir.sinceMs),
    lagMs: () => world.nowMs - (starts[0] ?? 0),
    open: (isAlive) => ({
      name: 'the simulated disk',
      get: tables.get,
      range: tables.range,
      keys: (table, from, to) => tables.range(table, from, to).map(({ key }) => key),
      lastKey: tables.lastKey,
      write: (changes) => write(changes, isAlive),
      writeNow: (changes) => {
        if (!isAlive()) return
        const { lands, error } = verdict()
        begin()
        world.spend(takesMs())
        if (lands) land(changes)
        if (error !== undefined) throw error
        coverage.count('write on the main thread')
      },
      close: async () => undefined,
    }),
    crash: () => {
      if (inAir === undefined) return
      if (!inAir.hasLanded) {
        const survives = random.percent(50)
        if (inAir.changes.length > 0) coverage.count(survives ? 'unknown write survived' : 'unknown write lost')
        if (survives) land(inAir.changes)
        busyMs += world.nowMs - inAir.sinceMs
      }
      inAir = undefined
    },
    setPace: (next) => {
      pace = next
    },
    failNext: (how) => {
      failing = how
    },
    fill: (ms) => {
      fullUntilMs = world.nowMs + ms
    },
    heal: () => {
      failing = undefined
      fullUntilMs = 0
      pace = 'quick'
    },
    isOwn: (cause) => own.has(cause),
  }
}
