import { type Attempt, batch } from './attempt.ts'
import { HANDLE_RPCS } from './by-handle.ts'
import { to } from './peer.ts'
import { SPID } from './victims.ts'
import type { World } from './world.ts'

/** Attempts on ids of the victim's, by their numbers, which are no secret: with sets and leases of the attacker's own. */

const mine = ({ own: { set } }: World) => ({ set_handle: set.set_handle })
const lease = ({ own }: World) => ({ lease_handle: own.lease.lease_handle })
const data = { private_data: Buffer.from('x') }

const wrong: readonly (readonly [how: string, method: string, request: (world: World, ioasid: number) => object])[] = [
  ['frees', 'Free', (world, ioasid) => ({ ...mine(world), ioasids: [ioasid] })],
  ['frees, behind his own,', 'Free', (world, ioasid) => ({ ...mine(world), ioasids: [world.own.ioasid, ioasid] })],
  [
    'frees, with its generation,',
    'Free',
    (world, ioasid) => ({ ...mine(world), ioasids: [ioasid], generation: world.victims.generation }),
  ],
  [
    'frees, with a wrong generation,',
    'Free',
    (world, ioasid) => ({ ...mine(world), ioasids: [ioasid], generation: '1' }),
  ],
  ['looks at', 'GetIoasid', (world, ioasid) => ({ ...mine(world), ioasid })],
  ['attaches a SPID to', 'AttachSpid', (world, ioasid) => ({ ...mine(world), ioasid, spid: 77 })],
  ['attaches its own SPID to', 'AttachSpid', (world, ioasid) => ({ ...mine(world), ioasid, spid: SPID })],
  ['detaches the SPID of', 'DetachSpid', (world, ioasid) => ({ ...mine(world), ioasid })],
  ['attaches data to', 'AttachData', (world, ioasid) => ({ ...mine(world), ioasid, ...data })],
  ['detaches the data of', 'DetachData', (world, ioasid) => ({ ...mine(world), ioasid })],
  ['acquires', 'Acquire', (world, ioasid) => ({ ...mine(world), ioasid, ...lease(world) })],
  ['releases', 'Release', (world, ioasid) => ({ token: 'vm-a', ioasid, ...lease(world) })],
]

/** Whatever its state and generation: contract 2.7. */
const byNumberOfOwn: readonly Attempt[] = wrong.flatMap(([how, method, request]) => [
  {
    name: `${how} an id of the victim’s that is bound, by a set of his own`,
    reason: 'WRONG_SET',
    sent: (world: World) => to(method, request(world, world.victims.bound)),
    twin: (world: World) => to(method, request(world, world.victims.idle)),
  },
  {
    name: `${how} an id of the victim’s that waits for its holders, by a set of his own`,
    reason: 'WRONG_SET',
    sent: (world: World) => to(method, request(world, world.victims.pending)),
    twin: (world: World) => to(method, request(world, world.victims.idle)),
  },
])

const looks: readonly Attempt[] = (['bound', 'idle', 'pending'] as const).map((which) => ({
  name: `looks at an id of the victim’s that is ${which}, by its number alone`,
  reason: 'NOT_PERMITTED',
  sent: ({ victims }) => to('GetIoasid', { ioasid: victims[which] }),
}))

const others: readonly Attempt[] = [
  {
    name: 'finds the victim’s SPID in a set of his own',
    reason: 'SPID_NOT_FOUND',
    sent: (world) => to('FindBySpid', { ...mine(world), spid: SPID }),
    twin: (world) => to('FindBySpid', { ...mine(world), spid: 1_000_000 }),
  },
  {
    name: 'acquires by the victim’s SPID in a set of his own',
    reason: 'SPID_NOT_FOUND',
    sent: (world) => to('FindBySpid', { ...mine(world), spid: SPID, acquire_for_lease: lease(world).lease_handle }),
  },
  {
    name: 'allocates the very id that the victim has',
    reason: 'RANGE_EXHAUSTED',
    sent: (world) => to('Allocate', { ...mine(world), min: world.victims.bound, max: world.victims.bound }),
    twin: (world) => to('Allocate', { ...mine(world), min: world.victims.idle, max: world.victims.idle }),
  },
]

const item = (name: string, request: object) => ({ [name]: request })
const ITEMS = {
  Allocate: 'allocate',
  Free: 'free',
  AttachSpid: 'attach_spid',
  DetachSpid: 'detach_spid',
  AttachData: 'attach_data',
  DetachData: 'detach_data',
  Acquire: 'acquire',
  Release: 'release',
} as const
const itemOf = (method: string) => Object.entries(ITEMS).find(([name]) => name === method)?.[1]

/** Each refusal is the item's own: what is before it and behind it succeeds. */
const batched: readonly Attempt[] = [
  ...HANDLE_RPCS.flatMap(([how, method, request]) => {
    const name = itemOf(method)
    if (name === undefined) return []
    const sent = (world: World) => batch(world, item(name, request(world, world.victims.set.set_handle)))
    return { name: `has stolen a handle and, in a Batch, ${how}`, reason: 'NOT_PERMITTED', inBatch: true, sent }
  }),
  ...wrong.flatMap(([how, method, request]) => {
    const name = itemOf(method)
    if (name === undefined) return []
    return (['bound', 'pending'] as const).map((which) => ({
      name: `${how} an id that is ${which}, in a Batch`,
      reason: 'WRONG_SET',
      inBatch: true,
      sent: (world: World) => batch(world, item(name, request(world, world.victims[which]))),
    }))
  }),
  ...(['acquire', 'release'] as const).map((name) => ({
    name: `names the victim’s token to ${name} in a Batch`,
    reason: 'NOT_PERMITTED',
    inBatch: true,
    sent: (world: World) => batch(world, item(name, { token: 'vm-b', ioasid: world.victims.bound, ...lease(world) })),
    twin: (world: World) => batch(world, item(name, { token: 'vm-n', ioasid: world.victims.bound, ...lease(world) })),
  })),
]

export const byNumber: readonly Attempt[] = [...byNumberOfOwn, ...looks, ...others, ...batched]
