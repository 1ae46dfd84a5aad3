import { serviceDefinition } from '../../proto/load.ts'
import type { ServiceName } from '../../proto/names.ts'
import type { World } from './world.ts'

/** Every RPC that the daemon serves, and what a good client would send to it. */
export interface RpcMethod {
  readonly service: ServiceName
  readonly name: string
  readonly path: string
  readonly responseStream: boolean
  readonly fields: readonly Field[]
  serialize(request: object): Buffer
}

/** As a FieldDescriptorProto says it. */
export interface Field {
  readonly number: number
  readonly name: string
  readonly type: string
  readonly label: string
}

const SERVICES: readonly ServiceName[] = [
  'ioasid.v1.SetService',
  'ioasid.v1.IoasidService',
  'ioasid.v1.LeaseService',
  'ioasid.v1.NotificationService',
  'ioasid.v1.AdminService',
  'grpc.health.v1.Health',
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
]

interface Loaded {
  readonly path: string
  readonly responseStream: boolean
  readonly requestSerialize: (request: object) => Buffer
  readonly requestType: { readonly type: { readonly field: readonly Field[] } }
}

export const METHODS: readonly RpcMethod[] = SERVICES.flatMap((service) => {
  const definition = serviceDefinition(service) as unknown as Readonly<Record<string, Loaded>>
  return Object.entries(definition).map(([name, { path, responseStream, requestSerialize, requestType }]) => ({
    service,
    name,
    path,
    responseStream,
    fields: requestType.type.field,
    serialize: requestSerialize,
  }))
})

/** Whether the daemon's own code reads the message. Health and reflection are read by grpc-js. */
export function isOurs({ service }: RpcMethod): boolean {
  return service.startsWith('ioasid.v1.')
}

/** A request that would do something, for each RPC; one that is not named here is sent empty. */
export function requestsOf(world: World, any: { below(limit: number): number }): Readonly<Record<string, object>> {
  const { token, setHandle: set_handle, leaseHandle: lease_handle, leaseId, setId } = world
  const ioasid = world.ioasids[any.below(world.ioasids.length)] ?? 1
  const spid = any.below(64)
  const request_id = `r-${any.below(2 ** 30)}`
  const private_data = Buffer.alloc(16, 3)
  const set_ref = any.below(2) === 0 ? { set_handle } : { token }
  const allocate = { set_handle, count: 1 + any.below(3), private_data, request_id }
  const free = { set_handle, ioasids: [ioasid], request_id }
  const attach = { set_handle, ioasid, spid, device: '0000:00:02.0', request_id }
  const acquire = { ...set_ref, ioasid, lease_handle, request_id }
  return {
    CreateSet: { token: `${token}-${any.below(2 ** 30)}`, quota: 0, request_id },
    GetSet: set_ref,
    ListSets: { token_prefix: 'v', page_size: 5 },
    AdjustQuota: { set_handle, quota: any.below(1000), request_id },
    DeleteSet: { set_handle, request_id },
    Allocate: allocate,
    Free: free,
    FreeAll: { set_handle: 'set-guess', request_id },
    GetIoasid: { ioasid, set_handle },
    FindBySpid: { ...set_ref, spid, acquire_for_lease: lease_handle, request_id },
    ListIoasids: { ...set_ref, page_size: 7 },
    AttachSpid: attach,
    DetachSpid: { set_handle, ioasid, device: '0000:00:02.0', request_id },
    AttachData: { set_handle, ioasid, private_data, request_id },
    DetachData: { set_handle, ioasid, request_id },
    Acquire: acquire,
    Release: acquire,
    Batch: { items: [{ allocate }, { free }, { attach_spid: attach }, { acquire }] },
    GrantLease: { ttl_ms: '86400000', name: 'fuzz', on_expiry: 'HOLD', request_id },
    KeepLeaseAlive: { lease_handle },
    RevokeLease: { lease_handle: 'lease-guess', request_id },
    GetLease: { lease_handle },
    ListLeases: { page_size: 3 },
    Subscribe: {
      tokens: [token],
      snapshot: true,
      types: ['ALLOC', 'BIND'],
      space_id: world.spaceId,
      heartbeat_ms: 500,
    },
    Acknowledge: { lease_handle, revision: '1' },
    GetHistory: { ioasid, page_size: 2 },
    Compact: { revision: '1' },
    ForceDeleteSet: { set_id: `${setId}0`, request_id },
    ForceRevokeLease: { lease_id: `${leaseId}0`, request_id },
    Check: { service: 'ioasid.v1.SetService' },
    Watch: { service: '' },
    ServerReflectionInfo: { host: 'h', file_containing_symbol: 'ioasid.v1.Set' },
  }
}
