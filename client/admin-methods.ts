import type { ForceDeleteSetRequest as WireForceDeleteSet } from '../proto/gen/ioasid/v1/ForceDeleteSetRequest.ts'
import type { ForceRevokeLeaseRequest as WireForceRevokeLease } from '../proto/gen/ioasid/v1/ForceRevokeLeaseRequest.ts'
import type { AdminApi, ForceDeleteSetRequest, ForceRevokeLeaseRequest } from './admin-api.ts'
import { piecesOfBackup } from './backup.ts'
import type { Call, CallContext } from './call.ts'
import { check, requestId, uint32, uint64 } from './check.ts'
import { toSet, toStatus } from './convert.ts'
import { eachLife } from './history.ts'
import { adminService, healthService } from './methods.ts'

export function adminMethods(context: CallContext, call: Call): AdminApi {
  return {
    getStatus: async (options) => toStatus(await call(adminService.GetStatus, {}, options)),

    checkHealth: async (options) => {
      const { status } = await call(healthService.Check, {}, options)
      return { isServing: status === 'SERVING' }
    },

    getHistory: (asked, options) => {
      const ioasid = uint32('ioasid', asked)
      return eachLife((page_token) => call(adminService.GetHistory, { ioasid, page_token }, options))
    },

    compact: async (wanted, options) => {
      const request = { revision: uint64('revision', wanted) }
      const { revision, compact_revision } = await call(adminService.Compact, request, options)
      return { revision: BigInt(revision), compactRevision: BigInt(compact_revision) }
    },

    backup: (options = {}) => piecesOfBackup(context, call, options),

    forceDeleteSet: async (request, options) => {
      const { set, revision } = await call(adminService.ForceDeleteSet, encodeForceDeleteSet(request), options)
      return { set: toSet(set), revision: BigInt(revision) }
    },

    forceRevokeLease: async (request, options) => {
      const { revision } = await call(adminService.ForceRevokeLease, encodeForceRevokeLease(request), options)
      return { revision: BigInt(revision) }
    },
  }
}

function encodeForceDeleteSet(request: ForceDeleteSetRequest): WireForceDeleteSet {
  check(request, ['setId', 'requestId'])
  return { set_id: uint64('set_id', request.setId), request_id: requestId(request.requestId) }
}

function encodeForceRevokeLease(request: ForceRevokeLeaseRequest): WireForceRevokeLease {
  check(request, ['leaseId', 'requestId'])
  return { lease_id: uint64('lease_id', request.leaseId), request_id: requestId(request.requestId) }
}
