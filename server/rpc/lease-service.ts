import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import type { LeaseServiceHandlers } from '../../proto/gen/ioasid/v1/LeaseService.ts'
import { known, ownLease, seesLease } from '../core/access.ts'
import type { Caller } from '../core/caller.ts'
import { isFailure } from '../core/failure.ts'
import { asLeaseId } from '../core/ids.ts'
import { getLease, listLeases } from '../core/query.ts'
import type { LeaseRecord } from '../core/state.ts'
import type { LeaseView } from '../core/view.ts'
import type { Engine } from '../engine/engine.ts'
import { answered, change } from './change.ts'
import { decodeGrantLease, decodeLease, type LeaseBounds } from './decode.ts'
import { encodeLease, weighLease } from './encode.ts'
import { decodePage, encodePage } from './paging.ts'
import { type Calls, unary } from './unary.ts'

/** LeaseService: contract section 4. */
export function createLeaseService(engine: Engine, calls: Calls, bounds: LeaseBounds): UntypedServiceImplementation {
  const remainingMs = ({ leaseId }: LeaseView) => engine.remainingMs(leaseId)
  const show = (lease: LeaseView, caller: Caller, leftMs: number, handle = '') =>
    encodeLease(lease, leftMs, handle, caller.isAdmin || lease.owner === caller.identity)
  const handlers: LeaseServiceHandlers = {
    GrantLease: unary(calls, 'GrantLease', async (request, caller) => {
      const changed = await change(engine, decodeGrantLease(bounds, request), request, 'lease', caller)
      if (isFailure(changed)) return changed
      const { lease } = changed.answer
      const granted = show(lease, caller, lease.ttlMs, engine.handles.ofLease(lease.leaseId))
      return { lease: granted, revision: changed.revision }
    }),

    KeepLeaseAlive: unary(calls, 'KeepLeaseAlive', async ({ lease_handle }, caller) => {
      const renewed = answered(await engine.renew(decodeLease(engine, lease_handle), caller), 'lease')
      if (isFailure(renewed)) return renewed
      const { lease } = renewed.answer
      return { lease: show(lease, caller, remainingMs(lease), lease_handle), revision: renewed.revision }
    }),

    RevokeLease: unary(calls, 'RevokeLease', async (request, caller) => {
      const leaseId = decodeLease(engine, request.lease_handle)
      const changed = await change(engine, { kind: 'revoke_lease', leaseId }, request, 'done', caller)
      return isFailure(changed) ? changed : { revision: changed.revision }
    }),

    GetLease: unary(calls, 'GetLease', async ({ lease_handle }, caller) => {
      const leaseId = decodeLease(engine, lease_handle)
      const lease = await engine.read((state) => ownLease(state, leaseId, caller) ?? getLease(state, leaseId))
      return isFailure(lease) ? lease : { lease: show(lease, caller, remainingMs(lease), lease_handle) }
    }),

    ListLeases: unary(calls, 'ListLeases', async (request, caller) => {
      const { limit, cursor } = decodePage(request, 'leases', 1)
      const after = asLeaseId(cursor?.[0] ?? 0)
      const isSeen = (lease: LeaseRecord) => seesLease(caller, lease)
      const page = await engine.read((state) => known(caller) ?? listLeases(state, after, limit, isSeen))
      if (isFailure(page)) return page
      const { items, nextPageToken } = encodePage(page, 'leases', weighLease, ({ leaseId }) => [leaseId])
      const leases = items.map((lease) => show(lease, caller, remainingMs(lease)))
      return { leases, next_page_token: nextPageToken }
    }),
  }
  return { ...handlers }
}
