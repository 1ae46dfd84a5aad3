import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import type { AdminServiceHandlers } from '../../proto/gen/ioasid/v1/AdminService.ts'
import { fail, isFailure } from '../core/failure.ts'
import type { Engine } from '../engine/engine.ts'
import type { Log } from './log.ts'
import { unary } from './unary.ts'

/** AdminService.GetStatus: contract section 4. Whether a listener serves administrators at all is its configuration. */
export function createAdminService(
  engine: Engine,
  log: Log,
  version: string,
  isAdmin: boolean,
): UntypedServiceImplementation {
  const GetStatus: AdminServiceHandlers['GetStatus'] = unary(log, 'GetStatus', async () => {
    if (!isAdmin) return fail('NOT_PERMITTED', 'This listener is not for administrators.')
    const status = await engine.status()
    if (isFailure(status)) return status
    return {
      version,
      space_id: status.spaceId,
      capacity: status.capacity,
      reserved: status.reserved,
      available: status.available,
      sets: status.sets,
      allocated: status.allocated,
      free_pending: status.freePending,
      resting: status.resting,
      leases: status.leases,
      subscriptions: status.subscriptions,
      revision: String(status.revision),
      compact_revision: String(status.compactRevision),
      request_window_ms: String(status.requestWindowMs),
      store: status.store,
      role: 'LEADER',
    }
  })
  return { GetStatus }
}
