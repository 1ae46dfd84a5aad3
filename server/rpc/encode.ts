import type { FreeResult } from '../../proto/gen/ioasid/v1/FreeResult.ts'
import type { Hold } from '../../proto/gen/ioasid/v1/Hold.ts'
import type { Holder } from '../../proto/gen/ioasid/v1/Holder.ts'
import type { IoasidInfo } from '../../proto/gen/ioasid/v1/IoasidInfo.ts'
import type { Lease as LeaseMessage } from '../../proto/gen/ioasid/v1/Lease.ts'
import type { Set as SetMessage } from '../../proto/gen/ioasid/v1/Set.ts'
import type { AnswerOf } from '../core/command.ts'
import type { HolderView, HoldView, IoasidView, LeaseView, SetView } from '../core/view.ts'

/** Views and answers to messages. 64-bit numbers travel as decimal strings. */

/** The handle goes only to who showed it, or to the creator: nobody else passes one. Whose it is only those are told who may know. */
export function encodeSet(set: SetView, setHandle: string, showsOwner: boolean): SetMessage {
  return {
    set_handle: setHandle,
    set_id: String(set.setId),
    token: set.token,
    quota: set.quota,
    allocated: set.allocated,
    free_pending: set.freePending,
    bound: set.bound,
    state: set.state,
    create_revision: String(set.createRevision),
    ...(showsOwner ? { owner: set.owner } : {}),
    ...(set.leaseId === undefined ? {} : { lease_id: String(set.leaseId) }),
  }
}

/** Private data are for who showed the set's handle. */
export function encodeIoasid(view: IoasidView, isOwner: boolean): IoasidInfo {
  return {
    ioasid: view.ioasid,
    set_id: String(view.setId),
    token: view.token,
    state: view.state,
    references: String(view.references),
    generation: String(view.generation),
    devices: [...view.devices],
    ...(view.spid === undefined ? {} : { spid: view.spid }),
    ...(view.bindRevision === undefined ? {} : { bind_revision: String(view.bindRevision) }),
    ...(view.privateData === undefined || !isOwner ? {} : { private_data: view.privateData }),
    holders: isOwner ? view.holders.map(encodeHolder) : [],
  }
}

/** About how many bytes of a page the message will take; never fewer than it does. */
export function weighIoasid({ token, devices, privateData, holders }: IoasidView): number {
  const texts = [...devices, ...holders.map(({ name }) => name)]
  const names = texts.reduce((sum, name) => sum + Buffer.byteLength(name) + 3, 70 * holders.length)
  return 80 + Buffer.byteLength(token) + names + (privateData?.length ?? 0)
}

export function weighSet({ token, owner }: SetView): number {
  return 180 + Buffer.byteLength(token) + Buffer.byteLength(owner)
}

function encodeHolder({ leaseId, name, count, sinceRevision, sinceWallMs, awaiting }: HolderView): Holder {
  const since_time = encodeTime(sinceWallMs)
  const awaited = awaiting === undefined ? {} : { awaiting_revision: String(awaiting) }
  return { lease_id: String(leaseId), name, count, since_revision: String(sinceRevision), since_time, ...awaited }
}

/** A google.protobuf.Timestamp. */
export function encodeTime(wallMs: number) {
  return { seconds: String(Math.floor(wallMs / 1000)), nanos: (wallMs % 1000) * 1_000_000 }
}

/** The handle goes only to who showed it, or to whom the lease is granted. */
export function encodeLease(
  lease: LeaseView,
  remainingMs: number,
  leaseHandle: string,
  showsOwner: boolean,
): LeaseMessage {
  return {
    lease_handle: leaseHandle,
    lease_id: String(lease.leaseId),
    name: lease.name,
    ttl_ms: String(lease.ttlMs),
    remaining_ms: String(remainingMs),
    on_expiry: lease.onExpiry,
    references: String(lease.references),
    sets: lease.sets,
    state: lease.state,
    ...(showsOwner ? { owner: lease.owner } : {}),
    ...(lease.hold === undefined ? {} : { hold: encodeHold(lease.hold) }),
  }
}

function encodeHold({ names, priority, registerRevision, acknowledged }: HoldView): Hold {
  const named = names === 'all' ? { all: true } : { tokens: [...names.tokens], set_ids: names.setIds.map(String) }
  const revisions = { register_revision: String(registerRevision), acknowledged_revision: String(acknowledged) }
  return { priority, ...named, ...revisions }
}

export function weighLease({ name, owner, hold }: LeaseView): number {
  const names = hold?.names ?? 'all'
  const own = 160 + Buffer.byteLength(name) + Buffer.byteLength(owner)
  if (names === 'all') return own
  const tokens = names.tokens.reduce((sum, token) => sum + 3 + Buffer.byteLength(token), 0)
  return own + tokens + 10 * names.setIds.length
}

export function encodeFreed(ioasids: readonly number[], { references }: AnswerOf<'freed'>): FreeResult[] {
  return ioasids.map((ioasid, index) => {
    const left = references[index] ?? 0
    return left === 0 ? { ioasid, state: 'FREE' } : { ioasid, state: 'FREE_PENDING', references: String(left) }
  })
}
