import fc from 'fast-check'
import type { Command } from '../../server/core/command.ts'
import type { EndedBy } from '../../server/core/event.ts'
import { asIoasid, asLeaseId, asSetId } from '../../server/core/ids.ts'
import { command } from './engine.ts'

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
  if (what < 6) return command.createSet('', 0, set % 3 === 0 ? leaseId : null)
  if (what < 26) return { ...command.allocate(setId, many), max: IDS }
  if (what < 44) return command.attachSpid(setId, id, 10 + (set % 3), '')
  if (what < 54) return command.detachSpid(setId, id)
  if (what < 68) return { kind: 'acquire', set: { setId }, ioasid: asIoasid(id), leaseId }
  if (what < 82) return command.free(setId, [id])
  if (what < 91) return { kind: 'release', set: { setId }, ioasid: asIoasid(id), leaseId }
  if (what < 93) return command.deleteSet(setId)
  if (what < 95) return { kind: 'force_delete_set', setId }
  if (what < 97) return command.grantLease(600_000)
  return { kind: what < 98 ? 'revoke_lease' : 'force_revoke_lease', leaseId }
}
