import type { Config } from './config.ts'
import { type Failure, fail, isFailure } from './core/failure.ts'
import type { Chance, Clock } from './engine/clock.ts'
import { type Engine, startEngine } from './engine/engine.ts'
import type { DaemonLog } from './log.ts'
import { openPolicy, policyPart } from './policy.ts'
import { certificatesPart, type ReloadablePart } from './reload.ts'
import { createAdmission } from './rpc/admission.ts'
import { type CallerOf, createCallerOf, type RightsOf } from './rpc/caller.ts'
import { type Connections, createConnections } from './rpc/connections.ts'
import { createHealth, type Health } from './rpc/health.ts'
import { createTenants } from './rpc/own-limits.ts'
import { createReflection, type Reflection } from './rpc/reflection.ts'
import { MAX_MESSAGE_BYTES, type RpcServer, startRpcServer } from './rpc/server.ts'
import { createServices, type ServiceOptions } from './rpc/services.ts'
import { startTls, type Tls } from './rpc/tls.ts'
import { encodeBackup } from './store/backup-file.ts'
import { openLmdbStore } from './store/lmdb.ts'
import { createMemoryStore } from './store/memory.ts'
import { type Store, StoreError } from './store/store.ts'
import { VERSION } from './version.ts'

/** The whole daemon, assembled top to bottom: store, engine, services, listeners; and how it ends. */
export interface Daemon {
  /** One for each listener, with the ports that were picked. */
  readonly addresses: readonly string[]
  /** The exit code: 0 after a drain, 1 when the store failed or the core broke. */
  readonly stopped: Promise<0 | 1>
  /** The store failed or the core broke: it ends. */
  hasFailed(): boolean
  /** Stops: refuses new work, ends the streams, waits for what is under way, at most 5 s. Twice is no fault. */
  drain(): void
  /** What a reload of the configuration changes while it serves. */
  readonly reloadable: readonly ReloadablePart[]
  /** Writes a line about how things are to the log. */
  logStatus(): Promise<void>
}

/** Why the daemon does not start: 2 where the configuration is to blame. */
export interface Refusal {
  readonly exitCode: 1 | 2
  /** One sentence for an operator. */
  readonly refusal: string
}

export interface Surroundings {
  readonly clock: Clock
  readonly chance: Chance
  readonly log: DaemonLog
  /** Called for each listener when all of them serve. */
  readonly ready: (address: string) => void
}

/** `open` is for tests whose store fails. */
export async function startDaemon(
  config: Config,
  surroundings: Surroundings,
  open: typeof openStore = openStore,
): Promise<Daemon | Refusal> {
  const { clock, log, ready } = surroundings
  // The store comes first: its lock keeps a second daemon from everything else, a socket's file for example.
  const store = await orRefusal(open(config, surroundings))
  if ('refusal' in store) return store

  const policy = openPolicy(config.policyFile, config.own)
  if ('problem' in policy) {
    await store.close()
    return { exitCode: 2, refusal: policy.problem }
  }

  const ending = createEnding()
  const { space, limits } = config
  const engine = await orRefusal(startEngine({ store, clock, space, limits, onFailure: ending.fail }))
  if ('refusal' in engine || 'contradiction' in engine) {
    await store.close()
    return 'refusal' in engine ? engine : { exitCode: 2, refusal: contradictionText(config, engine.contradiction) }
  }

  // The policy may have changed since the daemon served last.
  if (config.policyFile !== '') await engine.enforce(policy.rightsOf)
  const face = await startFace(config, surroundings, engine, policy.rightsOf)
  if ('refusal' in face) {
    await engine.drain(DRAINING)
    await store.close()
    return face
  }

  const addresses = face.servers.map(({ address }) => address.text)
  const parts: Parts = { ...face, store, engine, clock, log }
  log.info({ version: VERSION, addresses, store: store.kind, spaceId: engine.spaceId, ...config.space }, 'serving')
  addresses.forEach(ready)
  const failed = ending.failed.then((cause) => stopAtOnce(parts, cause))
  const drained = ending.drained.then(() => stopGently(parts))
  return {
    addresses,
    // A store that fails while it drains has failed, whichever of the two is through first.
    stopped: Promise.race([failed, drained.then(() => (ending.hasFailed ? failed : 0))]),
    hasFailed: () => ending.hasFailed,
    drain: ending.drain,
    reloadable: [policyPart(policy, engine, log), ...(parts.tls === undefined ? [] : [certificatesPart(parts.tls)])],
    logStatus: () => logStatus(parts),
  }
}

function openStore({ store, dataDir }: Config, { chance, log }: Surroundings): Promise<Store> {
  const genesis = { spaceId: chance.name(), handleKey: chance.secret(32) }
  if (store === 'lmdb') return openLmdbStore({ dataDir, genesis })
  log.warn({}, 'the store is memory: nothing outlives this process')
  return Promise.resolve(createMemoryStore(genesis))
}

