import type { Command, SetRef } from '../../server/core/command.ts'
import { asIoasid, asLeaseId, asSetId, asSpid, type Ioasid, type LeaseId, type SetId } from '../../server/core/ids.ts'
import { allIds, type Model, type ModelId, type ModelSet } from '../core/model.ts'
import { drawOne, type Random } from './random.ts'
import { TOKENS } from './tokens.ts'

/**
 * What owners ask for, drawn before anything has happened: numbers are places among what is there when the turn of the
 * request comes. So most requests meet a live set and an id of it, some do not, and steps can be left out.
 */
export interface Wish {
  readonly kind: Command['kind']
  readonly set: number
  readonly id: number
  readonly lease: number
  readonly number: number
  readonly text: string
  readonly count: number
  readonly flag: boolean
}

const PLACES = 1000

export function drawWish(random: Random): Wish {
  const kind = drawOne<Command['kind']>(random, [
    [2, () => 'grant_lease'],
    [4, () => 'create_set'],
    [1, () => 'adjust_quota'],
    [3, () => 'delete_set'],
    [1, () => 'force_delete_set'],
    [12, () => 'allocate'],
    [8, () => 'free'],
    [1, () => 'free_all'],
    [9, () => 'attach_spid'],
    [6, () => 'detach_spid'],
    [1, () => 'attach_data'],
    [1, () => 'detach_data'],
    [5, () => 'acquire'],
    [1, () => 'acquire_by_spid'],
    [4, () => 'release'],
    [1, () => 'revoke_lease'],
    [1, () => 'force_revoke_lease'],
    [1, () => 'revive_lease'],
  ])
  return drawWishFor(random, kind)
}

export function drawWishFor(random: Random, kind: Command['kind']): Wish {
  return {
    kind,
    set: random.below(PLACES),
    id: random.below(PLACES),
    lease: random.below(PLACES),
    number: random.below(PLACES),
    text: random.pick(['', ...TOKENS]),
    count: random.pick([1, 1, 2, 3, 6]),
    flag: random.percent(70),
  }
}

export function commandOf(wish: Wish, model: Model): Command {
  const { kind, number, text, count, flag } = wish
  const set = setAt(model, wish.set)
  const setId = asSetId(set?.setId ?? wish.set % 3)
  const leaseId = leaseAt(model, wish.lease)
  const ioasid = idAt(model, set, wish.id)
  switch (kind) {
    case 'grant_lease': {
      const onExpiry = flag ? 'RELEASE' : 'HOLD'
      return { kind, terms: { name: text, ttlMs: [500, 2000, 10_000][number % 3] ?? 500, onExpiry } }
    }
    case 'create_set':
      return { kind, token: text, quota: [0, 0, 3, 6, 12][number % 5] ?? 0, leaseId: flag ? null : leaseId }
    case 'adjust_quota':
      return { kind, setId, quota: number % 12 }
    case 'delete_set':
      return { kind, setId, force: flag }
    case 'allocate':
      return allocateOf(model, setId, wish)
    case 'free': {
      const ioasids = [
        ...new Set([ioasid, ...Array.from({ length: count - 1 }, (_, n) => idAt(model, set, number + n))]),
      ]
      const generation = set?.ids.find((id) => id.ioasid === ioasid)?.generation ?? 1
      const stale = generation + 1
      return { kind, setId, ioasids, generation: [null, null, null, generation, stale][number % 5] ?? null }
    }
    case 'free_all':
    case 'force_delete_set':
      return { kind, setId }
    case 'attach_spid':
      return { kind, setId, ioasid, spid: spidOf(set, ioasid, wish), device: deviceOf(number) }
    case 'detach_spid':
      return { kind, setId, ioasid, device: flag ? (idOf(set, ioasid)?.devices[0] ?? '') : deviceOf(number) }
    case 'attach_data':
      return { kind, setId, ioasid, privateData: new Uint8Array(count).fill(65 + count) }
    case 'detach_data':
      return { kind, setId, ioasid }
    case 'acquire':
      return { kind, set: refOf(set, flag), ioasid, leaseId }
    case 'release':
      return releaseOf(model, wish, { kind, set: refOf(set, flag), ioasid, leaseId })
    case 'acquire_by_spid':
      return { kind, set: refOf(set, flag), spid: asSpid(idOf(set, ioasid)?.spid ?? 5), leaseId }
    case 'revoke_lease':
    case 'force_revoke_lease':
    case 'revive_lease':
    case 'expire_lease':
      return { kind: kind === 'expire_lease' ? 'revoke_lease' : kind, leaseId }
    case 'register':
    case 'end_registration':
    case 'acknowledge':
      return { kind: 'acknowledge', leaseId, revision: 0 }
  }
}

