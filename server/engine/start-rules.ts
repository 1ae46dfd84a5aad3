import { type Failure, fail } from '../core/failure.ts'
import type { Revision } from '../core/ids.ts'

/** Contract section 4, the checks of a cursor, to begin at or to acknowledge. They come last of all. */

export interface History {
  readonly spaceId: string
  readonly revision: Revision
  readonly compactRevision: Revision
}

export function checkSpaceId(history: Pick<History, 'spaceId'>, spaceId: string): Failure | undefined {
  if (spaceId === '' || spaceId === history.spaceId) return undefined
  const message = 'This is another history of the space than the one that the cursor is of. Start from a snapshot.'
  return fail('HISTORY_CHANGED', message, { space_id: history.spaceId })
}

export function checkCursor({ revision, compactRevision }: History, after: number): Failure | undefined {
  if (after > revision) return futureRevision(revision, after)
  return after < compactRevision ? compacted(compactRevision) : undefined
}

export function futureRevision(revision: Revision, requested: number): Failure {
  return fail('FUTURE_REVISION', `The newest revision is ${revision}.`, { revision, requested })
}

export function compacted(compactRevision: Revision): Failure {
  const message = `The oldest cursor that works is ${compactRevision}. Start from a snapshot, or from there.`
  return fail('COMPACTED', message, { compact_revision: compactRevision })
}
