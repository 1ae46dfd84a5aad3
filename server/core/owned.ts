import type { Caller } from './caller.ts'
import { type Failure, fail } from './failure.ts'

/** How many sets and leases each identity has: what its limits are compared with. Who is not known has no account. */
export interface OwnedCounts {
  readonly sets: Map<string, number>
  readonly leases: Map<string, number>
}

export function createOwned(): OwnedCounts {
  return { sets: new Map(), leases: new Map() }
}

export function addOwned(counts: Map<string, number>, owner: string, change: number): void {
  if (owner === '') return
  const count = (counts.get(owner) ?? 0) + change
  if (count === 0) counts.delete(owner)
  else counts.set(owner, count)
}

/** Whether an identity has as many of them as it may. `limit` undefined: there is no policy, and so no limit of its own. */
export function overOwn(
  { identity }: Caller,
  what: 'sets' | 'leases',
  limit: number | undefined,
  counts: ReadonlyMap<string, number>,
): Failure | undefined {
  if (limit === undefined || (counts.get(identity) ?? 0) < limit) return undefined
  return fail('TOO_MANY', `The caller has ${limit} ${what} already.`, { what: `own_${what}`, limit })
}
