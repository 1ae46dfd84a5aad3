import type { Attempt } from './attempt.ts'
import { HANDLE_RPCS } from './by-handle.ts'
import { to } from './peer.ts'
import type { Who, World } from './world.ts'

/** Attempts of those who are somebody else, or nobody, or say that they are the victim; all of them have stolen his handle. */

const DISGUISES: readonly (readonly [who: Who, how: string, reason: string])[] = [
  ['plain', 'without TLS', 'NO_CONNECTION'],
  ['none', 'without a certificate', 'NO_CONNECTION'],
  ['expired', 'with a certificate of the victim’s that is too old', 'NO_CONNECTION'],
  ['otherCa', 'with a certificate of the victim’s that another CA of the same name signed', 'NO_CONNECTION'],
  ['byTenant', 'with a certificate of the victim’s that he signed himself, with his own', 'NO_CONNECTION'],
  ['forServers', 'with a certificate of the victim’s that is for servers', 'NO_CONNECTION'],
  ['nameless', 'with a certificate without a name', 'NO_IDENTITY'],
  ['inDns', 'with a certificate that has the victim’s SPIFFE id for a DNS name', 'NO_IDENTITY'],
  ['dots', 'with a certificate whose SPIFFE id has dots in it', 'NO_IDENTITY'],
  ['percent', 'with a certificate whose SPIFFE id is percent-encoded', 'NO_IDENTITY'],
  ['twoUris', 'with a certificate that has two SPIFFE ids', 'NO_IDENTITY'],
  ['asDns', 'with a certificate that has the victim’s token for a DNS name', 'NOT_PERMITTED'],
  ['inCn', 'with a certificate that has the victim’s SPIFFE id for a common name', 'NOT_PERMITTED'],
  ['upperCase', 'with a certificate whose SPIFFE id is the victim’s in capitals', 'NOT_PERMITTED'],
  ['otherDomain', 'with a certificate whose SPIFFE id is the victim’s of another trust domain', 'NOT_PERMITTED'],
  ['deeper', 'with a certificate whose SPIFFE id goes on behind the victim’s', 'NOT_PERMITTED'],
  ['stranger', 'with a certificate that the policy does not name', 'NOT_PERMITTED'],
  ['unix', 'by the Unix socket, as a user that the policy does not name', 'NOT_PERMITTED'],
]

const disguised: readonly Attempt[] = DISGUISES.flatMap(([who, how, reason]) => [
  {
    name: `comes ${how} and looks at the set`,
    reason,
    who,
    sent: ({ victims }: World) => to('GetSet', { set_handle: victims.set.set_handle }),
  },
  {
    name: `comes ${how} and deletes the set`,
    reason,
    who,
    sent: ({ victims }: World) => to('DeleteSet', { set_handle: victims.set.set_handle, force: true }),
  },
  {
    name: `comes ${how} and revokes the lease`,
    reason,
    who,
    sent: ({ victims }: World) => to('RevokeLease', { lease_handle: victims.lease.lease_handle }),
  },
  {
    name: `comes ${how} and watches`,
    reason,
    who,
    sent: () => to('Subscribe', { tokens: ['vm-b'], snapshot: true }),
  },
])

/** Whoever the policy does not name may do nothing, also nothing that concerns nobody else. */
const unnamed: readonly Attempt[] = (['stranger', 'unix'] as const).flatMap((who) =>
  (
    [
      ['ListSets', {}],
      ['ListLeases', {}],
      ['GrantLease', { ttl_ms: 60_000 }],
      ['CreateSet', {}],
      ['CreateSet', { token: 'vm-none' }],
      ['GetIoasid', { ioasid: 1 }],
      ['GetIoasid', { ioasid: 100_000 }],
    ] as const
  ).map(([method, message]) => ({
    name: `calls ${method} ${JSON.stringify(message)} as ${who}, whom the policy does not name`,
    reason: 'NOT_PERMITTED',
    who,
    sent: () => to(method, message),
  })),
)

const VICTIM = 'spiffe://example.org/vm-b'

const claimed: readonly Attempt[] = [
  ['x-forwarded-client-cert', `By=x;URI=${VICTIM}`],
  ['x-spiffe-id', VICTIM],
  ['authorization', `Bearer ${VICTIM}`],
  ['x-ssl-client-s-dn', 'CN=vm-b'],
  ['forwarded', 'for=127.0.0.1'],
].map(([header = '', value = '']) => ({
  name: `says by the header ${header} that he is the victim`,
  reason: 'NOT_PERMITTED',
  sent: () => to('GetSet', { token: 'vm-b' }, { [header]: value }),
}))

/** Those who may do something there, and not this. */
const CHANGES = new Set(['AdjustQuota', 'DeleteSet', 'Allocate', 'Free', 'FreeAll', 'AttachSpid', 'DetachSpid'])
const helpers: readonly Attempt[] = (['vmm', 'operator'] as const).flatMap((who) => [
  ...HANDLE_RPCS.filter(([, method]) => CHANGES.has(method)).map(([how, method, request]) => ({
    name: `has, as ${who}, the handle of a set that he may look at and ${how}`,
    reason: 'NOT_PERMITTED',
    who,
    sent: (world: World) => to(method, request(world, world.victims.set.set_handle)),
  })),
  {
    name: `makes, as ${who}, a set in the victim’s namespace`,
    reason: 'NOT_PERMITTED',
    who,
    sent: () => to('CreateSet', { token: 'vm-b/x' }),
  },
  {
    name: `has, as ${who}, the handle of the victim’s lease and keeps it alive`,
    reason: 'NOT_PERMITTED',
    who,
    sent: ({ victims }: World) => to('KeepLeaseAlive', { lease_handle: victims.lease.lease_handle }),
  },
])

const hypervisor: readonly Attempt[] = [
  {
    name: 'watches everything as vmm, who may watch both tenants',
    reason: 'NOT_PERMITTED',
    who: 'vmm',
    sent: () => to('Subscribe', { all: true, now: true }),
  },
  {
    name: 'has, as vmm, the handle of a set without a token and looks at it',
    reason: 'NOT_PERMITTED',
    who: 'vmm',
    sent: ({ victims }) => to('GetSet', { set_handle: victims.anonymous.set_handle }),
  },
  {
    name: 'has, as vmm, the handle of a set without a token and watches it',
    reason: 'NOT_PERMITTED',
    who: 'vmm',
    sent: ({ victims }) => to('Subscribe', { set_handles: [victims.anonymous.set_handle], now: true }),
  },
]

export const byIdentity: readonly Attempt[] = [...disguised, ...unnamed, ...claimed, ...helpers, ...hypervisor]
