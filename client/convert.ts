import type { FreeResult__Output } from '../proto/gen/ioasid/v1/FreeResult.ts'
import type { GetStatusResponse__Output } from '../proto/gen/ioasid/v1/GetStatusResponse.ts'
import type { Hold__Output } from '../proto/gen/ioasid/v1/Hold.ts'
import type { Holder__Output } from '../proto/gen/ioasid/v1/Holder.ts'
import type { IoasidInfo__Output } from '../proto/gen/ioasid/v1/IoasidInfo.ts'
import type { Lease__Output } from '../proto/gen/ioasid/v1/Lease.ts'
import type { Notification__Output } from '../proto/gen/ioasid/v1/Notification.ts'
import type { Set__Output } from '../proto/gen/ioasid/v1/Set.ts'
import { malformed } from './errors.ts'
import type { Hold, LeaseInfo } from './lease-types.ts'
import type { DaemonStatus, FreeResult, Holder, IoasidInfo, IoasidNotification, IoasidSet } from './types.ts'

/** From the wire to what callers see. What the protocol promises and an answer lacks is an error and no default. */

export function present<Value>(value: Value | null | undefined, what: string): Value {
  if (value === null || value === undefined) throw malformed(`no ${what}`)
  return value
}

export function within<Choice extends string>(value: string, choices: readonly Choice[], what: string): Choice {
  const found = choices.find((choice) => choice === value)
  if (found === undefined) throw malformed(`${what} ${value}`)
  return found
}

const bigintOr = (value: string | undefined): bigint | undefined => (value === undefined ? undefined : BigInt(value))

export function toDate({ seconds, nanos }: { readonly seconds: string; readonly nanos: number }): Date {
  return new Date(Number(seconds) * 1000 + Math.floor(nanos / 1e6))
}

export function toSet(wire: Set__Output | null): IoasidSet {
  const set = present(wire, 'set')
  return {
    setHandle: set.set_handle,
    setId: BigInt(set.set_id),
    token: set.token,
    quota: set.quota,
    allocated: set.allocated,
    freePending: set.free_pending,
    bound: set.bound,
    state: within(set.state, ['ACTIVE', 'DRAINING', 'GONE'], 'a set in state'),
    leaseId: bigintOr(set.lease_id),
    createRevision: BigInt(set.create_revision),
    owner: set.owner,
  }
}

export function toInfo(wire: IoasidInfo__Output | null): IoasidInfo {
  const info = present(wire, 'info')
  return {
    ioasid: info.ioasid,
    setId: BigInt(info.set_id),
    token: info.token,
    spid: info.spid,
    state: within(info.state, ['IDLE', 'ACTIVE', 'FREE_PENDING'], 'an id in state'),
    references: Number(info.references),
    generation: BigInt(info.generation),
    bindRevision: bigintOr(info.bind_revision),
    devices: info.devices,
    // A copy: a slice would keep the whole message in memory.
    privateData: info.private_data === undefined ? undefined : Uint8Array.from(info.private_data),
    holders: info.holders.map(toHolder),
  }
}

function toHolder(wire: Holder__Output): Holder {
  const since = present(wire.since_time, 'since_time')
  return {
    leaseId: BigInt(wire.lease_id),
    name: wire.name,
    count: wire.count,
    sinceRevision: BigInt(wire.since_revision),
    sinceTime: toDate(since),
    awaitingRevision: bigintOr(wire.awaiting_revision),
  }
}

export function toLease(wire: Lease__Output | null): LeaseInfo {
  const lease = present(wire, 'lease')
  return {
    leaseHandle: lease.lease_handle,
    leaseId: BigInt(lease.lease_id),
    name: lease.name,
    ttlMs: Number(lease.ttl_ms),
    remainingMs: Number(lease.remaining_ms),
    onExpiry: within(lease.on_expiry, ['RELEASE', 'HOLD'], 'a lease that ends with'),
    references: Number(lease.references),
    sets: lease.sets,
    state: within(lease.state, ['ALIVE', 'HELD'], 'a lease in state'),
    hold: lease.hold === null ? undefined : toHold(lease.hold),
    owner: lease.owner,
  }
}

function toHold(wire: Hold__Output): Hold {
  return {
    priority: within(wire.priority, ['CPU', 'IOMMU', 'DEVICE'], 'a hold with priority'),
    tokens: wire.tokens,
    setIds: wire.set_ids.map(BigInt),
    all: wire.all,
    registerRevision: BigInt(wire.register_revision),
    acknowledgedRevision: BigInt(wire.acknowledged_revision),
  }
}

export function toFreeResult(wire: FreeResult__Output): FreeResult {
  return {
    ioasid: wire.ioasid,
    state: within(wire.state, ['FREE', 'FREE_PENDING'], 'a freed id in state'),
    references: Number(wire.references),
  }
}

export function toStatus(wire: GetStatusResponse__Output): DaemonStatus {
  return {
    version: wire.version,
    spaceId: wire.space_id,
    capacity: wire.capacity,
    reserved: wire.reserved,
    available: wire.available,
    sets: wire.sets,
    allocated: wire.allocated,
    freePending: wire.free_pending,
    resting: wire.resting,
    leases: wire.leases,
    subscriptions: wire.subscriptions,
    revision: BigInt(wire.revision),
    compactRevision: BigInt(wire.compact_revision),
    requestWindowMs: Number(wire.request_window_ms),
    store: wire.store,
    role: within(wire.role, ['LEADER', 'FOLLOWER'], 'a daemon in role'),
    overruns: Number(wire.overruns),
  }
}

/** Undefined: a type that only a newer release knows; nobody here has asked for it. */
export function toNotification(wire: Notification__Output): IoasidNotification | undefined {
  const { type, token, snapshot, overrun } = wire
  const head = { revision: BigInt(wire.revision), token, setId: BigInt(wire.set_id), snapshot }
  const quota = () => ({ ...head, quota: present(wire.quota, `quota on ${type}`) })
  const id = () => ({
    ...head,
    ioasid: present(wire.ioasid, `ioasid on ${type}`),
    generation: BigInt(present(wire.generation, `generation on ${type}`)),
  })
  const binding = () => ({
    ...id(),
    spid: present(wire.spid, `spid on ${type}`),
    bindRevision: BigInt(present(wire.bind_revision, `bind_revision on ${type}`)),
  })
  switch (type) {
    case 'SET_ALLOC':
    case 'SET_ADJUST':
      return { type, ...quota() }
    case 'SET_FREE':
      return { type, ...head }
    case 'ALLOC':
    case 'RECLAIM':
      return { type, ...id() }
    case 'BIND':
      return { type, ...binding() }
    case 'UNBIND':
      return { type, ...binding(), overrun }
    case 'FREE':
      return { type, ...id(), overrun }
    default:
      return undefined
  }
}