async function orRefusal<Value>(value: Promise<Value>): Promise<Value | Refusal> {
  try {
    return await value
  } catch (cause) {
    if (cause instanceof StoreError) return { exitCode: 1, refusal: cause.message }
    throw cause
  }
}

function contradictionText({ store, dataDir, space }: Config, contradiction: string): string {
  const where = store === 'lmdb' ? `the data in ${dataDir}` : 'the data'
  return `--capacity ${space.capacity} or --reserved does not fit ${where}: ${contradiction}.`
}

/** What peers see. */
interface Face {
  readonly servers: readonly RpcServer[]
  readonly health: Health
  readonly reflection: Reflection
  readonly connections: Connections
  /** undefined: listeners on TCP speak without it. */
  readonly tls: Tls | undefined
}

async function startFace(
  config: Config,
  { clock, log }: Surroundings,
  engine: Engine,
  rightsOf: RightsOf,
): Promise<Face | Refusal> {
  const { snapshotTimeoutMs, leaseBounds, connectionIdleMs, maxInFlightBytes } = config
  const { after, soon } = clock
  const servicesFor = (callerOf: CallerOf) => {
    const options: ServiceOptions = {
      engine,
      log,
      callerOf,
      version: VERSION,
      after,
      soon,
      snapshotTimeoutMs,
      leaseBounds,
      backUp: async () => {
        const backup = await engine.backup()
        return isFailure(backup) ? backup : { ...backup, pieces: encodeBackup(backup.items, VERSION) }
      },
    }
    return createServices(options)
  }
  const names = servicesFor(createCallerOf(rightsOf, false)).map(({ name }) => name)
  const health = createHealth(names)
  const reflection = createReflection([...names, health.name])
  // With a policy there are rights for everybody, if only none.
  const own = rightsOf('') === undefined ? undefined : config.load.own
  const tenants = createTenants({ own, all: config.load.all, nowMs: clock.monotonicMs, after })
  const connections = createConnections(config.maxConnections, tenants, after, log)
  const admission = createAdmission({
    maxInFlightBytes,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    connections,
    tenants,
    after,
    soon,
    log,
  })

  const tls = config.tls === undefined ? undefined : await startTls(config.tls, clock, log)
  if (tls !== undefined && 'problem' in tls) return { exitCode: 1, refusal: `${tls.problem}.` }
  const secure = tls?.secure

  const servers: RpcServer[] = []
  for (const { address, isAdmin } of config.listeners) {
    const services = [...servicesFor(createCallerOf(rightsOf, isAdmin)), health, ...reflection.services]
    const server = await startRpcServer({ address, services, connections, secure, admission, connectionIdleMs, log })
    if ('problem' in server) {
      tls?.close()
      for (const other of servers) other.stopAccepting()
      await Promise.all(servers.map((other) => other.shutdown(clock.after, 0)))
      return { exitCode: 1, refusal: `${server.problem}.` }
    }
    servers.push(server)
  }
  return { servers, health, reflection, connections, tls }
}

function createEnding() {
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

interface Parts extends Face {
  readonly store: Store
  readonly engine: Engine
  readonly clock: Clock
  readonly log: DaemonLog
}

const DRAINING = fail('DRAINING', 'The daemon is shutting down. Try again when it is back.')
const STORE_FAILED = fail('STORE_FAILED', 'The daemon lost its store and ends. Try again when it is back.')

/** Peers that do not read get so long to learn that their stream has ended. */
const PEER_GRACE_MS = 3000
/** Of the 5 s that the contract gives. */
const STOP_BOUND_MS = 4500

async function stopGently(parts: Parts): Promise<void> {
  const { store, engine, clock, log } = parts
  log.info({}, 'draining')
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
}

const FAILED_GRACE_MS = 300

/** The last word comes first: nothing that follows may keep it from being said. The store is not waited for. */
async function stopAtOnce(parts: Parts, cause: unknown): Promise<1> {
  const { engine, clock, log } = parts
  const why = cause instanceof Error ? cause.message : String(cause)
  log.fatal({ cause }, `the daemon cannot go on and ends: ${why}`)
  const gone = turnAway(parts, STORE_FAILED, FAILED_GRACE_MS)
  engine.drain(STORE_FAILED).catch((also: unknown) => log.debug({ cause: also }, 'the engine did not drain'))
  await within(clock, 2 * FAILED_GRACE_MS, gone)
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

async function logStatus({ engine, connections, log }: Parts): Promise<void> {
  const status = await engine.status()
  if (isFailure(status)) return log.warn({ reason: status.reason }, status.message)
  const { rss, heapUsed } = process.memoryUsage()
  log.info({ ...status, connections: connections.count, rss, heapUsed }, 'status')
}
