import { setTimeout } from 'node:timers/promises'
import { type Client, connect } from '../../../client/index.ts'
import { median } from '../median.ts'
import type { Bench, Effort, Result, Row } from '../row.ts'
import { startWatchedDaemon, type WatchedDaemon } from '../servers/watched-daemon.ts'
import { fillSet } from './filling.ts'

const IDS = 1_000_000
/** The most that one Allocate takes. */
const IDS_AT_ONCE = 65_536
const MOST_DELETE_MS = 100
const MOST_SNAPSHOT_MS = 10
/** A round fills a space with a million ids. */
const MOST_ROUNDS = 5
/** What was begun before a look has ended by then. */
const PAUSE_MS = 200
/** Nothing but what the bench asks for is written meanwhile. */
const FLAGS = ['--snapshot-every', '1000000000']

export const loopDelayBench: Bench = {
  name: 'loop-delay',
  about:
    'how long the event loop stands still at most while a set of 1,000,000 ids is deleted, and while a snapshot is written',
  needs: [],
  run,
}

/** ms, of one round. */
interface Look {
  readonly longestMs: number
  readonly p99Ms: number
  readonly tookMs: number
  /** The longest that a GetStatus took meanwhile. */
  readonly readerMs: number
}

interface Round {
  readonly idle: Look
  readonly snapshot: Look
  readonly remove: Look
}

async function run({ rounds, say }: Effort): Promise<Result> {
  const daemon = await startWatchedDaemon(FLAGS)
  const client = connect({ endpoint: daemon.address, deadlineMs: 60_000 })
  const reader = connect({ endpoint: daemon.address, deadlineMs: 60_000 })
  const look = (work: () => Promise<void>) => lookAt(daemon, reader, work)
  try {
    const measured: Round[] = []
    // The first round is there to warm: a daemon that is asked for all this for the first time compiles it first.
    for (let round = 0; round <= Math.min(rounds, MOST_ROUNDS); round += 1) {
      say(`loop-delay: ${round === 0 ? 'warming' : `round ${round}`}`)
      const figures = await measure(client, look)
      if (round > 0) measured.push(figures)
    }
    return { rows: rowsOf(measured) }
  } finally {
    await client.close()
    await reader.close()
    await daemon.stop()
  }
}

async function measure(client: Client, look: (work: () => Promise<void>) => Promise<Look>): Promise<Round> {
  const { setHandle } = (await client.createSet()).set
  await fillSet(client, setHandle, IDS, IDS_AT_ONCE)
  const idle = await look(() => setTimeout(1_000))
  // A compaction up to the present needs a snapshot first; what it drops is the log of this round, a few dozen entries.
  const { revision } = await client.getStatus()
  const snapshot = await look(async () => void (await client.compact(revision)))
  const remove = await look(async () => void (await client.deleteSet({ setHandle, force: true })))
  return { idle, snapshot, remove }
}

async function lookAt(daemon: WatchedDaemon, reader: Client, work: () => Promise<void>): Promise<Look> {
  await setTimeout(PAUSE_MS)
  let isOver = false
  let readerMs = 0
  let tookMs = 0
  const read = async () => {
    while (!isOver) {
      const startMs = performance.now()
      await reader.getStatus()
      readerMs = Math.max(readerMs, performance.now() - startMs)
    }
  }
  const delay = await daemon.delayDuring(async () => {
    const reading = read()
    const startMs = performance.now()
    await work().finally(() => {
      isOver = true
    })
    tookMs = performance.now() - startMs
    await reading
  })
  return { ...delay, tookMs, readerMs }
}

function rowsOf(measured: readonly Round[]): readonly Row[] {
  const row = (name: string, most: number | undefined, pick: (round: Round) => Look): Row => {
    const of = (figure: (look: Look) => number) => median(measured.map((round) => figure(pick(round))))
    return {
      name: `loop-delay, ${name}`,
      unit: 'ms, longest',
      ...(most === undefined ? {} : { target: { kind: 'at most', value: most } }),
      rounds: measured.map((round) => pick(round).longestMs),
      figures: {
        'p99, ms': of(({ p99Ms }) => p99Ms),
        'all of it, ms': of(({ tookMs }) => tookMs),
        'longest GetStatus meanwhile, ms': of(({ readerMs }) => readerMs),
      },
    }
  }
  return [
    row(`a set of ${IDS} ids deleted`, MOST_DELETE_MS, ({ remove }) => remove),
    row(`a snapshot of ${IDS} ids written`, MOST_SNAPSHOT_MS, ({ snapshot }) => snapshot),
    row('nothing but the reader, for a second', undefined, ({ idle }) => idle),
  ]
}
