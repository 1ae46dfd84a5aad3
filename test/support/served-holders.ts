import { settle } from './manual-clock.ts'
import { type ServeOptions, serve } from './rpc.ts'
import type { WireStream } from './wire.ts'

const TTL_MS = 10_000

/** Set 1 with the token `vm`, and the leases 1 to 3 of a CPU, an IOMMU and a DEVICE holder; all on the wire. */
export async function serveHolders(options: ServeOptions = {}) {
  const served = await serve({ ...options, limits: { teardownTimeoutMs: 5000, ...options.limits } })
  const grant = async (name: string, on_expiry = 'RELEASE', ttl_ms = TTL_MS) => {
    const granted = await served.lease('GrantLease', { ttl_ms, name, on_expiry })
    return (granted as { lease: { lease_handle: string } }).lease.lease_handle
  }
  const { set } = (await served.set('CreateSet', { token: 'vm' })) as { set: { set_handle: string } }
  const vm = set.set_handle
  const [kvm, iommu, nic] = [await grant('kvm', 'HOLD'), await grant('iommu'), await grant('nic')]
  const open = (request: object) => served.wire.open('ioasid.v1.NotificationService', 'Subscribe', request)
  return {
    ...served,
    grant,
    vm,
    kvm,
    iommu,
    nic,
    open,
    /** After everything up to now, if nothing else is said. */
    hold: (lease_handle: string, priority: string, from: object = { after_revision: '4' }) =>
      open({ tokens: ['vm'], hold: true, lease_handle, priority, heartbeat_ms: 60_000, ...from }),
    acknowledge: (lease_handle: string, revision: string, space_id = '') =>
      served.wire.call('ioasid.v1.NotificationService', 'Acknowledge', { lease_handle, revision, space_id }),
    bind: (spid: number) => served.ioasid('Allocate', { set_handle: vm, spids: [spid] }),
    free: (...ioasids: number[]) => served.ioasid('Free', { set_handle: vm, ioasids }),
    status: () => served.wire.call('ioasid.v1.AdminService', 'GetStatus', {}),
    advance: async (ms: number) => {
      served.clock.advance(ms)
      await settle(20)
    },
  }
}

interface Told {
  readonly kind: string
  readonly revision: string
  readonly prev_revision: string
  readonly subscription_id: string
  readonly space_id: string
  readonly notifications: readonly { readonly type: string; readonly ioasid?: number; readonly overrun: boolean }[]
}

/** The next message; throws when the stream has ended. */
export async function nextOf(stream: WireStream): Promise<Told> {
  const message = await stream.next()
  if (message === undefined) throw new Error(`the stream ended: ${(await stream.ended)?.message}`)
  return message as unknown as Told
}

/** Its kind, its revision, and what it tells: `NOTIFICATIONS 9 UNBIND 1! FREE 1!`. */
export async function lineFrom(stream: WireStream): Promise<string> {
  const { kind, revision, notifications } = await nextOf(stream)
  const told = notifications.map(
    ({ type, ioasid, overrun }) => `${type}${ioasid === undefined ? '' : ` ${ioasid}`}${overrun ? '!' : ''}`,
  )
  return [kind, revision, ...told].join(' ')
}
