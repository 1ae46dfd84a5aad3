import type { Attempt } from './attempt.ts'
import { to } from './peer.ts'
import { type NamedSet, SPID } from './victims.ts'
import type { World } from './world.ts'

/** Attempts with the handle of a set of the victim's: stolen, or guessed from what can be seen of others. */

type Request = (world: World, set_handle: string) => object

const id = ({ victims }: World) => ({ ioasid: victims.bound })
const lease = ({ own }: World) => ({ lease_handle: own.lease.lease_handle })
const data = { private_data: Buffer.from('x') }

export const HANDLE_RPCS: readonly (readonly [how: string, method: string, request: Request])[] = [
  ['looks at the set', 'GetSet', (_world, set_handle) => ({ set_handle })],
  ['takes its quota', 'AdjustQuota', (_world, set_handle) => ({ set_handle, quota: 1 })],
  ['gives it a quota that it has', 'AdjustQuota', (_world, set_handle) => ({ set_handle, quota: 16 })],
  ['deletes it', 'DeleteSet', (_world, set_handle) => ({ set_handle })],
  ['deletes it with force', 'DeleteSet', (_world, set_handle) => ({ set_handle, force: true })],
  ['allocates in it', 'Allocate', (_world, set_handle) => ({ set_handle })],
  ['allocates more than its quota', 'Allocate', (_world, set_handle) => ({ set_handle, count: 60_000 })],
  ['frees an id of it', 'Free', (world, set_handle) => ({ set_handle, ioasids: [world.victims.bound] })],
  [
    'frees an id of it with its generation',
    'Free',
    ({ victims }, set_handle) => ({ set_handle, ioasids: [victims.bound], generation: victims.generation }),
  ],
  ['frees all its ids', 'FreeAll', (_world, set_handle) => ({ set_handle })],
  ['looks at an id of it', 'GetIoasid', (world, set_handle) => ({ set_handle, ...id(world) })],
  ['finds an id of it by its SPID', 'FindBySpid', (_world, set_handle) => ({ set_handle, spid: SPID })],
  [
    'finds an id of it, and acquires it',
    'FindBySpid',
    ({ own }, set_handle) => ({ set_handle, spid: SPID, acquire_for_lease: own.lease.lease_handle }),
  ],
  ['lists its ids', 'ListIoasids', (_world, set_handle) => ({ set_handle })],
  ['attaches a SPID', 'AttachSpid', (world, set_handle) => ({ set_handle, ...id(world), spid: 5 })],
  ['detaches a SPID', 'DetachSpid', (world, set_handle) => ({ set_handle, ...id(world) })],
  ['attaches data', 'AttachData', (world, set_handle) => ({ set_handle, ...id(world), ...data })],
  ['detaches the data', 'DetachData', (world, set_handle) => ({ set_handle, ...id(world) })],
  ['acquires an id of it', 'Acquire', (world, set_handle) => ({ set_handle, ...id(world), ...lease(world) })],
  ['releases an id of it', 'Release', (world, set_handle) => ({ set_handle, ...id(world), ...lease(world) })],
  ['watches it', 'Subscribe', (_world, set_handle) => ({ set_handles: [set_handle], now: true })],
  ['watches a snapshot of it', 'Subscribe', (_world, set_handle) => ({ set_handles: [set_handle], snapshot: true })],
  [
    'watches all that ever was of it',
    'Subscribe',
    (_world, set_handle) => ({ set_handles: [set_handle], after_revision: '0' }),
  ],
]

const stolen: readonly Attempt[] = HANDLE_RPCS.map(([how, method, request]) => ({
  name: `has stolen the handle of a set and ${how}`,
  reason: 'NOT_PERMITTED',
  sent: (world: World) => to(method, request(world, world.victims.set.set_handle)),
}))

const OTHERS: readonly (readonly [what: string, which: (world: World) => NamedSet])[] = [
  ['a set without a token', ({ victims }) => victims.anonymous],
  ['a set that drains', ({ victims }) => victims.draining],
]

const stolenOthers: readonly Attempt[] = OTHERS.flatMap(([what, which]) =>
  HANDLE_RPCS.filter(([how]) =>
    /^(looks at the set|deletes it with force|allocates in it|lists|watches it)$/.test(how),
  ).map(([how, method, request]) => ({
    name: `has stolen the handle of ${what} and ${how}`,
    reason: 'NOT_PERMITTED',
    sent: (world: World) => to(method, request(world, which(world).set_handle)),
  })),
)

/** That a set has ended is nothing that its handle tells; only its history is somebody's, and that is the victim's. */
const ended: readonly Attempt[] = HANDLE_RPCS.filter(([, method]) => method !== 'Subscribe').map(
  ([how, method, request]) => ({
    name: `has stolen the handle of a set that has ended and ${how}`,
    reason: 'SET_NOT_FOUND',
    sent: (world: World) => to(method, request(world, world.victims.ended.set_handle)),
    twin: (world: World) => to(method, request(world, guess())),
  }),
)

