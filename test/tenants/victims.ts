import { type Answer, ask, type Listening, type Peer, to } from './peer.ts'

/** What the victim has, made so that each kind of thing is there: the prize of the attempts. And what the attacker has. */

export interface NamedSet {
  readonly token: string
  readonly set_handle: string
  readonly set_id: string
}

interface Lease {
  readonly lease_handle: string
  readonly lease_id: string
}

export interface Victims {
  /** Every live one. */
  readonly sets: readonly NamedSet[]
  readonly set: NamedSet
  readonly anonymous: NamedSet
  readonly draining: NamedSet
  /** Deleted, and with it its last id. */
  readonly ended: NamedSet
  /** Every allocated one. */
  readonly ioasids: readonly number[]
  readonly bound: number
  readonly idle: number
  /** Of the draining set. */
  readonly pending: number
  readonly generation: string
  readonly lease: Lease
  readonly endedLease: Lease
  /** Of the hypervisor, with a hold on the victim's sets. */
  readonly hypervisor: Lease
  /** Every change that the victim has made, with its request_id: the method and the request. */
  readonly said: readonly (readonly [method: string, request: object])[]
  /** All that he has named or kept, and that nobody else should hear of. */
  readonly secrets: readonly string[]
  /** Of the victim and of the hypervisor. */
  readonly streams: readonly Listening[]
}

export interface Own {
  readonly set: NamedSet
  readonly ioasid: number
  readonly lease: Lease
  readonly setIds: readonly string[]
}

export const SPID = 4711
const DATA = Buffer.from('private data of b')
const DEVICE = '0000:bb:00.1'
const DAY_MS = 86_400_000
const TOKENS = ['vm-b', 'vm-b/disk', 'vm-b/gerät', 'vm-b/draining', 'vm-b/ended']
const NAMES = [
  ...[...TOKENS, 'spiffe://example.org/vm-b', 'spiffe://example.org/vmm', DATA.toString(), DEVICE],
  ...['lease of b', 'hypervisor', 'gerät', Buffer.from('gerät').toString('latin1')],
]

type Change = (method: string, message: object) => Promise<Answer>

export async function makeVictims(b: Peer, vmm: Peer): Promise<Victims> {
  const said: [string, { readonly request_id: string }][] = []
  const change: Change = async (method, message) => {
    const request = { ...message, request_id: crypto.randomUUID() }
    said.push([method, request])
    return await ask(b, method, request)
  }
  const grant = async (name: string) => (await change('GrantLease', { ttl_ms: DAY_MS, name, on_expiry: 'HOLD' })).lease
  const lease = await grant('lease of b')
  const { lease_handle } = lease
  const makeSet = async (token: string, more: object = {}) =>
    (await change('CreateSet', { token, quota: 8, ...more })).set
  const set = await makeSet('vm-b')
  const disk = await makeSet('vm-b/disk', { lease_handle })
  const unicode = await makeSet('vm-b/gerät')
  const anonymous = await makeSet('')
  const draining = await makeSet('vm-b/draining')
  const ended = await makeSet('vm-b/ended')
  const ids = await useIds(change, set, lease_handle)
  const [pending = 0] = (await change('Allocate', { set_handle: draining.set_handle, spids: [1] })).ioasids
  await change('FreeAll', { set_handle: disk.set_handle })
  await change('DeleteSet', { set_handle: ended.set_handle })
  const endedLease = await grant('ended lease of b')
  await change('RevokeLease', { lease_handle: endedLease.lease_handle })

  const hypervisor = (await ask(vmm, 'GrantLease', { ttl_ms: DAY_MS, name: 'hypervisor' })).lease
  const watch = { tokens: TOKENS, snapshot: true, heartbeat_ms: 60_000 }
  const streams = [
    b.listen(to('Subscribe', { ...watch, set_handles: [anonymous.set_handle] })),
    vmm.listen(to('Subscribe', { ...watch, hold: true, lease_handle: hypervisor.lease_handle, priority: 'CPU' })),
  ]
  await ask(b, 'Acquire', { token: 'vm-b/draining', ioasid: pending, lease_handle })
  await change('DeleteSet', { set_handle: draining.set_handle, force: true })

  const sets = [set, disk, unicode, anonymous, draining]
  const capabilities = [
    ...[...sets, ended].map(({ set_handle }) => set_handle),
    ...[lease, endedLease, hypervisor].map((each) => each.lease_handle),
    ...said.map(([, { request_id }]) => request_id),
  ]
  return {
    ...{ sets, set, anonymous, draining, ended, ...ids, pending },
    ioasids: [ids.bound, ids.other, ids.idle, pending],
    ...{ lease, endedLease, hypervisor, said, streams },
    secrets: [...capabilities, ...NAMES],
  }
}

/** Each change of ids once at least; some of them stay, in one state each. */
async function useIds(change: Change, { set_handle }: NamedSet, lease_handle: string) {
  const own = { set_handle }
  const allocated = await change('Allocate', { ...own, spids: [SPID, 8], private_data: DATA })
  const [bound = 0, other = 0] = allocated.ioasids
  const [idle = 0, freed = 0] = (await change('Allocate', { ...own, count: 2 })).ioasids
  await change('AttachSpid', { ...own, ioasid: freed, spid: 9, device: DEVICE })
  await change('DetachSpid', { ...own, ioasid: freed, device: DEVICE })
  await change('AttachData', { ...own, ioasid: freed, private_data: DATA })
  await change('DetachData', { ...own, ioasid: freed })
  await change('AttachSpid', { ...own, ioasid: bound, spid: SPID, device: DEVICE })
  for (const ioasid of [bound, other]) await change('Acquire', { token: 'vm-b', ioasid, lease_handle })
  await change('Release', { token: 'vm-b', ioasid: other, lease_handle })
  await change('FindBySpid', { token: 'vm-b', spid: SPID, acquire_for_lease: lease_handle })
  await change('Free', { ...own, ioasids: [freed] })
  await change('AdjustQuota', { ...own, quota: 16 })
  return { bound, other, idle, generation: allocated.revision }
}

export async function makeOwn(a: Peer): Promise<Own> {
  const { set } = await ask(a, 'CreateSet', { token: 'vm-a', quota: 8 })
  const other = await ask(a, 'CreateSet', { token: 'vm-a/other', quota: 0 })
  const { ioasids } = await ask(a, 'Allocate', { set_handle: set.set_handle, spids: [1] })
  const { lease } = await ask(a, 'GrantLease', { ttl_ms: DAY_MS, name: 'lease of a' })
  const [ioasid = 0] = ioasids
  return { set, ioasid, lease, setIds: [set.set_id, other.set.set_id] }
}
