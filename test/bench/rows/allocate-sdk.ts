import { type Client, connect } from '../../../client/index.ts'
import { rowOf } from '../figures.ts'
import { median } from '../median.ts'
import { inRounds } from '../rounds.ts'
import type { Bench, Effort, Row } from '../row.ts'
import { inScope } from '../scope.ts'
import { startDaemonSet } from '../servers/daemon-set.ts'

/**
 * What it gains that concurrent calls travel together: 64 callers of one client, with coalescing and without, before the
 * same daemon.
 */

const CALLERS = 64
const WARM_MS = 2_000

interface Figures {
  readonly idsPerSecond: number
  /** What an id costs this process: tells more than the clock where others want the processor too. */
  readonly cpuUs: number
  /** The median over bursts of the slowest of 64 that were called at once, in ms. */
  readonly slowestMs: number
}

/** A third of the time are bursts. */
async function measure(client: Client, setHandle: string, forMs: number): Promise<Figures> {
  const startMs = performance.now()
  const cpu = process.cpuUsage()
  let ids = 0
  const caller = async (): Promise<void> => {
    while (performance.now() - startMs < (forMs * 2) / 3) {
      const { ioasids } = await client.allocate({ setHandle })
      ids += ioasids.length
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  const idsPerSecond = (ids / (performance.now() - startMs)) * 1_000
  const { user, system } = process.cpuUsage(cpu)

  const slowestMs: number[] = []
  const burstsMs = performance.now()
  while (performance.now() - burstsMs < forMs / 3) {
    const burstMs = performance.now()
    await Promise.all(Array.from({ length: CALLERS }, () => client.allocate({ setHandle })))
    slowestMs.push(performance.now() - burstMs)
  }
  await client.freeAll({ setHandle })
  return { idsPerSecond, cpuUs: (user + system) / ids, slowestMs: median(slowestMs) }
}

async function runOn(store: string, { rounds, roundMs }: Effort): Promise<readonly Row[]> {
  return await inScope(async (atEnd) => {
    const set = await startDaemonSet(['--store', store, '--capacity', '16777216'])
    atEnd(set.stop)
    const { setHandle } = set
    const together = connect({ endpoint: set.address })
    atEnd(together.close)
    const alone = connect({ endpoint: set.address, coalesce: false })
    atEnd(alone.close)
    const variants = (forMs: number) => ({
      together: () => measure(together, setHandle, forMs),
      alone: () => measure(alone, setHandle, forMs),
    })
    // Connected, and compiled on both sides, before anything counts: until then the compiler is measured.
    await inRounds(2, variants(WARM_MS))
    // Half as long as other rounds: there are two stores.
    const measured = await inRounds(rounds, variants(roundMs / 2))
    return [
      rowOf(
        { name: `allocate-sdk ${store}`, unit: 'times one RPC for each', target: { kind: 'at least', value: 12 } },
        measured,
        (round) => round.together.idsPerSecond / round.alone.idsPerSecond,
        (round) => ({
          'together, ids/s': round.together.idsPerSecond,
          'alone, ids/s': round.alone.idsPerSecond,
          'together, µs of the client an id': round.together.cpuUs,
          'alone, µs of the client an id': round.alone.cpuUs,
        }),
      ),
      rowOf(
        {
          name: `allocate-sdk ${store} slowest`,
          unit: 'times one RPC for each, the slowest of 64',
          target: { kind: 'at most', value: 1 },
        },
        measured,
        (round) => round.together.slowestMs / round.alone.slowestMs,
        (round) => ({ 'together, ms': round.together.slowestMs, 'alone, ms': round.alone.slowestMs }),
      ),
    ]
  })
}

export const allocateSdkBench: Bench = {
  name: 'allocate-sdk',
  about: '64 concurrent allocate() of one client, against one RPC for each',
  needs: [],
  run: async (effort) => ({ rows: [...(await runOn('memory', effort)), ...(await runOn('lmdb', effort))] }),
}
