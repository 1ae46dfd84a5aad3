import { openLoader } from '../load/load.ts'
import { median } from '../median.ts'
import { ETCD } from '../programs.ts'
import { inRounds } from '../rounds.ts'
import type { Bench, Effort, Result } from '../row.ts'
import { inScope } from '../scope.ts'
import { startNoop } from '../servers/noop.ts'
import { CONNECTIONS, loadDaemon, startBesideEtcd, WARM_MS } from './allocating.ts'

const IN_FLIGHT = [1, 2, 4, 8, 16, 32, 64, 128, 256]

/** Median and p99 of an Allocate at so many in flight, beside those of a no-op server and etcd's create-if-absent. */
async function run({ rounds, roundMs }: Effort): Promise<Result> {
  return await inScope(async (atEnd) => {
    const noop = await startNoop()
    atEnd(noop.stop)
    const toNoop = await openLoader(noop.address, CONNECTIONS)
    atEnd(toNoop.close)
    const { set, toDaemon, toEtcd, create } = await startBesideEtcd(atEnd, CONNECTIONS)
    const allocate = set.allocate(1)
    const variants = (inFlight: number, forMs: number) => ({
      ioasidd: () => loadDaemon(set, toDaemon, inFlight, forMs),
      'no-op server': () => toNoop.run(allocate, inFlight, { ms: forMs }),
      etcd: () => toEtcd.run(create, inFlight, { ms: forMs }),
    })
    await inRounds(1, variants(64, WARM_MS))
    const points: Record<string, [number, number][]> = {}
    for (const inFlight of IN_FLIGHT) {
      // Shorter than others, as the plots of cost.ts.
      const measured = await inRounds(rounds, variants(inFlight, roundMs / 5))
      for (const name of ['ioasidd', 'no-op server', 'etcd'] as const) {
        for (const [figure, of] of [
          ['medianMs', 'median'],
          ['p99Ms', 'p99'],
        ] as const) {
          points[`${name}, ${of}`] ??= []
          points[`${name}, ${of}`]?.push([inFlight, median(measured.map((round) => round[name][figure]))])
        }
      }
    }
    const series = Object.entries(points).map(([name, each]) => ({ name, points: each }))
    return { rows: [], plots: [{ name: 'latency-against-load', x: 'calls in flight', y: 'ms', series }] }
  })
}

export const latencyBench: Bench = {
  name: 'latency',
  about: 'plot: median and p99 of an Allocate at 1 to 256 in flight, beside a no-op server and etcd',
  needs: [ETCD],
  run,
}
