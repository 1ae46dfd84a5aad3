import type { Caller, OwnLimits, Rights } from '../../server/core/caller.ts'
import { parsePolicy } from '../../server/policy-file.ts'

export const LIMITS: OwnLimits = { maxSets: 100, maxIds: 1_000_000, maxLeases: 100, maxSubscriptions: 100 }

/** What a policy says, written as operators write it, without the version. */
export function policyOf(grants: string, limits: OwnLimits = LIMITS): (identity: string) => Rights {
  const policy = parsePolicy(`version: 1\ngrants:\n${grants}`, limits)
  if ('problems' in policy) throw new Error(policy.problems.join(' '))
  return policy.rightsOf
}

/** Whoever it is that the policy speaks of. */
export function callerUnder(rightsOf: (identity: string) => Rights, identity: string): Caller {
  const rights = rightsOf(identity)
  return { identity, rights, isAdmin: rights.administer }
}
