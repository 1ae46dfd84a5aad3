import { isFailure } from '../core/failure.ts'
import type { Clock } from '../engine/clock.ts'
import type { Engine } from '../engine/engine.ts'
import type { Figures } from '../engine/figures.ts'
import type { Log } from '../rpc/log.ts'
import { counter, type Family, gauge } from './families.ts'
import { type DiskPlace, diskFamilies } from './host-families.ts'
import type { Check } from './readiness.ts'
import type { Recorder } from './recorder.ts'
import { pulseFamilies, spaceFamilies } from './space-families.ts'

/** Everything that is exposed, read when somebody asks. */
export interface Metrics {
  families(): Promise<readonly Family[]>
}

/** What there is to look at once the daemon serves. */
export interface Sources {
  readonly engine: Engine
  readonly connections: { readonly count: number; readonly refused: number }
  readonly inFlightBytes: () => number
  /** Where the store keeps its file, if it has one. */
  readonly disk: DiskPlace | undefined
  /** When the certificate expires that is in use, seconds since 1970; undefined: there is none. */
  readonly certificateExpiry?: (() => number | undefined) | undefined
}

export interface Limits {
  readonly teardownTimeoutMs: number
  readonly maxSubscriptions: number
  readonly maxConnections: number
  readonly maxEventLoopDelayMs: number
}

export interface MetricsOptions {
  readonly recorder: Recorder
  /** undefined: the store is being opened. */
  readonly sources: () => Sources | undefined
  readonly checks: readonly Check[]
  readonly limits: Limits
  readonly loopDelay: () => readonly Family[]
  readonly version: string
  readonly clock: Pick<Clock, 'after'>
  readonly log: Log
}

/** A disk that is stuck keeps nobody from seeing that it is: what it keeps back is told as it was last known. */
const WAIT_MS = 1000

export function createMetrics(options: MetricsOptions): Metrics {
  const { recorder, sources, checks, limits, loopDelay, version, clock, log } = options
  let figures: Figures | undefined

  const refresh = async ({ engine }: Sources) => {
    try {
      const found = await engine.figures()
      if (!isFailure(found)) figures = found
    } catch (cause) {
      log.debug({ cause }, 'the figures of the space could not be read')
    }
  }
  const inTime = (work: Promise<void>) =>
    new Promise<void>((resolve) => {
      const cancel = clock.after(WAIT_MS, resolve)
      void work.then(() => {
        cancel()
        resolve()
      })
    })

  const ofDaemon = async (from: Sources): Promise<readonly Family[]> => {
    await inTime(refresh(from))
    const { engine, connections, inFlightBytes, disk } = from
    return [
      ...(figures === undefined ? [] : spaceFamilies(figures)),
      ...pulseFamilies(engine.pulse),
      ...(disk === undefined ? [] : await diskFamilies(disk)),
      gauge('ioasidd_connections', 'Open connections of all listeners', connections.count),
      counter(
        'ioasidd_refused_connections_total',
        'Connections beyond --max-connections, and --max-own-connections of one identity',
        connections.refused,
      ),
      gauge('ioasidd_in_flight_bytes', 'Requests and unread answers that peers make the daemon keep', inFlightBytes()),
    ]
  }

  return {
    families: async () => {
      const from = sources()
      const expiry = from?.certificateExpiry?.()
      return [
        {
          ...gauge('ioasidd_build_info', 'The release that runs', 1),
          values: [{ value: 1, labels: buildOf(version) }],
        },
        readyFamily(checks),
        gauge('ioasidd_teardown_timeout_seconds', '--teardown-timeout', limits.teardownTimeoutMs / 1000),
        gauge('ioasidd_event_loop_delay_limit_seconds', '--max-event-loop-delay', limits.maxEventLoopDelayMs / 1000),
        gauge('ioasidd_subscriptions_limit', '--max-subscriptions', limits.maxSubscriptions),
        gauge('ioasidd_connections_limit', '--max-connections', limits.maxConnections),
        ...loopDelay(),
        ...recorder.families(),
        ...(from === undefined ? [] : await ofDaemon(from)),
        ...(expiry === undefined
          ? []
          : [
              gauge('ioasidd_certificate_expiry_timestamp_seconds', 'When the certificate expires, since 1970', expiry),
            ]),
      ]
    },
  }
}

function buildOf(version: string) {
  return { version, node: process.version }
}

function readyFamily(checks: readonly Check[]): Family {
  const values = checks.map(({ name, problem }) => ({
    value: problem() === undefined ? 1 : 0,
    labels: { check: name },
  }))
  return { name: 'ioasidd_ready', help: 'Whether a check of /readyz passes', type: 'gauge', values }
}
