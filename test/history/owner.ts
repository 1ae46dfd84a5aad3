import { setTimeout as sleep } from 'node:timers/promises'
import type { Command, SetRef } from '../../server/core/command.ts'
import { asIoasid, asLeaseId, asSpid } from '../../server/core/ids.ts'
import { type Actor, anyLease, anyLife, anySet, TOKENS } from './actor.ts'
import type { Read } from './record.ts'

const MAX_REST_MS = 8

/** A client that does anything to anybody's sets and ids, most of it to those that are there. */
export async function runOwner(actor: Actor, capacity: number): Promise<void> {
  const { world, chance } = actor
  await actor.change({ kind: 'create_set', token: chance.oneOf(TOKENS), quota: 0, leaseId: null })
  while (!world.isStopping()) {
    if (chance.isOneIn(3)) await actor.perform({ kind: 'read', read: anyRead(actor, capacity) })
    else await actor.change(anyCommand(actor, capacity))
    await sleep(chance.below(MAX_REST_MS))
  }
}

const WEIGHTS = {
  allocate: 24,
  free: 14,
  attach_spid: 8,
  detach_spid: 5,
  acquire: 10,
  release: 9,
  acquire_by_spid: 6,
  attach_data: 3,
  detach_data: 2,
  create_set: 6,
  delete_set: 3,
  adjust_quota: 4,
  free_all: 1,
  grant_lease: 3,
  revive_lease: 4,
  revoke_lease: 2,
  acknowledge: 1,
} as const

const KINDS = Object.entries(WEIGHTS).flatMap(([kind, weight]) =>
  Array.from({ length: weight }, () => kind as keyof typeof WEIGHTS),
)

function anyCommand(actor: Actor, capacity: number): Command {
  const { chance, world } = actor
  const kind = chance.oneOf(KINDS)
  const { setId, ioasid } = anyLife(actor, capacity)
  const spid = asSpid(100 + chance.below(12))
  switch (kind) {
    case 'create_set': {
      const leaseId = chance.isOneIn(3) ? anyLease(actor) : null
      return { kind, token: chance.oneOf(['', ...TOKENS]), quota: chance.below(3) * 6, leaseId }
    }
    case 'adjust_quota':
      return { kind, setId: anySet(actor), quota: chance.below(4) * 5 }
    case 'delete_set':
      return { kind, setId: anySet(actor), force: !chance.isOneIn(3) }
    case 'allocate':
      return allocation(actor, capacity)
    case 'free':
      return { kind, setId, ioasids: [ioasid], generation: null }
    case 'free_all':
      return { kind, setId: anySet(actor) }
    case 'attach_spid':
      return { kind, setId, ioasid, spid, device: chance.oneOf(['', 'dev-1']) }
    case 'detach_spid':
      return { kind, setId, ioasid, device: chance.oneOf(['', 'dev-1']) }
    case 'attach_data':
      return { kind, setId, ioasid, privateData: Uint8Array.from([65 + chance.below(26)]) }
    case 'detach_data':
      return { kind, setId, ioasid }
    case 'acquire':
    case 'release':
      return { kind, set: { setId }, ioasid, leaseId: anyLease(actor) }
    case 'acquire_by_spid':
      return { kind, set: anyRef(actor), spid, leaseId: anyLease(actor) }
    case 'grant_lease': {
      const onExpiry = chance.isOneIn(4) ? 'HOLD' : 'RELEASE'
      return { kind, terms: { name: actor.name, ttlMs: world.leaseTtlMs * (1 + chance.below(3)), onExpiry } }
    }
    case 'revive_lease':
    case 'revoke_lease':
      return { kind, leaseId: anyLease(actor) }
    case 'acknowledge':
      return { kind, leaseId: anyLease(actor), revision: chance.below(2) * 1_000_000_000 }
  }
}

function allocation(actor: Actor, capacity: number): Command {
  const { chance } = actor
  const count = 1 + chance.below(4)
  const first = 100 + chance.below(12)
  const spids = chance.isOneIn(2) ? Array.from({ length: count }, (_, index) => asSpid(first + index)) : null
  const min = chance.isOneIn(4) ? chance.below(capacity) : 0
  const range = { min: asIoasid(min), max: asIoasid(capacity - 1) }
  return { kind: 'allocate', setId: anySet(actor), count, ...range, spids, privateData: null }
}

function anyRef(actor: Actor): SetRef {
  return actor.chance.isOneIn(3) ? { setId: anySet(actor) } : { token: actor.chance.oneOf(TOKENS) }
}

function anyRead(actor: Actor, capacity: number): Read {
  const { chance } = actor
  const life = anyLife(actor, capacity)
  const kind = chance.oneOf(['set', 'ids', 'id', 'id', 'spid', 'lease', 'status'] as const)
  switch (kind) {
    case 'set':
    case 'ids':
      return { kind, ref: anyRef(actor) }
    case 'id':
      return { kind, ioasid: life.ioasid, setId: chance.isOneIn(2) ? life.setId : undefined }
    case 'spid':
      return { kind, ref: anyRef(actor), spid: 100 + chance.below(12) }
    case 'lease':
      return { kind, leaseId: anyLease(actor) }
    case 'status':
      return { kind }
  }
}

/**
 * A lease that cannot end unseen: it has a set, whose end is told, and of which nobody else knows. Undefined: there is
 * none, and no word of one.
 */
export async function grantSeen(actor: Actor, onExpiry: 'RELEASE' | 'HOLD', ttlMs: number) {
  const granted = await actor.change({ kind: 'grant_lease', terms: { name: actor.name, ttlMs, onExpiry } })
  if (granted.kind !== 'answer' || !('leaseId' in granted.answer)) return undefined
  const leaseId = asLeaseId(Number(granted.answer.leaseId))
  const command = { kind: 'create_set', token: '', quota: 0, leaseId } as const
  await actor.perform({ kind: 'change', requestId: `${actor.name}/set of ${leaseId}`, command })
  return leaseId
}
