import { openLoader } from '../load/load.ts'
import { median } from '../median.ts'
import { inRounds } from '../rounds.ts'
import type { Bench, Effort, Plot, Result } from '../row.ts'
import { inScope } from '../scope.ts'
import { CONNECTIONS, IN_FLIGHT, loadDaemon, WARM_MS } from './allocating.ts'
import { type Grown, startGrown } from './grown.ts'

/** What grows, and how far. The others stay as they are in the daemon that it is compared with. */
interface Growth {
  readonly name: string
  readonly x: string
  readonly steps: readonly number[]
  readonly grow: (daemon: Grown, to: number) => Promise<void>
}

const GROWTHS: readonly Growth[] = [
  {
    name: 'cost-against-sets',
    x: 'sets',
    steps: [1, 100, 10_000, 100_000],
    grow: (daemon, to) => daemon.growSets(to),
  },
  {
    name: 'cost-against-subscribers',
    x: 'subscribers, each of another set',
    steps: [1, 100, 1_000, 10_000],
    grow: (daemon, to) => daemon.growSubscribers(to),
  },
  {
    name: 'cost-against-fill',
    x: 'allocated, % of the space',
    steps: [0, 50, 90, 99],
    grow: (daemon, to) => daemon.fill(to / 100),
  },
]

/** An Allocate's time at 100 in flight, at each step against a daemon that does not grow, in the same rounds. */
async function plotOf({ name, x, steps, grow }: Growth, { rounds, roundMs, say }: Effort): Promise<Plot> {
  return await inScope(async (atEnd) => {
    const small = await startGrown()
    atEnd(small.stop)
    const large = await startGrown()
    atEnd(large.stop)
    const toSmall = await openLoader(small.address, CONNECTIONS)
    atEnd(toSmall.close)
    const toLarge = await openLoader(large.address, CONNECTIONS)
    atEnd(toLarge.close)
    const variants = (forMs: number) => ({
      small: () => loadDaemon(small, toSmall, IN_FLIGHT, forMs),
      large: () => loadDaemon(large, toLarge, IN_FLIGHT, forMs),
    })
    await inRounds(1, variants(WARM_MS))
    const points: [number, number][] = []
    for (const step of steps) {
      say(`  ${step} ${x} …`)
      await grow(large, step)
      // Shorter rounds than others, since there are many points: a plot shows a trend, growth's row is what counts.
      const measured = await inRounds(rounds, variants(Math.min(roundMs, 1_000) / 4))
      points.push([step, median(measured.map((round) => round.small.perSecond / round.large.perSecond))])
    }
    return { name, x, y: 'cost of an Allocate, times that of one set, empty', series: [{ name: 'ioasidd', points }] }
  })
}

async function run(effort: Effort): Promise<Result> {
  const plots: Plot[] = []
  for (const growth of GROWTHS) plots.push(await plotOf(growth, effort))
  return { rows: [], plots }
}

export const costBench: Bench = {
  name: 'cost',
  about: 'plots: the cost of an Allocate against the number of sets, of subscribers, and the fill',
  needs: [],
  run,
}
