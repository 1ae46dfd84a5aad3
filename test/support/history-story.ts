import fc from 'fast-check'
import type { Command } from '../../server/core/command.ts'
import type { EndedBy } from '../../server/core/event.ts'
import { asIoasid, asLeaseId, asSetId, asSpid } from '../../server/core/ids.ts'

/** Lives of a few ids that several sets and leases share, and whoever ends them. */

export const IDS = 6

/** Who frees with a command, told apart from the daemon's own way of telling. */
export const FREED_BY: Partial<Record<Command['kind'], EndedBy>> = {
  revoke_lease: 'LEASE',
  force_revoke_lease: 'OPERATOR',
  force_delete_set: 'OPERATOR',
}

export interface Step {
  readonly what: number
  readonly set: number
  readonly id: number
  readonly many: number
}

export const STEP: fc.Arbitrary<Step> = fc.record({
  what: fc.nat(99),
  set: fc.nat(3),
  id: fc.integer({ min: 1, max: IDS }),
  many: fc.integer({ min: 1, max: 3 }),
})

/** Most of it is refused: what counts is what is not. */
export function commandOf({ what, set, id, many }: Step): Command {
  const setId = asSetId(set + 1)
  const leaseId = asLeaseId((set % 2) + 1)
  const ioasid = asIoasid(id)
  const wanted = { count: many, min: 0, max: IDS, spids: null, privateData: null }
  if (what < 6) return { kind: 'create_set', token: '', quota: 0, leaseId: set % 3 === 0 ? leaseId : null }
  if (what < 26) return { kind: 'allocate', setId, ...wanted }
  if (what < 44) return { kind: 'attach_spid', setId, ioasid, spid: asSpid(10 + (set % 3)), device: '' }
  if (what < 54) return { kind: 'detach_spid', setId, ioasid, device: '' }
  if (what < 68) return { kind: 'acquire', set: { setId }, ioasid, leaseId }
  if (what < 82) return { kind: 'free', setId, ioasids: [ioasid], generation: null }
  if (what < 91) return { kind: 'release', set: { setId }, ioasid, leaseId }
  if (what < 93) return { kind: 'delete_set', setId, force: true }
  if (what < 95) return { kind: 'force_delete_set', setId }
  if (what < 97) return { kind: 'grant_lease', terms: { name: '', ttlMs: 600_000, onExpiry: 'RELEASE' } }
  return { kind: what < 98 ? 'revoke_lease' : 'force_revoke_lease', leaseId }
}
