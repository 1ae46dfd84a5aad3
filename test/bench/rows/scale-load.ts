import type { Client } from '../../../client/index.ts'
import { percentile } from '../percentile.ts'
import type { Population } from './scale-population.ts'

export interface SteadyLoad {
  readonly calls: number
  /** What they were refused with. */
  readonly failures: readonly unknown[]
  /** Ids that were freed and allocated again, of the sets below `watchedSets`. */
  readonly watchedTurns: number
  /** How long the Allocates took that were answered while the work went on. */
  readonly during: (work: () => Promise<unknown>) => Promise<Latency>
  /** Resolves when everything that was begun is answered. */
  readonly stop: () => Promise<void>
}

export interface Latency {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly longestMs: number
}

export interface LoadOptions {
  readonly population: Population
  readonly idsOfSet: number
  readonly watchedSets: number
  /** Ids freed and allocated again, a second; and leases renewed. */
  readonly turnsPerSecond: number
  readonly renewalsPerSecond: number
}

const BEAT_MS = 10
/** Prime to every number of ids here: each id has its turn before one has it twice. */
const STRIDE = 7_919

/**
 * A steady load, whatever the daemon makes of it: a process of some VM ends and another begins, so an id is freed and one
 * is allocated for the same SPID; and holders renew their leases. Each call goes by itself, as those of many clients do.
 */
export function startLoad(client: Client, options: LoadOptions): SteadyLoad {
  const { population, idsOfSet, watchedSets, turnsPerSecond, renewalsPerSecond } = options
  const { setHandles, leaseHandles, ioasids } = population
  const underWay = new Set<Promise<void>>()
  const failures: unknown[] = []
  let allocateMs: number[] = []
  let [calls, watchedTurns, turns, renewals] = [0, 0, 0, 0]

  const turn = async (index: number) => {
    const set = Math.floor(index / idsOfSet)
    const setHandle = setHandles[set] ?? ''
    calls += 2
    await client.free({ setHandle, ioasids: [ioasids[index] ?? 0] })
    const startMs = performance.now()
    const { ioasids: fresh } = await client.allocate({ setHandle, spids: [index % idsOfSet] })
    allocateMs.push(performance.now() - startMs)
    ioasids[index] = fresh[0] ?? 0
    if (set < watchedSets) watchedTurns += 1
  }
  const renew = async (lease: number) => {
    calls += 1
    await client.keepLeaseAlive({ leaseHandle: leaseHandles[lease] ?? '' })
  }
  const begin = (call: Promise<void>) => {
    const settled = call
      .catch((cause: unknown) => {
        failures.push(cause)
      })
      .finally(() => underWay.delete(settled))
    underWay.add(settled)
  }
  const startMs = performance.now()
  const beat = setInterval(() => {
    const seconds = (performance.now() - startMs) / 1_000
    for (; turns < seconds * turnsPerSecond; turns += 1) begin(turn((turns * STRIDE) % ioasids.length))
    for (; renewals < seconds * renewalsPerSecond; renewals += 1) begin(renew(renewals % leaseHandles.length))
  }, BEAT_MS)

  return {
    get calls() {
      return calls
    },
    failures,
    get watchedTurns() {
      return watchedTurns
    },
    during: async (work) => {
      allocateMs = []
      await work()
      const of = (percent: number) => percentile(allocateMs, percent)
      return { p50Ms: of(50), p99Ms: of(99), longestMs: of(100) }
    },
    stop: async () => {
      clearInterval(beat)
      await Promise.all(underWay)
    },
  }
}
