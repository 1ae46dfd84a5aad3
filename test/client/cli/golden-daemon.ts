import type { Notification } from '../../../proto/gen/ioasid/v1/Notification.ts'
import { backupOf } from '../../support/backups.ts'
import { createSet, run } from '../../support/engine.ts'
import { bind, change, free, header, unbind } from '../messages.ts'

/** What a daemon of some age and size answers to each call: numbers as long, and handles, as they are on a busy host. */

export const SET_HANDLE = 'set-AAAAAAAAAA9zM2Kq0vX1mC7hWf3tYp-R'
export const LEASE_HANDLE = 'lease-AAAAAAAAAAUn5Vx0bQe8LkT2aJd6Hs_Z'

/** Whose sets, leases and requests they are. */
export const VMM = 'spiffe://fleet.example/host/7/vmm'

const setA = {
  set_id: '15',
  token: 'vm-a',
  quota: 256,
  allocated: 12,
  free_pending: 1,
  bound: 8,
  state: 'ACTIVE',
  lease_id: '5',
  create_revision: '90071',
  owner: VMM,
}
const anonymous = {
  set_id: '1204',
  token: '',
  quota: 0,
  allocated: 65_536,
  free_pending: 1024,
  state: 'DRAINING',
  create_revision: '70000',
}

const time = (text: string) => ({ seconds: String(Date.parse(`${text}Z`) / 1000), nanos: 250_000_000 })

const idA = {
  ioasid: 4711,
  set_id: '15',
  token: 'vm-a',
  spid: 101,
  state: 'ACTIVE',
  references: '3',
  generation: '90080',
  bind_revision: '90081',
  devices: ['', '0000:3b:00.0'],
}
const holders = [
  { lease_id: '5', name: 'kvm', count: 3, since_revision: '90082', since_time: time('2026-01-02T00:59:00') },
]
const idB = { ioasid: 1_048_575, set_id: '15', token: 'vm-a', state: 'IDLE', references: '0', generation: '90099' }

const leaseA = {
  lease_id: '5',
  name: 'kvm',
  ttl_ms: '30000',
  remaining_ms: '29950',
  on_expiry: 'RELEASE',
  references: '3',
  sets: 1,
  state: 'ALIVE',
  hold: { priority: 'CPU', tokens: ['vm-a'], register_revision: '90072', acknowledged_revision: '90081' },
  owner: VMM,
}
const leaseB = { lease_id: '1204', name: '', ttl_ms: '86400000', on_expiry: 'HOLD', references: '65536', state: 'HELD' }

const status = {
  version: '0.1.0',
  space_id: '0c6f2f0e-6a52-4a8e-9a37-2f1f3c1b7d10',
  capacity: 1_048_576,
  reserved: 256,
  available: 982_783,
  sets: 2,
  allocated: 65_548,
  free_pending: 1025,
  resting: 7,
  leases: 2,
  subscriptions: 3,
  revision: '90100',
  compact_revision: '40000',
  request_window_ms: '600000',
  store: 'lmdb',
  role: 'LEADER',
  overruns: '1',
}

const lives = [
  {
    token: 'vm-a',
    set_id: '15',
    generation: '90080',
    from_revision: '90080',
    from_time: time('2026-01-01T14:05:00'),
    allocated_by: VMM,
    bindings: [{ spid: 101, from_revision: '90081', from_time: time('2026-01-01T14:05:01'), bound_by: VMM }],
  },
  {
    token: '',
    set_id: '1204',
    generation: '70001',
    from_revision: '70001',
    from_time: time('2025-12-31T09:00:00'),
    to_revision: '80002',
    to_time: time('2026-01-01T13:00:00'),
    ended_by: 'LEASE',
    bindings: [],
  },
]

const owned = { ...setA, set_handle: SET_HANDLE }
const revision = '90100'

const answers: Readonly<Record<string, unknown>> = {
  CreateSet: { set: { ...owned, allocated: 0, free_pending: 0, bound: 0 }, revision },
  GetSet: { set: setA },
  ListSets: { sets: [setA, anonymous] },
  AdjustQuota: { set: owned, revision },
  DeleteSet: { set: { ...owned, bound: 0, allocated: 1, state: 'DRAINING' }, revision },
  Allocate: { ioasids: [4711, 1_048_575], revision },
  ForceDeleteSet: { set: { ...setA, allocated: 0, free_pending: 0, bound: 0, state: 'GONE' }, revision },
  Free: {
    results: [
      { ioasid: 4711, state: 'FREE_PENDING', references: '3' },
      { ioasid: 1_048_575, state: 'FREE', references: '0' },
    ],
    revision,
  },
  FreeAll: { reclaimed: 65_536, pending: 12, revision },
  GetIoasid: { info: { ...idA, state: 'FREE_PENDING', devices: [], private_data: Buffer.from([1, 255]), holders } },
  ListIoasids: { infos: [idA, idB] },
  FindBySpid: { info: { ...idA, references: '4' }, revision },
  AttachSpid: { revision },
  DetachSpid: { revision },
  AttachData: { revision },
  DetachData: { revision },
  Acquire: { references: '4', revision },
  Release: { references: '0', reclaimed: true, revision },
  GrantLease: { lease: { ...leaseA, lease_handle: LEASE_HANDLE, hold: undefined, references: '0', sets: 0 }, revision },
  KeepLeaseAlive: { lease: { ...leaseA, lease_handle: LEASE_HANDLE }, revision },
  GetLease: { lease: { ...leaseA, lease_handle: LEASE_HANDLE }, revision },
  ListLeases: { leases: [leaseA, leaseB] },
  RevokeLease: { revision },
  ForceRevokeLease: { revision },
  Acknowledge: { revision },
  GetHistory: { lives },
  Compact: { revision, compact_revision: '90000' },
  GetStatus: status,
  Check: { status: 'SERVING' },
}

export function answer(path: string): unknown {
  const method = path.split('/').at(-1) ?? ''
  const found = answers[method]
  if (found === undefined) throw new Error(`no answer to ${method}`)
  return found
}

const ended: Notification = { type: 'SET_FREE', revision: '90103', token: '', set_id: '1204' }

/** What a subscriber is told: an id is bound, freed out of turn, and another set ends. */
const told = [
  header(90_100),
  change(90_101, 90_100, [bind(90_101, 4711, 101)]),
  change(90_102, 90_101, [unbind(90_102, 4711, 101, 90_101, { overrun: true }), free(90_102, 4711)]),
  change(90_103, 90_102, [ended]),
]

const { engine: backedUp } = await run()
await createSet(backedUp, 'vm-a')
/** What a daemon with one set gives for a backup. */
export const backupBytes = await backupOf(backedUp)

/** What a stream of a method brings; undefined: it ends. */
export function toldBy(path: string): readonly (object | undefined)[] {
  if (!path.endsWith('/Backup')) return told
  return [{ data: backupBytes.subarray(0, 100) }, { data: backupBytes.subarray(100) }, undefined]
}
