import { type Attempt, batch } from './attempt.ts'
import { to } from './peer.ts'
import type { World } from './world.ts'

/** Attempts with leases of others, the victim's and the hypervisor's: stolen handles, and such as were never given. */

type Request = (world: World, lease_handle: string) => object

/** All on what is the attacker's own, so that nothing but the lease is in their way. */
const rpcs: readonly (readonly [how: string, method: string, request: Request])[] = [
  ['keeps it alive', 'KeepLeaseAlive', (_world, lease_handle) => ({ lease_handle })],
  ['looks at it', 'GetLease', (_world, lease_handle) => ({ lease_handle })],
  ['revokes it', 'RevokeLease', (_world, lease_handle) => ({ lease_handle })],
  ['acknowledges for it', 'Acknowledge', (_world, lease_handle) => ({ lease_handle, revision: '1' })],
  [
    'acknowledges for it what never was',
    'Acknowledge',
    (_world, lease_handle) => ({ lease_handle, revision: '1000000' }),
  ],
  ['acquires for it', 'Acquire', ({ own }, lease_handle) => ({ token: 'vm-a', ioasid: own.ioasid, lease_handle })],
  ['releases from it', 'Release', ({ own }, lease_handle) => ({ token: 'vm-a', ioasid: own.ioasid, lease_handle })],
  [
    'finds and acquires for it',
    'FindBySpid',
    (_world, acquire_for_lease) => ({ token: 'vm-a', spid: 1, acquire_for_lease }),
  ],
  ['makes a set that ends with it', 'CreateSet', (_world, lease_handle) => ({ token: 'vm-a/of-b', lease_handle })],
  [
    'holds with it',
    'Subscribe',
    (_world, lease_handle) => ({ tokens: ['vm-a'], snapshot: true, hold: true, lease_handle }),
  ],
  [
    'takes up its hold again',
    'Subscribe',
    (_world, lease_handle) => ({ tokens: ['vm-a'], after_revision: '0', hold: true, lease_handle, priority: 'CPU' }),
  ],
]

const stolen: readonly Attempt[] = rpcs.flatMap(([how, method, request]) =>
  (['lease', 'hypervisor'] as const).map((which) => ({
    name: `has stolen the handle of ${which === 'lease' ? 'the victim’s' : 'the hypervisor’s'} lease and ${how}`,
    reason: 'NOT_PERMITTED',
    sent: (world: World) => to(method, request(world, world.victims[which].lease_handle)),
  })),
)

const ended: readonly Attempt[] = rpcs.map(([how, method, request]) => ({
  name: `has stolen the handle of a lease that has ended and ${how}`,
  reason: 'LEASE_NOT_FOUND',
  sent: (world: World) => to(method, request(world, world.victims.endedLease.lease_handle)),
  twin: (world: World) => to(method, request(world, guess())),
}))

function guess(): string {
  return `lease-${Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString('base64url')}`
}

const ALTERED: readonly (readonly [how: string, alter: (world: World) => string])[] = [
  [
    'with another last letter',
    ({ victims }) => victims.lease.lease_handle.replace(/.$/, (c) => (c === 'A' ? 'B' : 'A')),
  ],
  ['without its last letter', ({ victims }) => victims.lease.lease_handle.slice(0, -1)],
  ['in capitals', ({ victims }) => victims.lease.lease_handle.toUpperCase()],
  ['with a space behind it', ({ victims }) => `${victims.lease.lease_handle} `],
  ['with the prefix of a set', ({ victims }) => victims.lease.lease_handle.replace('lease-', 'set-')],
  ['by its number', ({ victims }) => victims.lease.lease_id],
  ['by the handle of the victim’s set', ({ victims }) => victims.set.set_handle],
  ['by the handle of a set of his own', ({ own }) => own.set.set_handle],
]

const altered: readonly Attempt[] = ALTERED.flatMap(([how, alter]) =>
  (['RevokeLease', 'KeepLeaseAlive'] as const).map((method) => ({
    name: `calls ${method} for the victim’s lease ${how}`,
    reason: 'LEASE_NOT_FOUND',
    sent: (world: World) => to(method, { lease_handle: alter(world) }),
    twin: () => to(method, { lease_handle: guess() }),
  })),
)

const batched: readonly Attempt[] = (['acquire', 'release'] as const).map((name) => ({
  name: `has stolen the handle of the victim’s lease and names it to ${name} in a Batch`,
  reason: 'NOT_PERMITTED',
  inBatch: true,
  sent: (world: World) => {
    const { own, victims } = world
    return batch(world, { [name]: { token: 'vm-a', ioasid: own.ioasid, lease_handle: victims.lease.lease_handle } })
  },
}))

export const byLease: readonly Attempt[] = [...stolen, ...ended, ...altered, ...batched]