/** The end of the space, wherever it is when the request arrives. */
const TO_END = Number.MAX_SAFE_INTEGER

/** What the edge makes of a request: undefined where it refuses it. */
export function asArrived(command: Command, capacity: number): Command | undefined {
  if (command.kind !== 'allocate') return command
  const max = command.max === TO_END ? capacity - 1 : command.max
  return max < capacity ? { ...command, max } : undefined
}

function allocateOf({ config }: Model, setId: SetId, { count, number, id, flag }: Wish): Command {
  const [a, b] = [id % config.capacity, number % config.capacity]
  const [min, max] = number < 0.85 * PLACES ? [0, TO_END] : [Math.min(a, b), Math.max(a, b)]
  // In the order of the ids, against it, or with gaps.
  const step = [1, 1, 2, -1][number % 4] ?? 1
  const first = (id % 6) + (step < 0 ? count : 0)
  const spids = flag ? Array.from({ length: count }, (_, index) => asSpid(first + step * index)) : null
  const privateData = number % 7 === 0 ? new Uint8Array(3).fill(66) : null
  return { kind: 'allocate', setId, count, min, max, spids, privateData }
}

/** Mostly of a reference that is there. */
function releaseOf(
  model: Model,
  { id, number }: Wish,
  otherwise: Extract<Command, { ioasid: Ioasid; leaseId: LeaseId }>,
): Command {
  const held = allIds(model).flatMap(({ set, id }) => id.references.map(({ leaseId }) => ({ set, id, leaseId })))
  const one = number < 0.85 * PLACES ? held[id % held.length] : undefined
  if (one === undefined) return otherwise
  const set = { setId: asSetId(one.set.setId) }
  return { kind: 'release', set, ioasid: asIoasid(one.id.ioasid), leaseId: asLeaseId(one.leaseId) }
}

function setAt(model: Model, place: number): ModelSet | undefined {
  return place < 0.96 * PLACES ? model.sets[place % model.sets.length] : undefined
}

/** Of half of the places, who holds something. Few lead to a lease that never was, or to the first, which may be gone. */
function leaseAt(model: Model, place: number): LeaseId {
  const live = model.leases.map(({ leaseId }) => leaseId)
  const holders = allIds(model).flatMap(({ id }) => [...id.references, ...id.holds].map(({ leaseId }) => leaseId))
  const likely = place < 0.5 * PLACES && holders.length > 0 ? holders : live
  const others = [1, model.lastLeaseId + 1]
  const among = place < 0.95 * PLACES && likely.length > 0 ? likely : others
  return asLeaseId(among[place % among.length] ?? 1)
}

/** Few places lead to ids of other sets, and to numbers that are nobody's. */
function idAt(model: Model, set: ModelSet | undefined, place: number): Ioasid {
  const own = (set?.ids ?? []).map(({ ioasid }) => ioasid)
  const all = allIds(model).map(({ id }) => id.ioasid)
  const nobodys = [0, model.config.capacity - 1, model.config.capacity]
  const likely = place < 0.93 * PLACES ? own : place < 0.97 * PLACES ? all : []
  const among = likely.length > 0 ? likely : nobodys
  return asIoasid(among[place % among.length] ?? 0)
}

function idOf(set: ModelSet | undefined, ioasid: Ioasid): ModelId | undefined {
  return set?.ids.find((id) => id.ioasid === ioasid)
}

/** Another device mostly comes with the SPID that the id has. */
function spidOf(set: ModelSet | undefined, ioasid: Ioasid, { flag, number }: Wish) {
  const known = flag ? idOf(set, ioasid)?.spid : undefined
  return asSpid(known ?? number % 7)
}

function deviceOf(number: number): string {
  return ['', '', 'nic', 'gpu'][number % 4] ?? ''
}

function refOf(set: ModelSet | undefined, byToken: boolean): SetRef {
  if (byToken && set?.token !== '') return { token: set?.token ?? 'nobody' }
  return { setId: asSetId(set?.setId ?? 0) }
}
