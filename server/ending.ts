import { type Failure, fail } from './core/failure.ts'
import type { Clock } from './engine/clock.ts'
import type { Engine } from './engine/engine.ts'
import type { DaemonLog } from './log.ts'
import type { Observability } from './observability/observability.ts'
import type { Health } from './rpc/health.ts'
import type { Reflection } from './rpc/reflection.ts'
import type { RpcServer } from './rpc/server.ts'
import type { Tls } from './rpc/tls.ts'
import type { Store } from './store/store.ts'

/** How the daemon ends: it takes leave, or its store has failed. */

export function createEnding() {
  let drain: () => void = () => undefined
  let onFailure: (cause: unknown) => void = () => undefined
  let hasFailed = false
  return {
    drained: new Promise<void>((resolve) => {
      drain = resolve
    }),
    failed: new Promise<unknown>((resolve) => {
      onFailure = resolve
    }),
    get hasFailed() {
      return hasFailed
    },
    drain: () => drain(),
    fail: (cause: unknown) => {
      hasFailed = true
      onFailure(cause)
    },
  }
}

/** What has to come to its end. */
export interface Parts {
  readonly servers: readonly RpcServer[]
  readonly health: Health
  readonly reflection: Reflection
  readonly tls: Tls | undefined
  readonly store: Store
  readonly engine: Engine
  readonly clock: Clock
  readonly log: DaemonLog
  readonly observability: Observability
}

export const DRAINING = fail('DRAINING', 'The daemon is shutting down. Try again when it is back.')
const STORE_FAILED = fail('STORE_FAILED', 'The daemon lost its store and ends. Try again when it is back.')

/** Peers that do not read get so long to learn that their stream has ended. */
const PEER_GRACE_MS = 3000
/** Of the 5 s that the contract gives. */
const STOP_BOUND_MS = 4500

export async function stopGently(parts: Parts): Promise<void> {
  const { store, engine, clock, log, observability } = parts
  log.info({}, 'draining')
  observability.draining()
  const stop = async () => {
    const gone = turnAway(parts, DRAINING, PEER_GRACE_MS)
    await engine.drain(DRAINING)
    const cut = await gone
    if (cut > 0) log.warn({ connections: cut }, 'peers that did not read the end of their calls were cut off')
    await store.close()
  }
  const isInTime = await within(clock, STOP_BOUND_MS, stop())
  // No harm is done: everything that anybody was told is on disk.
  if (isInTime) log.info({}, 'stopped')
  else log.warn({}, 'stopped without waiting for the store')
  observability.stop()
}

const FAILED_GRACE_MS = 300

/** The last word comes first: nothing that follows may keep it from being said. The store is not waited for. */
export async function stopAtOnce(parts: Parts, cause: unknown): Promise<1> {
  const { engine, clock, log, observability } = parts
  observability.silence()
  const why = cause instanceof Error ? cause.message : String(cause)
  log.fatal({ cause }, `the daemon cannot go on and ends: ${why}`)
  const gone = turnAway(parts, STORE_FAILED, FAILED_GRACE_MS)
  engine.drain(STORE_FAILED).catch((also: unknown) => log.debug({ cause: also }, 'the engine did not drain'))
  await within(clock, 2 * FAILED_GRACE_MS, gone)
  observability.stop()
  return 1
}

/** In this order: who asks is told not to come, nobody new gets in, and who is there is told to leave. */
async function turnAway(
  { health, reflection, servers, tls, clock }: Parts,
  why: Failure,
  graceMs: number,
): Promise<number> {
  health.stop(why)
  for (const server of servers) server.stopAccepting()
  tls?.close()
  reflection.stop(why)
  // `shutdown` waits for open streams, which the engine ends in the same turn.
  const cut = await Promise.all(servers.map((server) => server.shutdown(clock.after, graceMs)))
  return cut.reduce((sum, count) => sum + count, 0)
}

async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<boolean> {
  const late = new Promise<false>((resolve) => {
    clock.after(ms, () => resolve(false))
  })
  return await Promise.race([work.then(() => true), late])
}