const endedStreams: readonly Attempt[] = [
  {
    name: 'has stolen the handle of a set that has ended and watches all that ever was of it',
    reason: 'NOT_PERMITTED',
    sent: ({ victims }) => to('Subscribe', { set_handles: [victims.ended.set_handle], after_revision: '0' }),
  },
  {
    name: 'has stolen the handle of a set that has ended and watches it behind a set of his own',
    reason: 'NOT_PERMITTED',
    sent: ({ own, victims }) =>
      to('Subscribe', { set_handles: [own.set.set_handle, victims.ended.set_handle], after_revision: '0' }),
  },
]

/** As many bytes as a handle has, by chance. */
function guess(): string {
  return `set-${Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString('base64url')}`
}

const PREFIX = 'set-'
const NUMBER_BYTES = 8
const bytesOf = (handle: string) => Buffer.from(handle.slice(PREFIX.length), 'base64url')
const handleOf = (...parts: readonly Uint8Array[]) => PREFIX + Buffer.concat(parts).toString('base64url')

function flipCase(text: string): string {
  return text.replace(/[a-z]/gi, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  )
}

/** What can be made of a handle, with one's own beside it. */
const ALTERED: readonly (readonly [how: string, alter: (handle: string, own: string) => string])[] = [
  ['with another last letter', (handle) => handle.slice(0, -1) + (handle.endsWith('A') ? 'B' : 'A')],
  ['with its last bit turned', (handle) => handleOf(bytesOf(handle).map((byte, at) => (at === 23 ? byte ^ 1 : byte)))],
  ['without its last letter', (handle) => handle.slice(0, -1)],
  ['without its prefix', (handle) => handle.slice(PREFIX.length)],
  ['with the prefix of a lease', (handle) => `lease-${handle.slice(PREFIX.length)}`],
  ['with its prefix in capitals', (handle) => `SET-${handle.slice(PREFIX.length)}`],
  ['in the other case', flipCase],
  ['with a letter more', (handle) => `${handle}A`],
  ['with padding', (handle) => `${handle}=`],
  ['with a space behind it', (handle) => `${handle} `],
  ['with a NUL behind it', (handle) => `${handle}\0`],
  ['with a line feed before it', (handle) => `\n${handle}`],
  ['percent-encoded', (handle) => handle.replace(/./g, (letter) => `%${letter.charCodeAt(0).toString(16)}`)],
  ['with its hyphen percent-encoded', (handle) => handle.replace('-', '%2d')],
  ['in hexadecimal', (handle) => PREFIX + bytesOf(handle).toString('hex')],
  ['in base64 once more', (handle) => Buffer.from(handle).toString('base64')],
  ['within quotes', (handle) => `"${handle}"`],
  ['twice', (handle) => handle + handle],
  [
    'in letters of full width',
    (handle) => handle.replace(/[!-~]/g, (letter) => String.fromCodePoint(letter.charCodeAt(0) + 0xfee0)),
  ],
  [
    'with his own proof for the victim’s number',
    (handle, own) => handleOf(bytesOf(handle).subarray(0, NUMBER_BYTES), bytesOf(own).subarray(NUMBER_BYTES)),
  ],
  [
    'with the victim’s proof for his own number',
    (handle, own) => handleOf(bytesOf(own).subarray(0, NUMBER_BYTES), bytesOf(handle).subarray(NUMBER_BYTES)),
  ],
  ['with half of the proof', (handle) => handleOf(bytesOf(handle).subarray(0, 16))],
  ['with a proof of zeros', (handle) => handleOf(bytesOf(handle).subarray(0, NUMBER_BYTES), Buffer.alloc(16))],
  ['with its number alone', (handle) => String(bytesOf(handle).readBigUInt64BE())],
  ['with its number and 2^64', (handle) => handleOf(Buffer.from([1]), bytesOf(handle))],
]

const altered: readonly Attempt[] = ALTERED.flatMap(([how, alter]) => [
  {
    name: `deletes a set by its handle ${how}`,
    reason: 'SET_NOT_FOUND',
    sent: ({ victims, own }: World) =>
      to('DeleteSet', { set_handle: alter(victims.set.set_handle, own.set.set_handle), force: true }),
    twin: () => to('DeleteSet', { set_handle: guess(), force: true }),
  },
  {
    name: `watches a set by its handle ${how}`,
    reason: 'SET_NOT_FOUND',
    sent: ({ victims, own }: World) =>
      to('Subscribe', { set_handles: [alter(victims.set.set_handle, own.set.set_handle)], now: true }),
    twin: () => to('Subscribe', { set_handles: [guess()], now: true }),
  },
])

const others: readonly Attempt[] = [
  {
    name: 'allocates by the handle of his own lease',
    reason: 'SET_NOT_FOUND',
    sent: ({ own }) => to('Allocate', { set_handle: own.lease.lease_handle }),
  },
  {
    name: 'allocates by the handle of the victim’s lease',
    reason: 'SET_NOT_FOUND',
    sent: ({ victims }) => to('Allocate', { set_handle: victims.lease.lease_handle }),
  },
  {
    name: 'allocates by the victim’s token for a handle',
    reason: 'SET_NOT_FOUND',
    sent: () => to('Allocate', { set_handle: 'vm-b' }),
    twin: () => to('Allocate', { set_handle: 'vm-none' }),
  },
]

export const byHandle: readonly Attempt[] = [
  ...stolen,
  ...stolenOthers,
  ...ended,
  ...endedStreams,
  ...altered,
  ...others,
]
