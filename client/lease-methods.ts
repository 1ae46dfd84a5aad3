import type { AcquireResponse__Output } from '../proto/gen/ioasid/v1/AcquireResponse.ts'
import type { ReleaseResponse__Output } from '../proto/gen/ioasid/v1/ReleaseResponse.ts'
import type { Acquired, Released } from './answers.ts'
import type { Call } from './call.ts'
import { toLease } from './convert.ts'
import { encodeReference } from './encode.ts'
import {
  encodeAcknowledge,
  encodeGrantLease,
  encodeLease,
  encodeListLeases,
  encodeRevokeLease,
} from './encode-lease.ts'
import type { LeaseApi } from './lease-api.ts'
import { ioasidService, leaseService, notificationService } from './methods.ts'
import { pages } from './pages.ts'

type ReferenceMethods = Pick<LeaseApi, 'acquire' | 'release' | 'acknowledge'>
type LeaseMethods = Pick<LeaseApi, 'grantLease' | 'keepLeaseAlive' | 'revokeLease' | 'getLease' | 'listLeases'>

export function referenceMethods(call: Call): ReferenceMethods {
  return {
    acquire: async (request, options) =>
      toAcquired(await call(ioasidService.Acquire, encodeReference(request), options)),

    release: async (request, options) =>
      toReleased(await call(ioasidService.Release, encodeReference(request), options)),

    acknowledge: async (request, options) => {
      const { revision } = await call(notificationService.Acknowledge, encodeAcknowledge(request), options)
      return { revision: BigInt(revision) }
    },
  }
}

export function leaseMethods(call: Call): LeaseMethods {
  return {
    grantLease: async (request, options) => {
      const answer = await call(leaseService.GrantLease, encodeGrantLease(request), options)
      return { lease: toLease(answer.lease), revision: BigInt(answer.revision) }
    },

    keepLeaseAlive: async (request, options) => {
      const answer = await call(leaseService.KeepLeaseAlive, encodeLease(request), options)
      return { lease: toLease(answer.lease), revision: BigInt(answer.revision) }
    },

    revokeLease: async (request, options) => {
      const { revision } = await call(leaseService.RevokeLease, encodeRevokeLease(request), options)
      return { revision: BigInt(revision) }
    },

    getLease: async (request, options) => {
      const { lease } = await call(leaseService.GetLease, encodeLease(request), options)
      return toLease(lease)
    },

    listLeases: (request = {}, options) => {
      const first = encodeListLeases(request)
      return pages(async (page_token) => {
        const answer = await call(leaseService.ListLeases, { ...first, page_token }, options)
        return { items: answer.leases.map(toLease), nextPageToken: answer.next_page_token }
      })
    },
  }
}

export const toAcquired = ({ references, revision }: AcquireResponse__Output): Acquired => ({
  references: Number(references),
  revision: BigInt(revision),
})

export const toReleased = ({ reclaimed, ...rest }: ReleaseResponse__Output): Released => ({
  ...toAcquired(rest),
  reclaimed,
})
