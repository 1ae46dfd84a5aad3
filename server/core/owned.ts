import type { Caller } from './caller.ts'
import { type Failure, fail } from './failure.ts'
import type { IdList } from './id-list.ts'

/** How much each identity has: what its limits are compared with. Who is not known has no account. */
export interface OwnedCounts {
  readonly sets: Map<string, number>
  readonly leases: Map<string, number>
  /** What its sets claim of the space. */
  readonly ids: Map<string, number>
}

export function createOwned(): OwnedCounts {
  return { sets: new Map(), leases: new Map(), ids: new Map() }
}

/** How much of the space nobody else can have for a set: its quota, or without one what it has. */
export function claimOf({ quota, ids }: { readonly quota: number; readonly ids: IdList }): number {
  return quota > 0 ? quota : ids.count
}

export function addOwned(counts: Map<string, number>, owner: string, change: number): void {
  if (owner === '' || change === 0) return
  const count = (counts.get(owner) ?? 0) + change
  if (count === 0) counts.delete(owner)
  else counts.set(owner, count)
}

/** Whether so many more would be too many for the identity that they count for. Without a policy there is no such limit. */
export function overOwn(
  { owned }: { readonly owned: OwnedCounts },
  { rights }: Caller,
  owner: string,
  what: keyof OwnedCounts,
  more: number,
): Failure | undefined {
  if (rights === undefined || owner === '' || more <= 0) return undefined
  const limit = { sets: rights.limits.maxSets, leases: rights.limits.maxLeases, ids: rights.limits.maxIds }[what]
  if ((owned[what].get(owner) ?? 0) + more <= limit) return undefined
  return fail('TOO_MANY', `One identity may have ${limit} ${what}.`, { what: `own_${what}`, limit })
}
