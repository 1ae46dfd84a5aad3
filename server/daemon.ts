import { join } from 'node:path'
import type { Config } from './config.ts'
import { isFailure } from './core/failure.ts'
import { createEnding, DRAINING, type Parts, stopAtOnce, stopGently } from './ending.ts'
import type { Chance, Clock } from './engine/clock.ts'
import { type Engine, startEngine } from './engine/engine.ts'
import type { DaemonLog } from './log.ts'
import { type Observability, startObservability } from './observability/observability.ts'
import { openPolicy, policyPart } from './policy.ts'
import { certificatesPart, type ReloadablePart } from './reload.ts'
import { type Admission, createAdmission } from './rpc/admission.ts'
import { type CallerOf, createCallerOf, type RightsOf } from './rpc/caller.ts'
import { type Connections, createConnections } from './rpc/connections.ts'
import { createHealth, type Health } from './rpc/health.ts'
import { createTenants } from './rpc/own-limits.ts'
import { createReflection, type Reflection } from './rpc/reflection.ts'
import { MAX_MESSAGE_BYTES, type RpcServer, startRpcServer } from './rpc/server.ts'
import { createServices, type ServiceOptions } from './rpc/services.ts'
import { startTls, type Tls } from './rpc/tls.ts'
import { encodeBackup } from './store/backup-file.ts'
import { DATA_FILE } from './store/data-dir.ts'
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
  /** Writes a line about how things are to the log: counts, limits, who lags, for whom ids wait. */
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
  const { clock, log } = surroundings
  // It can be seen from the beginning, and says that it starts; whatever keeps it from serving ends that.
  const observability = await startObservability(config, clock, log)
  const daemon = await startServing(config, surroundings, observability, open)
  if ('refusal' in daemon) observability.stop()
  return daemon
}

async function startServing(
  config: Config,
  surroundings: Surroundings,
  observability: Observability,
  open: typeof openStore,
): Promise<Daemon | Refusal> {
  const { clock, log, ready } = surroundings
  // The store comes first: its lock keeps a second daemon from everything else, a socket's file for example.
  const store = await orRefusal(open(config, surroundings))
  if ('refusal' in store) return store
  // Only now: a second daemon is told of the lock, and not of a port that is taken as well.
  if (observability.problem !== undefined) {
    await store.close()
    return { exitCode: 1, refusal: `${observability.problem}.` }
  }

  const policy = openPolicy(config.policyFile, config.own)
  if ('problem' in policy) {
    await store.close()
    return { exitCode: 2, refusal: policy.problem }
  }

  const ending = createEnding()
  const { space, limits } = config
  const { onCommit } = observability
  const engine = await orRefusal(startEngine({ store, clock, space, limits, onCommit, onFailure: ending.fail }))
  if ('refusal' in engine || 'contradiction' in engine) {
    await store.close()
    return 'refusal' in engine ? engine : { exitCode: 2, refusal: contradictionText(config, engine.contradiction) }
  }

  // The policy may have changed since the daemon served last.
  if (config.policyFile !== '') await engine.enforce(policy.rightsOf)
  const face = await startFace(config, surroundings, { engine, rightsOf: policy.rightsOf, observability })
  if ('refusal' in face) {
    await engine.drain(DRAINING)
    await store.close()
    return face
  }

  const { connections, admission, health, tls } = face
  const disk = store.kind === 'lmdb' ? diskOf(config) : undefined
  const certificateExpiry = tls === undefined ? undefined : () => tls.certificateExpiry() / 1000
  const inFlightBytes = () => admission.inFlightBytes
  observability.serving({ engine, connections, inFlightBytes, disk, certificateExpiry }, health)
  const addresses = face.servers.map(({ address }) => address.text)
  const parts: Parts = { ...face, store, engine, clock, log, observability }
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
    logStatus: observability.dump,
  }
}

function openStore({ store, dataDir }: Config, { chance, log }: Surroundings): Promise<Store> {
  const genesis = { spaceId: chance.name(), handleKey: chance.secret(32) }
  if (store === 'lmdb') return openLmdbStore({ dataDir, genesis })
  log.warn({}, 'the store is memory: nothing outlives this process')
  return Promise.resolve(createMemoryStore(genesis))
}

function diskOf({ dataDir }: Config) {
  return { directory: dataDir, file: join(dataDir, DATA_FILE) }
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
  readonly admission: Admission
}

/** What is behind it. */
interface Behind {
  readonly engine: Engine
  readonly rightsOf: RightsOf
  readonly observability: Observability
}

async function startFace(
  config: Config,
  { clock, log }: Surroundings,
  { engine, rightsOf, observability }: Behind,
): Promise<Face | Refusal> {
  const { snapshotTimeoutMs, leaseBounds, connectionIdleMs, maxInFlightBytes } = config
  const { after, soon } = clock
  const { calls: observer } = observability
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
      observer,
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
    observer,
  })

  const tls = config.tls === undefined ? undefined : await startTls(config.tls, clock, log)
  if (tls !== undefined && 'problem' in tls) return { exitCode: 1, refusal: `${tls.problem}.` }
  const secure = tls?.secure

  const servers: RpcServer[] = []
  for (const { address, isAdmin } of config.listeners) {
    const services = [...servicesFor(createCallerOf(rightsOf, isAdmin)), health, ...reflection.services]
    const server = await startRpcServer({
      address,
      services,
      connections,
      secure,
      admission,
      connectionIdleMs,
      log,
    })
    if ('problem' in server) {
      tls?.close()
      for (const other of servers) other.stopAccepting()
      await Promise.all(servers.map((other) => other.shutdown(clock.after, 0)))
      return { exitCode: 1, refusal: `${server.problem}.` }
    }
    servers.push(server)
  }
  return { servers, health, reflection, connections, admission, tls }
}
