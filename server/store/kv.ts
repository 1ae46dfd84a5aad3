/**
 * An ordered map of bytes with transactions, which is all that kv-store.ts needs of a database. One process writes, and it
 * has one write under way at a time.
 */
export interface Kv {
  /** Where the data are, for messages. */
  readonly name: string

  get(table: Table, key: Uint8Array): Uint8Array | undefined

  /** Keys ascending bytewise, from `from` up to but without `to`, as of the latest write. Read it to its end at once. */
  range(table: Table, from: Uint8Array, to: Uint8Array): Iterable<Pair>

  /** The same without values, which costs no more than the keys. */
  keys(table: Table, from: Uint8Array, to: Uint8Array): Iterable<Uint8Array>

  /** The largest key, or the largest one up to a given one; undefined where there is none. */
  lastKey(table: Table, upTo?: Uint8Array): Uint8Array | undefined

  /** Does all changes or none, off this thread; on disk when it resolves. Rejects with StoreError IO or FULL. */
  write(changes: readonly Change[]): Promise<void>

  /** The same on this thread: quicker where the disk is, and everything else stands still meanwhile. Throws. */
  writeNow(changes: readonly Change[]): void

  close(): Promise<void>
}

export const TABLES = ['meta', 'log', 'marks', 'snapshots'] as const
export type Table = (typeof TABLES)[number]

export interface Pair {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** A value of null deletes. */
export interface Change {
  readonly table: Table
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}
