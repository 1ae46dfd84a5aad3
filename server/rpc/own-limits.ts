import type { Failure } from '../core/failure.ts'
import { MAX_BATCH_ITEMS } from './fields.ts'
import { createInFlight, type InFlight } from './in-flight.ts'
import { ask, begin, createLoad, type Load, type LoadLimits, SOON_MS, tooMany } from './load.ts'
import type { After } from './stream.ts'

/**
 * How much load one identity may make, and all together. An identity is what a policy speaks of: without one there is
 * nobody to tell apart, and only the limits in all hold. Who says nothing of himself is one identity with all who do so.
 */
export interface Tenants {
  /** Whether identities have limits of their own. */
  readonly isEachApart: boolean
  /** What counts for an identity: the same as long as it has connections, and until what it asked for is forgotten. */
  of(identity: string): Tenant
  /** For the health checks of one connection that says nothing of itself, which others cannot use up. */
  prober(): Tenant
  /** How many are kept. */
  readonly size: number
}

export interface Tenant {
  /** One more connection; false: there is no room for it, and it does not count. */
  connect(): boolean
  disconnect(): void
  /** One more call, which is a request too, or, of a Batch, at least one; or why not, and it does not count. */
  begin(requests: 0 | 1): Failure | undefined
  /** Of a call that began. */
  end(): void
  /** So many requests more, all of them or none. */
  ask(requests: number): Failure | undefined
  /**
   * What one of its connections makes the daemon keep. `cutOff` is called when answers that are not read make it too much
   * of all its connections, and of this one the most. undefined: it has no limit of its own.
   */
  keep(cutOff: (bytes: number) => void): Kept | undefined
  /** A call of it was refused: how many that were in a second, where they are to be few. */
  refused(): number
}

export interface Kept {
  /** Why there is no room for so much more; undefined: there is. */
  refuses(bytes: number): Failure | undefined
  add(bytes: number): void
  give(bytes: number): void
}

export interface OwnLoadLimits extends LoadLimits {
  readonly maxConnections: number
  /** Requests, and answers that are not read. */
  readonly maxInFlightBytes: number
}

export interface TenantsOptions {
  /** undefined: there is no policy. */
  readonly own: OwnLoadLimits | undefined
  readonly all: LoadLimits
  readonly nowMs: () => number
  readonly after: After
}

/** There must be room for a whole Batch some time. */
const MIN_BURST = MAX_BATCH_ITEMS
const SECOND_MS = 1000
/** Of one connection: as often as the most eager of orchestrators look, some of them at once. */
const PROBER: LoadLimits = { maxCalls: 16, maxRequests: 100 }

export function createTenants({ own, all, nowMs, after }: TenantsOptions): Tenants {
  const inAll = createLoad(all, Math.max(all.maxRequests, MIN_BURST), '', nowMs)
  const tenants = new Map<string, Tenant>()
  const everybody = createEverybody(inAll)
  if (own === undefined) {
    return { isEachApart: false, of: () => everybody, prober: () => everybody, size: 0 }
  }
  const open = (identity: string) => {
    const load = createLoad(own, Math.max(own.maxRequests, MIN_BURST), 'own_', nowMs)
    const forget = () => void tenants.delete(identity)
    const tenant = createTenant({ own, load, inAll, forget, nowMs, after })
    tenants.set(identity, tenant)
    return tenant
  }
  return {
    isEachApart: true,
    of: (identity) => tenants.get(identity) ?? open(identity),
    prober: () => createProber(createLoad(PROBER, PROBER.maxRequests, 'own_', nowMs), nowMs),
    get size() {
      return tenants.size
    },
  }
}

function createEverybody(inAll: Load): Tenant {
  const loads = [inAll]
  return {
    connect: () => true,
    disconnect: () => true,
    begin: (requests) => begin(loads, requests),
    end: () => inAll.addCalls(-1),
    ask: (requests) => ask(loads, requests),
    keep: () => undefined,
    refused: () => 0,
  }
}

function createProber(load: Load, nowMs: () => number): Tenant {
  return { ...createEverybody(load), refused: refusals(nowMs).add }
}

interface TenantOptions {
  readonly own: OwnLoadLimits
  readonly load: Load
  readonly inAll: Load
  readonly forget: () => void
  readonly nowMs: () => number
  readonly after: After
}

function createTenant({ own, load, inAll, forget, nowMs, after }: TenantOptions): Tenant {
  const { maxConnections, maxInFlightBytes } = own
  const loads = [load, inAll]
  const inFlight = createInFlight({ perConnectionBytes: maxInFlightBytes, totalBytes: maxInFlightBytes })
  const refusedCalls = refusals(nowMs)
  let connections = 0
  let isLeaving = false
  const noRoom = tooMany(
    'own_in_flight',
    `The caller may have ${maxInFlightBytes} bytes under way.`,
    maxInFlightBytes,
    SOON_MS,
  )

  /** Not at once: who comes again is not to have more than who stays. */
  const leave = () => {
    if (isLeaving || connections + load.calls > 0) return
    isLeaving = true
    after(Math.max(load.untilForgottenMs(), refusedCalls.untilForgottenMs()), () => {
      isLeaving = false
      if (connections + load.calls > 0) return
      if (load.untilForgottenMs() + refusedCalls.untilForgottenMs() > 0) leave()
      else forget()
    })
  }

  return {
    connect: () => {
      if (connections >= maxConnections) return false
      connections += 1
      return true
    },
    disconnect: () => {
      connections -= 1
      leave()
    },
    begin: (requests) => begin(loads, requests),
    end: () => {
      for (const each of loads) each.addCalls(-1)
      leave()
    },
    ask: (requests) => ask(loads, requests),
    keep: (cutOff) => keptOf(inFlight, cutOff, maxInFlightBytes, noRoom),
    refused: refusedCalls.add,
  }
}

function keptOf(inFlight: InFlight, cutOff: (bytes: number) => void, maxBytes: number, noRoom: Failure): Kept {
  const account = inFlight.open(cutOff)
  return {
    refuses: (bytes) => (inFlight.bytes + bytes <= maxBytes ? undefined : noRoom),
    add: account.add,
    give: account.give,
  }
}

function refusals(nowMs: () => number) {
  let count = 0
  let sinceMs = Number.NEGATIVE_INFINITY
  return {
    add: () => {
      const now = nowMs()
      if (now - sinceMs >= SECOND_MS) {
        sinceMs = now
        count = 0
      }
      count += 1
      return count
    },
    untilForgottenMs: () => Math.max(0, Math.ceil(sinceMs + SECOND_MS - nowMs())),
  }
}
