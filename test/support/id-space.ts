import { createIdSpace, type IdSpace, type Policy } from '../../server/core/id-space.ts'

/**
 * A space whose ids `reclaimRevisionOf` describes, one by one: the revision of the last reclaim, 0 if never used, undefined
 * if not available.
 */
export function idSpaceOf(
  policy: Policy,
  capacity: number,
  reclaimRevisionOf: (id: number) => number | undefined,
): IdSpace {
  return createIdSpace(policy, capacity, (give) => {
    for (let id = 0; id < capacity; id++) {
      const reclaimRevision = reclaimRevisionOf(id)
      if (reclaimRevision !== undefined) give(id, 1, reclaimRevision)
    }
  })
}
