import type { handleUnaryCall, UntypedServiceImplementation } from '@grpc/grpc-js'
import type { AdminServiceHandlers } from '../../proto/gen/ioasid/v1/AdminService.ts'
import { isFailure } from '../core/failure.ts'
import { asLeaseId, asSetId } from '../core/ids.ts'
import type { Engine } from '../engine/engine.ts'
import { type BackupOptions, createBackupHandler } from './backup.ts'
import { notForAdmins } from './caller.ts'
import { change } from './change.ts'
import { encodeSet } from './encode.ts'
import { encodeLife, weighLife } from './encode-history.ts'
import { uint64 } from './fields.ts'
import { decodePage, encodePage } from './paging.ts'
import { type Method, unary } from './unary.ts'

export interface AdminOptions extends BackupOptions {
  readonly engine: Engine
  readonly version: string
}

/** AdminService: contract section 4. */
export function createAdminService(options: AdminOptions): UntypedServiceImplementation {
  const { engine, log, version } = options
  const admin = <Request, Response extends object>(
    name: string,
    method: Method<Request, Response>,
  ): handleUnaryCall<Request, Response> =>
    unary(options, name, async (request, caller) => (caller.isAdmin ? method(request, caller) : notForAdmins(caller)))

  const handlers: Omit<AdminServiceHandlers, 'Backup'> = {
    GetStatus: admin('GetStatus', async () => {
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
        overruns: String(status.overruns),
      }
    }),

    GetHistory: admin('GetHistory', async (request) => {
      const { ioasid } = request
      const list = `history of ${ioasid}`
      const { limit, cursor } = decodePage(request, list, 3)
      const [reclaim = 0, unbind = 0, generation = 0] = cursor ?? []
      const from = cursor === undefined ? undefined : { reclaim, unbind, generation }
      const lives = await engine.history(ioasid, from, limit)
      if (isFailure(lives)) return lives
      const more = lives.at(-1)?.next !== undefined
      const { items, nextPageToken } = encodePage({ items: lives, more }, list, weighLife, ({ next }) =>
        next === undefined ? [] : [next.reclaim, next.unbind, next.generation],
      )
      return { lives: items.map(encodeLife), next_page_token: nextPageToken }
    }),

    Compact: admin('Compact', async (request, caller) => {
      const compacted = await engine.compact(uint64(request.revision))
      if (isFailure(compacted)) return compacted
      const { revision, compactRevision } = compacted
      log.info(
        { method: 'Compact', caller: caller.identity, revision, compactRevision },
        'an operator compacted the history',
      )
      return { revision: String(revision), compact_revision: String(compactRevision) }
    }),

    ForceDeleteSet: admin('ForceDeleteSet', async (request, caller) => {
      const setId = asSetId(uint64(request.set_id))
      const changed = await change(engine, { kind: 'force_delete_set', setId }, request, 'set', caller)
      if (isFailure(changed)) return changed
      const { answer, revision } = changed
      log.warn({ method: 'ForceDeleteSet', caller: caller.identity, setId, revision }, 'an operator deleted a set')
      return { set: encodeSet(answer.set, '', true), revision }
    }),

    ForceRevokeLease: admin('ForceRevokeLease', async (request, caller) => {
      const leaseId = asLeaseId(uint64(request.lease_id))
      const changed = await change(engine, { kind: 'force_revoke_lease', leaseId }, request, 'done', caller)
      if (isFailure(changed)) return changed
      const { revision } = changed
      log.warn({ method: 'ForceRevokeLease', caller: caller.identity, revision }, 'an operator revoked a lease')
      return { revision }
    }),
  }
  return { ...handlers, Backup: createBackupHandler(options) }
}
