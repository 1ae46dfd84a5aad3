import type { Rights, Tokens } from '../../server/core/caller.ts'
import { tcpAddress } from '../../server/rpc/address.ts'
import { createAdmission } from '../../server/rpc/admission.ts'
import { createCallerOf } from '../../server/rpc/caller.ts'
import { type Connections, createConnections } from '../../server/rpc/connections.ts'
import { createHealth } from '../../server/rpc/health.ts'
import type { LoadLimits } from '../../server/rpc/load.ts'
import { createTenants, type OwnLoadLimits, type Tenants } from '../../server/rpc/own-limits.ts'
import { setPeer, UNKNOWN_PEER } from '../../server/rpc/peer.ts'
import { createReflection } from '../../server/rpc/reflection.ts'
import { MAX_MESSAGE_BYTES, startRpcServer } from '../../server/rpc/server.ts'
import { createServices } from '../../server/rpc/services.ts'
import { type Running, type RunOptions, run } from '../support/engine.ts'

/** What peers see of a daemon, in this process, with a listener for each identity and before time that stands still. */
export interface LimitedServer extends Running {
  readonly tenants: Tenants
  readonly connections: Connections
  readonly warnings: readonly [facts: object, message: string][]
  /** Where whoever connects is this identity. */
  addressFor(identity: string): Promise<string>
  stop(): Promise<void>
}

export interface LimitedOptions extends RunOptions {
  readonly own?: Partial<OwnLoadLimits>
  readonly all?: Partial<LoadLimits>
  readonly maxSets?: number
}

const ALL: Tokens = { isAll: true, names: new Set(), namespaces: [] }
const MIB = 1024 * 1024

/** There is a policy, by which everybody who is known may do everything. */
export async function startLimitedServer(options: LimitedOptions = {}): Promise<LimitedServer> {
  const running = await run(options)
  const { engine, clock } = running
  const warnings: [facts: object, message: string][] = []
  const ignore = () => undefined
  const log = {
    debug: ignore,
    info: ignore,
    warn: (facts: object, message: string) => void warnings.push([facts, message]),
    error: (facts: object, message: string) => void warnings.push([facts, message]),
  }
  const { after, soon } = clock
  const own = { maxConnections: 64, maxCalls: 4096, maxRequests: 5000, maxInFlightBytes: 32 * MIB, ...options.own }
  const all = { maxCalls: 65_536, maxRequests: 200_000, ...options.all }
  const tenants = createTenants({ own, all, nowMs: clock.monotonicMs, after })
  const connections = createConnections(1000, tenants, after, log)
  const admission = createAdmission({
    maxInFlightBytes: 128 * MIB,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    connections,
    tenants,
    after,
    soon,
    log,
  })
  const limits = { maxSets: options.maxSets ?? 100, maxIds: 1_000_000, maxLeases: 100, maxSubscriptions: 100 }
  const rights: Rights = { own: ALL, subscribe: ALL, acquire: ALL, administer: true, limits }
  const services = createServices({
    engine,
    log,
    callerOf: createCallerOf(() => rights, true),
    version: '1.2.3',
    after,
    soon,
    snapshotTimeoutMs: 60_000,
    leaseBounds: { minTtlMs: 500, maxTtlMs: 86_400_000 },
    backUp: () => Promise.reject(new Error('nobody asks for a backup here')),
  })
  const health = createHealth(services.map(({ name }) => name))
  const reflection = createReflection(services.map(({ name }) => name))
  const stops: (() => Promise<number>)[] = []
  return {
    ...running,
    tenants,
    connections,
    warnings,
    addressFor: async (identity) => {
      const named: Connections = {
        ...connections,
        enter: (socket, serve) => {
          setPeer(socket, { ...UNKNOWN_PEER, identity })
          connections.enter(socket, serve)
        },
      }
      const server = await startRpcServer({
        address: tcpAddress('127.0.0.1', 0),
        services: [...services, health, ...reflection.services],
        connections: named,
        secure: undefined,
        admission,
        connectionIdleMs: 300_000,
        log,
      })
      if ('problem' in server) throw new Error(server.problem)
      stops.push(async () => {
        server.stopAccepting()
        // Nobody is waited for: time stands still.
        const stopped = server.shutdown(after, 0)
        clock.advance(1)
        return await stopped
      })
      return server.address.text
    },
    stop: async () => {
      for (const stop of stops) await stop()
    },
  }
}
