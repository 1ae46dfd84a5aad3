import { isFailure } from '../core/failure.ts'
import { fullestSets, waitingHolders } from '../core/query.ts'
import type { Clock } from '../engine/clock.ts'
import type { DaemonLog } from '../log.ts'
import type { Limits, Sources } from './metrics.ts'
import { type Check, look } from './readiness.ts'
import { mostLagging } from './space-families.ts'

/**
 * All that one wants to know at three in the morning, in one line of bounded size: counts, limits, who lags, for whom ids wait,
 * which sets are full. By numbers alone; the leases' numbers, which their holders' names lead to, only at debug.
 */
export interface DumpOptions {
  readonly sources: Sources | undefined
  readonly checks: readonly Check[]
  readonly limits: Limits
  readonly loopDelayMs: number
  readonly clock: Pick<Clock, 'after'>
  readonly log: DaemonLog
}

const SHOWN = 20
const WAIT_MS = 1000

export async function dump(options: DumpOptions): Promise<void> {
  const { sources, checks, limits, loopDelayMs, log } = options
  const { rss, heapUsed, external } = process.memoryUsage()
  const host = {
    checks: look(checks).lines,
    limits,
    eventLoopDelayMs: Math.round(loopDelayMs),
    rss,
    heapUsed,
    external,
  }
  if (sources === undefined) return log.info(host, 'status')
  const { engine, connections, inFlightBytes } = sources
  const space = await inTime(options, spaceOf(sources))
  const { lags, size, ...pulse } = engine.pulse
  const peers = {
    connections: connections.count,
    refusedConnections: connections.refused,
    inFlightBytes: inFlightBytes(),
    lagging: mostLagging(lags(), SHOWN),
  }
  log.info({ ...space?.told, ...pulse, ...size, ...peers, ...host }, 'status')
  if (space !== undefined && space.holders.length > 0) log.debug({ holders: space.holders }, 'leases that ids wait for')
}

/** undefined: the disk is stuck, or the store has failed; the rest is told all the same. */
async function spaceOf({ engine }: Sources) {
  const [status, figures, seen] = await Promise.all([
    engine.status(),
    engine.figures(),
    engine.read((state) => ({ holders: waitingHolders(state, SHOWN), sets: fullestSets(state, SHOWN) })),
  ])
  if (isFailure(status) || isFailure(figures) || isFailure(seen)) return undefined
  const waiting = seen.holders.map(({ leaseId: _number, ...holder }) => holder)
  return { told: { ...status, ...figures, waiting, fullestSets: seen.sets }, holders: seen.holders }
}

async function inTime<Value>({ clock, log }: DumpOptions, work: Promise<Value>): Promise<Value | undefined> {
  const late = new Promise<undefined>((resolve) => {
    clock.after(WAIT_MS, () => resolve(undefined))
  })
  try {
    return await Promise.race([work, late])
  } catch (cause) {
    log.warn({ cause }, 'the space could not be looked at')
    return undefined
  }
}
