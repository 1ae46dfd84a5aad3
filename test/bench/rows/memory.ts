import { setTimeout } from 'node:timers/promises'
import { type Client, connect } from '../../../client/index.ts'
import { median } from '../median.ts'
import type { Bench, Effort, Result, Row } from '../row.ts'
import { residentOf } from '../rss.ts'
import { startBenchDaemon } from '../servers/daemon.ts'
import { concurrently, fill } from './filling.ts'

const IDS = 1_000_000
const SETS = 1_000
const MOST_BYTES = 96
/** A figure of a fresh process each: they hardly differ, and a fill takes its time. */
const MOST_ROUNDS = 3

const READINGS = 5
/** Nothing is collected in a daemon that does nothing: so it is asked so often before each look, empty and full alike. */
const CALLS_BEFORE_READING = 2_000
const PAUSE_MS = 150

const STORES = ['memory', 'lmdb'] as const
type Store = (typeof STORES)[number]

export const memoryBench: Bench = {
  name: 'memory',
  about: `what ${IDS.toLocaleString('en')} live ids with SPIDs in ${SETS.toLocaleString('en')} sets add to a daemon's RSS`,
  needs: [],
  run,
}

async function run({ rounds, say }: Effort): Promise<Result> {
  const rows: Row[] = []
  for (const store of STORES) {
    const measured: Measured[] = []
    for (let round = 0; round < Math.min(rounds, MOST_ROUNDS); round += 1) {
      say(`memory: store ${store}, round ${round + 1}`)
      measured.push(await measure(store))
    }
    rows.push(rowOf(store, measured))
  }
  return { rows }
}

interface Measured {
  readonly empty: Memory
  readonly full: Memory
}

async function measure(store: Store): Promise<Measured> {
  const daemon = await startBenchDaemon(['--store', store])
  const client = connect({ endpoint: daemon.address })
  try {
    const empty = await settled(client, daemon.pid)
    await fill(client, { sets: SETS, idsOfSet: IDS / SETS, idsAtOnce: IDS / SETS })
    const full = await settled(client, daemon.pid)
    const { allocated } = await client.getStatus()
    if (allocated !== IDS) throw new Error(`the daemon has ${allocated} ids instead of ${IDS}`)
    return { empty, full }
  } finally {
    await client.close()
    await daemon.stop()
  }
}

/** Bytes; `anonymous` is what is not a mapped file, such as LMDB's, which the kernel may drop at any time. */
interface Memory {
  readonly resident: number
  readonly anonymous: number
}

/** The least of several looks, when what the last phase left to collect has gone. */
async function settled(client: Client, pid: number): Promise<Memory> {
  let least: Memory = { resident: Infinity, anonymous: Infinity }
  for (let reading = 0; reading < READINGS; reading += 1) {
    await concurrently(CALLS_BEFORE_READING, async () => void (await client.getStatus()))
    await setTimeout(PAUSE_MS)
    const { rssKiB, anonymousKiB } = residentOf(pid)
    const now = { resident: rssKiB * 1024, anonymous: anonymousKiB * 1024 }
    if (now.resident < least.resident) least = now
  }
  return least
}

function rowOf(store: Store, measured: readonly Measured[]): Row {
  const of = (pick: (round: Measured) => number) => median(measured.map(pick))
  return {
    name: `memory, store ${store}`,
    unit: 'bytes an id',
    target: { kind: 'at most', value: MOST_BYTES },
    rounds: measured.map(({ empty, full }) => (full.resident - empty.resident) / IDS),
    figures: {
      'empty, MiB': of(({ empty }) => empty.resident / 2 ** 20),
      'full, MiB': of(({ full }) => full.resident / 2 ** 20),
      'bytes an id without mapped files': of(({ empty, full }) => (full.anonymous - empty.anonymous) / IDS),
    },
  }
}
