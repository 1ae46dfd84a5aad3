import { type Client, connect } from '../../../client/index.ts'
import { rowOf } from '../figures.ts'
import { median } from '../median.ts'
import { inRounds } from '../rounds.ts'
import type { Bench, Effort, Row } from '../row.ts'
import { inScope } from '../scope.ts'
import { startDaemonSet } from '../servers/daemon-set.ts'
import { startNoop } from '../servers/noop.ts'

/**
 * What it gains that concurrent calls travel together: 64 callers of one client, with coalescing and without, before the
 * same daemon. Before a server that does nothing it is the most that any daemon could give this client.
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

/** Who is asked for ids. */
interface Server {
  readonly address: string
  readonly setHandle: string
  /** Takes them all back. */
  readonly freeAll: () => Promise<unknown>
}

/** A third of the time are bursts. */
async function measure(client: Client, { setHandle, freeAll }: Server, forMs: number): Promise<Figures> {
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
  await freeAll()
  return { idsPerSecond, cpuUs: (user + system) / ids, slowestMs: median(slowestMs) }
}

async function runOn(store: string, effort: Effort): Promise<readonly Row[]> {
  return await inScope(async (atEnd) => {
    const set = await startDaemonSet(['--store', store, '--capacity', '16777216'])
    atEnd(set.stop)
    const [gained, slowest] = await compare(`allocate-sdk ${store}`, set, effort)
    return [
      { ...gained, target: { kind: 'at least', value: 12 } },
      { ...slowest, target: { kind: 'at most', value: 1 } },
    ]
  })
}

async function runOnNoop(effort: Effort): Promise<readonly Row[]> {
  return await inScope(async (atEnd) => {
    const { address, stop } = await startNoop()
    atEnd(stop)
    return await compare('allocate-sdk no-op', { address, setHandle: 'any', freeAll: async () => {} }, effort)
  })
}

async function compare(
  name: string,
  server: Server,
  { rounds, roundMs }: Effort,
): Promise<readonly [gained: Row, slowest: Row]> {
  return await inScope(async (atEnd) => {
    const together = connect({ endpoint: server.address })
    atEnd(together.close)
    const alone = connect({ endpoint: server.address, coalesce: false })
    atEnd(alone.close)
    const variants = (forMs: number) => ({
      together: () => measure(together, server, forMs),
      alone: () => measure(alone, server, forMs),
    })
    // Connected, and compiled on both sides, before anything counts: until then the compiler is measured.
    await inRounds(2, variants(WARM_MS))
    // Half as long as other rounds: there are three servers.
    const measured = await inRounds(rounds, variants(roundMs / 2))
    return [
      rowOf(
        { name, unit: 'times one RPC for each' },
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
        { name: `${name} slowest`, unit: 'times one RPC for each, the slowest of 64' },
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
  run: async (effort) => ({
    rows: [...(await runOn('memory', effort)), ...(await runOn('lmdb', effort)), ...(await runOnNoop(effort))],
  }),
}
