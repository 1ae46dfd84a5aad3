import type { Message } from '../support/wire.ts'
import type { Target } from './target.ts'

/** Something to be hostile to: a set with ids, bindings, data and a lease that holds some of them. */
export interface World {
  readonly token: string
  readonly setHandle: string
  readonly setId: string
  readonly leaseHandle: string
  readonly leaseId: string
  readonly ioasids: readonly number[]
  readonly spaceId: string
}

const IDS = 24

export async function createWorld({ wire, status }: Target, token: string): Promise<World> {
  const { set } = (await wire.call('ioasid.v1.SetService', 'CreateSet', { token })) as { set: Message }
  const granted = await wire.call('ioasid.v1.LeaseService', 'GrantLease', { ttl_ms: '86400000', name: 'holder' })
  const { lease_handle, lease_id } = granted['lease'] as Message
  const { set_handle, set_id } = set
  const ioasid = (method: string, request: object) => wire.call('ioasid.v1.IoasidService', method, request)
  const spids = Array.from({ length: IDS / 2 }, (_, index) => index)
  const bound = await ioasid('Allocate', { set_handle, spids, private_data: Buffer.alloc(100, 7) })
  const idle = await ioasid('Allocate', { set_handle, count: IDS - spids.length })
  const ioasids = [...(bound['ioasids'] as number[]), ...(idle['ioasids'] as number[])]
  for (const id of ioasids.slice(0, 4)) await ioasid('Acquire', { token, ioasid: id, lease_handle })
  const { space_id } = await status()
  return {
    token,
    setHandle: String(set_handle),
    setId: String(set_id),
    leaseHandle: String(lease_handle),
    leaseId: String(lease_id),
    ioasids,
    spaceId: String(space_id),
  }
}
