import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { type Client, connect } from '../../client/index.ts'
import { startBenchDaemon } from './daemon.ts'
import { median } from './median.ts'

/**
 * What it gains that concurrent calls travel together: 64 callers of one client, with coalescing and without, before the
 * same daemon in the same run, in short rounds whose order is chance. A figure of one round means nothing, since such
 * machines are noisy; the median of the rounds' ratios does. Ends with 1 where it is less than is wanted.
 */

const CALLERS = 64
const WARM_MS = 2_000
/** Wanted, and at most: times the ids a second of one RPC for each, and times the slowest of 64. */
const LEAST_GAIN = 12
const MOST_SLOWEST = 1

interface Figures {
  readonly idsPerSecond: number
  /** What an id costs this process: tells more than the clock where others want the processor too. */
  readonly cpuUs: number
  /** The median over bursts of the slowest of 64 that were called at once, in ms. */
  readonly slowestMs: number
}

interface Round {
  readonly together: Figures
  readonly alone: Figures
}

async function measure(client: Client, setHandle: string, forMs: number): Promise<Figures> {
  const startMs = performance.now()
  const cpu = process.cpuUsage()
  let ids = 0
  const caller = async (): Promise<void> => {
    while (performance.now() - startMs < forMs) {
      const { ioasids } = await client.allocate({ setHandle })
      ids += ioasids.length
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  const idsPerSecond = (ids / (performance.now() - startMs)) * 1_000
  const { user, system } = process.cpuUsage(cpu)

  const slowestMs: number[] = []
  const burstsMs = performance.now()
  while (performance.now() - burstsMs < forMs / 2) {
    const burstMs = performance.now()
    await Promise.all(Array.from({ length: CALLERS }, () => client.allocate({ setHandle })))
    slowestMs.push(performance.now() - burstMs)
  }
  await client.freeAll({ setHandle })
  return { idsPerSecond, cpuUs: (user + system) / ids, slowestMs: median(slowestMs) }
}

async function run(store: string, rounds: number, forMs: number): Promise<readonly Round[]> {
  const daemon = await startBenchDaemon(['--store', store, '--capacity', '16777216'])
  const together = connect({ endpoint: daemon.address })
  const alone = connect({ endpoint: daemon.address, coalesce: false })
  const { setHandle } = (await alone.createSet()).set
  try {
    // Connected, and compiled on both sides, before anything counts: until then the compiler is measured.
    for (const client of [together, alone, together, alone]) await measure(client, setHandle, WARM_MS)
    const figures: Round[] = []
    for (let round = 0; round < rounds; round += 1) {
      if (Math.random() < 0.5) {
        const first = await measure(alone, setHandle, forMs)
        figures.push({ alone: first, together: await measure(together, setHandle, forMs) })
      } else {
        const first = await measure(together, setHandle, forMs)
        figures.push({ together: first, alone: await measure(alone, setHandle, forMs) })
      }
    }
    return figures
  } finally {
    await together.close()
    await alone.close()
    await daemon.stop()
  }
}

function report(store: string, rounds: readonly Round[]): boolean {
  const of = (pick: (round: Round) => number): number => median(rounds.map(pick))
  const gain = of(({ together, alone }) => together.idsPerSecond / alone.idsPerSecond)
  const slowest = of(({ together, alone }) => together.slowestMs / alone.slowestMs)
  const ids = (pick: (round: Round) => Figures) => Math.round(of((round) => pick(round).idsPerSecond))
  const slow = (pick: (round: Round) => Figures) => of((round) => pick(round).slowestMs).toFixed(2)
  const gains = rounds.map(({ together, alone }) => (together.idsPerSecond / alone.idsPerSecond).toFixed(1))
  console.log(`store ${store}, ${CALLERS} concurrent allocate() of one client, ${rounds.length} rounds`)
  console.log(`  ids/s              ${ids((r) => r.together)} together, ${ids((r) => r.alone)} alone`)
  console.log(`  ratio              ${gain.toFixed(1)} (at least ${LEAST_GAIN}; rounds: ${gains.join(' ')})`)
  const cpu = (pick: (round: Round) => Figures) => of((round) => pick(round).cpuUs).toFixed(1)
  const saved = of(({ together, alone }) => alone.cpuUs / together.cpuUs).toFixed(1)
  console.log(
    `  client, µs of CPU  ${cpu((r) => r.together)} an id together, ${cpu((r) => r.alone)} alone: ratio ${saved}`,
  )
  console.log(`  slowest of ${CALLERS}, ms  ${slow((r) => r.together)} together, ${slow((r) => r.alone)} alone`)
  console.log(`  ratio              ${slowest.toFixed(2)} (at most ${MOST_SLOWEST})`)
  return gain >= LEAST_GAIN && slowest <= MOST_SLOWEST
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    ms: { type: 'string', default: '300' },
    store: { type: 'string', multiple: true, default: ['memory', 'lmdb'] },
  },
})
console.log(`node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`)
let isEnough = true
for (const store of values.store) {
  isEnough = report(store, await run(store, Number(values.rounds), Number(values.ms))) && isEnough
}
process.exitCode = isEnough ? 0 : 1
