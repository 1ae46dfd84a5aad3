import { asLeaseId, asSetId } from '../core/ids.ts'
import type { Base } from '../core/reindex.ts'
import type { Mark } from '../store/store.ts'

/**
 * The mark of a space that was restored from a backup, for as long as it lives. It is no entry, since a restore changes
 * nothing that was there, and not in a snapshot, which a later one would have to pass on.
 */
export const RESTORED_MARK = 'restored'

export interface Restored {
  /** Serving time of the restore: what is free then has been reclaimed no earlier, for all that is known. */
  readonly servingMs: number
  /** Sets and leases that come after it have larger numbers. */
  readonly lastSetId: number
  readonly lastLeaseId: number
}

export const NEVER_RESTORED: Restored = { servingMs: -Infinity, lastSetId: 0, lastLeaseId: 0 }

/**
 * Numbers that were given out between the backup and the restore are not known, and handles are computed from a number: a
 * tenant of then must not have the handle of somebody's set of now. So many at most were given out in between.
 */
const SKIPPED = 2 ** 32

/**
 * Nor those that an earlier restore of the same backup has led to. So a restore begins where no earlier one has come to: more
 * sets than these are not made in a millisecond. Until the year 2248 such numbers are exact.
 */
const NUMBERS_PER_MS = 1024

/** What a restore at this time leaves behind, of what the backup ended with. */
export function restoredMark({ servingMs, lastSetId, lastLeaseId }: Restored, wallMs: number): Mark {
  const beyond = (last: number) => Math.max(last + SKIPPED, Math.floor(wallMs) * NUMBERS_PER_MS)
  const restored = { servingMs, lastSetId: beyond(lastSetId), lastLeaseId: beyond(lastLeaseId) } satisfies Restored
  return { key: RESTORED_MARK, value: Buffer.from(JSON.stringify(restored)) }
}

export function readRestored({ value }: Mark): Restored {
  return JSON.parse(Buffer.from(value).toString()) as Restored
}

/** The base of a space that was restored, from which numbers go on. */
export function numberFrom(base: Base, { lastSetId, lastLeaseId }: Restored): Base {
  return {
    ...base,
    lastSetId: asSetId(Math.max(base.lastSetId, lastSetId)),
    lastLeaseId: asLeaseId(Math.max(base.lastLeaseId, lastLeaseId)),
  }
}
