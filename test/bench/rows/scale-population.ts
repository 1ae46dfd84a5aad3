import type { Client } from '../../../client/index.ts'
import type { Calls } from '../load/calls.ts'
import { createSets } from '../load/ioasidd-requests.ts'
import { concurrently } from './filling.ts'

export interface PopulationSize {
  readonly sets: number
  readonly idsOfSet: number
  /** Each is of the set of its number, which ends with it. */
  readonly leases: number
}

/** Who lives in the daemon: sets full of ids, each with a SPID, as VMMs make them. */
export interface Population {
  readonly setHandles: readonly string[]
  readonly leaseHandles: readonly string[]
  /** The id of SPID s of set n is at n * idsOfSet + s. */
  readonly ioasids: Uint32Array
}

/** Sets in one Batch. */
const BATCH = 1_000
const LEASE_TTL_MS = 600_000
const DEADLINE_MS = 60_000

export async function populate(
  client: Client,
  calls: Calls,
  { sets, idsOfSet, leases }: PopulationSize,
): Promise<Population> {
  const leaseHandles: string[] = []
  await concurrently(leases, async (number) => {
    const { lease } = await client.grantLease({ ttlMs: LEASE_TTL_MS })
    leaseHandles[number] = lease.leaseHandle
  })
  const requests = Array.from({ length: sets }, (_, number) => {
    const lease_handle = leaseHandles[number]
    return { token: tokenOf(number), quota: idsOfSet, ...(lease_handle !== undefined && { lease_handle }) }
  })
  const setHandles = await createSets(calls, requests)
  const ioasids = new Uint32Array(sets * idsOfSet)
  const spids = Array.from({ length: idsOfSet }, (_, spid) => spid)
  for (let first = 0; first < sets; first += BATCH) {
    const some = setHandles.slice(first, first + BATCH)
    const items = some.map((setHandle) => ({ kind: 'allocate', setHandle, spids }) as const)
    const results = await client.batch(items, { deadlineMs: DEADLINE_MS })
    for (const [index, result] of results.entries()) {
      if (result.kind !== 'allocate') throw new Error('an Allocate of a Batch was refused', { cause: result })
      ioasids.set(result.ioasids, (first + index) * idsOfSet)
    }
  }
  return { setHandles, leaseHandles, ioasids }
}

export function tokenOf(set: number): string {
  return `vm-${set}`
}
