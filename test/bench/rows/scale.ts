import { setTimeout as delay } from 'node:timers/promises'
import { type Client, connect } from '../../../client/index.ts'
import { openCalls } from '../load/calls.ts'
import { NOTIFICATIONS_FIELD, subscribeTo } from '../load/ioasidd-requests.ts'
import { openWatchers } from '../load/watchers.ts'
import type { Bench, Effort, Row } from '../row.ts'
import { residentOf } from '../rss.ts'
import { inScope } from '../scope.ts'
import { type LoopDelay, startWatchedDaemon } from '../servers/watched-daemon.ts'
import { type Latency, type SteadyLoad, startLoad } from './scale-load.ts'
import { type PopulationSize, populate, tokenOf } from './scale-population.ts'

/** A million ids; what a daemon takes of everything else by its default limits. */
const SIZE: PopulationSize = { sets: 100_000, idsOfSet: 10, leases: 10_000 }
const SUBSCRIBERS = 10_000
const CONNECTIONS = 100
/** Each lease every 20 s, as of a ttl of a minute; and 1,000 calls a second that free and allocate. */
const RENEWALS_PER_SECOND = 500
const TURNS_PER_SECOND = 500
/** UNBIND, FREE, RECLAIM; ALLOC, BIND. */
const EVENTS_PER_TURN = 5
/** Three heartbeats of each stream. */
const SETTLE_MS = 15_000
const WARM_MS = 3_000
const STEADY_MS = 10_000
const COMPACT_DEADLINE_MS = 60_000

/**
 * Everything at once in one daemon with the lmdb store: 1,000,000 ids with SPIDs in 100,000 sets with a quota, 10,000
 * leases with a set each, 10,000 subscribers. What it takes in memory, how long an Allocate takes under a steady load and
 * how late the event loop is; and the same while a snapshot is written and the whole history is compacted. The load is
 * 1,500 calls a second by one client. One round: filling it takes most of the time.
 */
export const scaleBench: Bench = {
  name: 'scale',
  about: '1,000,000 ids, 100,000 sets, 10,000 leases and 10,000 subscribers at once, under a steady load',
  needs: [],
  run: async (effort) => ({ rows: rowsOf(await measure(effort)) }),
}

interface Phase {
  readonly latency: Latency
  readonly loop: LoopDelay
  readonly tookMs: number
}

interface Figures {
  readonly fillMs: number
  readonly rssKiB: number
  readonly anonymousKiB: number
  readonly rssAfterKiB: number
  readonly steady: Phase
  readonly compaction: Phase
  readonly revisions: number
  readonly calls: number
  readonly failures: readonly unknown[]
  /** Notifications that did not come, or came though they should not. */
  readonly wrongEvents: number
}

async function measure({ say }: Effort): Promise<Figures> {
  return await inScope(async (atEnd) => {
    const daemon = await startWatchedDaemon([])
    atEnd(daemon.stop)
    const { address, pid } = daemon
    // Without coalescing: the load stands for many clients.
    const client = connect({ endpoint: address, coalesce: false })
    atEnd(client.close)
    const calls = await openCalls(address)
    atEnd(calls.close)
    const startMs = performance.now()
    say('scale: filling, a minute or so')
    const population = await populate(client, calls, SIZE)
    const fillMs = performance.now() - startMs
    const watchers = await openWatchers({
      address,
      connections: CONNECTIONS,
      requests: Array.from({ length: SUBSCRIBERS }, (_, number) => subscribeTo(tokenOf(number))),
      eventsField: NOTIFICATIONS_FIELD,
    })
    atEnd(watchers.close)
    await delay(SETTLE_MS)
    const resident = residentOf(pid)

    say('scale: under load')
    const load = startLoad(client, {
      population,
      idsOfSet: SIZE.idsOfSet,
      watchedSets: SUBSCRIBERS,
      turnsPerSecond: TURNS_PER_SECOND,
      renewalsPerSecond: RENEWALS_PER_SECOND,
    })
    atEnd(load.stop)
    const phase = (work: () => Promise<unknown>) => watchPhase(load, daemon.delayDuring, work)
    await delay(WARM_MS)
    const steady = await phase(() => delay(STEADY_MS))
    const revisions = await historyOf(client)
    const { revision } = await client.getStatus()
    const compaction = await phase(() => client.compact(revision, { deadlineMs: COMPACT_DEADLINE_MS }))
    await load.stop()
    const events = load.watchedTurns * EVENTS_PER_TURN
    await watchers.reached(events)
    return {
      fillMs,
      ...resident,
      rssAfterKiB: residentOf(pid).rssKiB,
      steady,
      compaction,
      revisions,
      calls: load.calls,
      failures: load.failures,
      wrongEvents: Math.abs(watchers.events - events),
    }
  })
}

async function watchPhase(
  load: SteadyLoad,
  delayDuring: (work: () => Promise<void>) => Promise<LoopDelay>,
  work: () => Promise<unknown>,
): Promise<Phase> {
  const startMs = performance.now()
  let tookMs = Number.NaN
  let latency: Latency | undefined
  const loop = await delayDuring(async () => {
    latency = await load.during(work)
    tookMs = performance.now() - startMs
  })
  if (latency === undefined) throw new Error('the work was not done')
  return { latency, loop, tookMs }
}

async function historyOf(client: Client): Promise<number> {
  const { revision, compactRevision } = await client.getStatus()
  return Number(revision - compactRevision)
}

const KIB_OF_MIB = 1024

function rowsOf(figures: Figures): readonly Row[] {
  const { steady, compaction, calls, failures, wrongEvents } = figures
  if (failures.length > 0) console.error('scale: the first call that failed:', failures[0])
  const none = { kind: 'at most', value: 0 } as const
  const row = (name: string, unit: string, value: number, more: Row['figures'] = {}, target?: Row['target']): Row => ({
    name: `scale, ${name}`,
    unit,
    rounds: [value],
    figures: more,
    ...(target && { target }),
  })
  const phaseRows = (name: string, { latency, loop, tookMs }: Phase, more: Row['figures'] = {}) => [
    row(`Allocate, ${name}`, 'ms, p99', latency.p99Ms, { 'p50, ms': latency.p50Ms, 'longest, ms': latency.longestMs }),
    row(`event loop, ${name}`, 'ms late, p99', loop.p99Ms, {
      'longest, ms': loop.longestMs,
      'took, ms': tookMs,
      ...more,
    }),
  ]
  return [
    row('memory', 'MiB of RSS', figures.rssKiB / KIB_OF_MIB, {
      'in no file, MiB': figures.anonymousKiB / KIB_OF_MIB,
      'RSS after the load, MiB': figures.rssAfterKiB / KIB_OF_MIB,
      'filled in, s': figures.fillMs / 1_000,
    }),
    ...phaseRows('steady load', steady),
    ...phaseRows('snapshot and compaction', compaction, { 'revisions dropped': figures.revisions }),
    row('failed calls', 'calls', failures.length, { calls }, none),
    row('wrong notifications', 'events', wrongEvents, {}, none),
  ]
}
