import { type Attempt, batch } from './attempt.ts'
import { to } from './peer.ts'
import type { World } from './world.ts'

/** Attempts to be given an answer of the victim's by the request_id that he has used, and to use what only operators may. */

/** The victim's requests that are there for a method, the last of them: word for word what he sent. */
function saidLast({ victims }: World, method: string): object {
  const found = victims.said.findLast(([name]) => name === method)
  if (found === undefined) throw new Error(`the victim never called ${method}`)
  return found[1]
}

const REPEATED: readonly (readonly [method: string, reason: string])[] = [
  ['CreateSet', 'NOT_PERMITTED'],
  ['AdjustQuota', 'NOT_PERMITTED'],
  ['Allocate', 'NOT_PERMITTED'],
  ['Free', 'NOT_PERMITTED'],
  ['FreeAll', 'NOT_PERMITTED'],
  ['AttachSpid', 'NOT_PERMITTED'],
  ['DetachSpid', 'NOT_PERMITTED'],
  ['AttachData', 'NOT_PERMITTED'],
  ['DetachData', 'NOT_PERMITTED'],
  ['Acquire', 'NOT_PERMITTED'],
  ['Release', 'NOT_PERMITTED'],
  ['FindBySpid', 'NOT_PERMITTED'],
  ['RevokeLease', 'LEASE_NOT_FOUND'],
]

const ITEMS: Readonly<Record<string, string>> = {
  Allocate: 'allocate',
  Free: 'free',
  AttachSpid: 'attach_spid',
  DetachSpid: 'detach_spid',
  AttachData: 'attach_data',
  DetachData: 'detach_data',
  Acquire: 'acquire',
  Release: 'release',
}

const repeated: readonly Attempt[] = REPEATED.map(([method, reason]) => ({
  name: `sends the victim’s ${method} again, with its request_id`,
  reason,
  sent: (world: World) => to(method, saidLast(world, method)),
  twin: (world: World) => to(method, { ...saidLast(world, method), request_id: crypto.randomUUID() }),
}))

const inBatch: readonly Attempt[] = Object.entries(ITEMS).map(([method, item]) => ({
  name: `sends the victim’s ${method} again, with its request_id, in a Batch`,
  reason: 'NOT_PERMITTED',
  inBatch: true,
  sent: (world: World) => batch(world, { [item]: saidLast(world, method) }),
  twin: (world: World) => batch(world, { [item]: { ...saidLast(world, method), request_id: crypto.randomUUID() } }),
}))

const ADMIN: readonly (readonly [method: string, request: (world: World) => object, twin?: object])[] = [
  ['GetStatus', () => ({})],
  ['Backup', () => ({})],
  ['GetHistory', ({ victims }) => ({ ioasid: victims.bound }), { ioasid: 100_000 }],
  ['Compact', () => ({ revision: '1' }), { revision: '1000000' }],
  ['ForceDeleteSet', ({ victims }) => ({ set_id: victims.set.set_id }), { set_id: '1000000' }],
  ['ForceRevokeLease', ({ victims }) => ({ lease_id: victims.lease.lease_id }), { lease_id: '1000000' }],
]

const administering: readonly Attempt[] = (['a', 'vmm', 'stranger', 'unix', 'operatorElsewhere'] as const).flatMap(
  (who) =>
    ADMIN.map(([method, request, twin]) => ({
      name: `calls ${method} as ${who === 'operatorElsewhere' ? 'the operator where no operators are served' : who}`,
      reason: 'NOT_PERMITTED',
      who,
      sent: (world: World) => to(method, request(world)),
      ...(twin === undefined ? {} : { twin: () => to(method, twin) }),
    })),
)

const others: readonly Attempt[] = [
  {
    name: 'calls ForceDeleteSet for a set of his own',
    reason: 'NOT_PERMITTED',
    sent: ({ own }) => to('ForceDeleteSet', { set_id: own.set.set_id }),
  },
  {
    name: 'turns to a page of an id’s history that he forged',
    reason: 'NOT_PERMITTED',
    sent: ({ victims: { bound } }) => {
      const page_token = Buffer.from(JSON.stringify([`history of ${bound}`, 0, 0, 0])).toString('base64url')
      return to('GetHistory', { ioasid: bound, page_token })
    },
    twin: ({ victims: { bound } }) => to('GetHistory', { ioasid: bound, page_token: 'x' }),
  },
]

/** Whoever compares paths in another way than gRPC might find a method, or a guard, that another one does not. */
const paths: readonly Attempt[] = [
  '/ioasid.v1.AdminService/getstatus',
  '/IOASID.V1.AdminService/GetStatus',
  '/ioasid.v1.AdminService/GetStatus/',
  '//ioasid.v1.AdminService/GetStatus',
  '/ioasid.v1.AdminService/GetStatus?x',
  '/ioasid.v1.AdminService/Get%53tatus',
  '/ioasid.v1.SetService/GetStatus',
  '/ioasid.v1.SetService/../ioasid.v1.AdminService/GetStatus',
].map((path) => ({
  name: `calls ${path}`,
  reason: 'UNIMPLEMENTED',
  sent: () => ({ ...to('GetStatus', {}), path }),
}))

export const byRequest: readonly Attempt[] = [...repeated, ...inBatch, ...administering, ...others, ...paths]
