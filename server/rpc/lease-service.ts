import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import type { LeaseServiceHandlers } from '../../proto/gen/ioasid/v1/LeaseService.ts'
import { isFailure } from '../core/failure.ts'
import { asLeaseId } from '../core/ids.ts'
import { getLease, listLeases } from '../core/query.ts'
import type { Engine } from '../engine/engine.ts'
import { answered, change } from './change.ts'
import { decodeGrantLease, decodeLease, type LeaseBounds } from './decode.ts'
import { encodeLease, weighLease } from './encode.ts'
import type { Log } from './log.ts'
import { decodePage, encodePage } from './paging.ts'
import { unary } from './unary.ts'

/** LeaseService: contract section 4. */
export function createLeaseService(engine: Engine, log: Log, bounds: LeaseBounds): UntypedServiceImplementation {
  const handlers: LeaseServiceHandlers = {
    GrantLease: unary(log, 'GrantLease', async (request) => {
      const changed = await change(engine, decodeGrantLease(bounds, request), request, 'lease')
      if (isFailure(changed)) return changed
      const { lease } = changed.answer
      const granted = encodeLease(lease, lease.ttlMs, engine.handles.ofLease(lease.leaseId))
      return { lease: granted, revision: changed.revision }
    }),

    KeepLeaseAlive: unary(log, 'KeepLeaseAlive', async ({ lease_handle }) => {
      const renewed = answered(await engine.renew(decodeLease(engine, lease_handle)), 'lease')
      if (isFailure(renewed)) return renewed
      const { lease } = renewed.answer
      return { lease: encodeLease(lease, engine.remainingMs(lease.leaseId), lease_handle), revision: renewed.revision }
    }),

    RevokeLease: unary(log, 'RevokeLease', async (request) => {
      const leaseId = decodeLease(engine, request.lease_handle)
      const changed = await change(engine, { kind: 'revoke_lease', leaseId }, request, 'done')
      return isFailure(changed) ? changed : { revision: changed.revision }
    }),

    GetLease: unary(log, 'GetLease', async ({ lease_handle }) => {
      const leaseId = decodeLease(engine, lease_handle)
      const lease = await engine.read((state) => getLease(state, leaseId))
      return isFailure(lease) ? lease : { lease: encodeLease(lease, engine.remainingMs(leaseId), lease_handle) }
    }),

    ListLeases: unary(log, 'ListLeases', async (request) => {
      const { limit, cursor } = decodePage(request, 'leases', 1)
      const page = await engine.read((state) => listLeases(state, asLeaseId(cursor?.[0] ?? 0), limit))
      if (isFailure(page)) return page
      const { items, nextPageToken } = encodePage(page, 'leases', weighLease, ({ leaseId }) => [leaseId])
      const leases = items.map((lease) => encodeLease(lease, engine.remainingMs(lease.leaseId)))
      return { leases, next_page_token: nextPageToken }
    }),
  }
  return { ...handlers }
}
