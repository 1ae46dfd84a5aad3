import type { Client } from '../../../client/index.ts'

/** So many calls at once: enough to keep the daemon busy. */
const CALLERS = 32

export interface Filling {
  readonly sets: number
  readonly idsOfSet: number
  /** The most ids that one Allocate asks for, up to 65,536. */
  readonly idsAtOnce: number
}

/** Sets full of ids, each with a SPID, through the API as a VMM would make them. Their handles. */
export async function fill(client: Client, { sets, idsOfSet, idsAtOnce }: Filling): Promise<readonly string[]> {
  const handles: string[] = []
  await concurrently(sets, async (number) => {
    const { set } = await client.createSet({ token: `bench-${number}` })
    handles.push(set.setHandle)
    await fillSet(client, set.setHandle, idsOfSet, idsAtOnce)
  })
  return handles
}

export async function fillSet(client: Client, setHandle: string, ids: number, idsAtOnce: number): Promise<void> {
  for (let first = 0; first < ids; first += idsAtOnce) {
    const spids = Array.from({ length: Math.min(idsAtOnce, ids - first) }, (_, index) => first + index)
    await client.allocate({ setHandle, spids }, { deadlineMs: 60_000 })
  }
}

/** Calls 0 … count-1, a few at a time. */
export async function concurrently(count: number, call: (number: number) => Promise<void>): Promise<void> {
  let next = 0
  const caller = async () => {
    while (next < count) await call(next++)
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
}
