import type { Entry } from '../core/event.ts'
import type { Revision } from '../core/ids.ts'
import { type MarkChange, StoreError } from './store.ts'

/** Asserts that entries go on from the last one: one out of order is a bug, and must not reach the log. */
export function mustFollow(entries: readonly Entry[], last: Revision): void {
  let due: number = last
  for (const { revision } of entries) {
    due += 1
    if (revision !== due) throw new Error(`entry ${revision} is appended where ${due} is due`)
  }
}

const MARK_KEY = /^[ -~]{1,64}$/
const MARK_BYTES = 1 << 20

/** Asserts the form of a mark: a key that two encodings could make one, or a value that a store cannot hold, is a bug. */
export function mustBeMark({ key, value }: MarkChange): void {
  if (!MARK_KEY.test(key)) throw new Error(`a mark has the key ${JSON.stringify(key)}`)
  if (value !== null && value.length > MARK_BYTES) throw new Error(`mark ${key} has ${value.length} bytes`)
}

/** Asserts that what is kept never rests on what is not. */
export function mustNotExceed(what: string, revision: number, limit: string, limitRevision: number): void {
  if (revision > limitRevision) throw new Error(`${what} at ${revision} is ahead of ${limit} at ${limitRevision}`)
}

export function wasCompacted(after: Revision, compactRevision: Revision): StoreError {
  return new StoreError('COMPACTED', `revision ${after} was compacted: the oldest cursor is ${compactRevision}`)
}
