import type { Entry } from '../core/event.ts'
import type { Revision } from '../core/ids.ts'
import type { Base } from '../core/reindex.ts'
import type { FrozenState } from '../core/state.ts'

/**
 * Where a history is kept. A store knows entries, marks and snapshots, and nothing of what they mean. test/store/suite.ts
 * is this contract as tests; a new driver passes it with three lines of its own.
 *
 * One writer: a store belongs to one process (the driver keeps others out), and its owner has one `append` under way at
 * a time. `tail`, `writeSnapshot` and `compact` may run beside it.
 */
export interface Store {
  readonly kind: 'memory' | 'lmdb'

  /**
   * Everything that a start needs. Called once, before anything else. An unfinished batch at the end of the log (a crash
   * while it was being written) is dropped: nobody was told of it. Throws StoreError where the data cannot be read whole.
   */
  load(): Promise<Loaded>

  /**
   * Adds entries, whose revisions go on from the last one, and writes marks: all or nothing, and on disk when the promise
   * resolves. A rejection ends the process's right to serve: what is on disk then is known only by loading again.
   * What is given is the store's: nobody changes an entry or a mark's bytes later.
   */
  append(batch: Batch): Promise<void>

  /**
   * The log after a cursor: durable entries with a revision above `after`, ascending, as many as fit into about `maxBytes`
   * but at least one; none when there are none yet. A reader goes on from the last revision that it got, which is how a
   * slow subscriber reads and how a follower would. Throws StoreError COMPACTED when `after` is below the compact revision.
   */
  tail(after: Revision, maxBytes: number): Promise<readonly Entry[]>

  /** The value of one mark as of the last durable batch; undefined when there is none. */
  readMark(key: string): Promise<Uint8Array | undefined>

  /**
   * The marks after a key (`''`: from the first one on), by key ascending, as of the last durable batch: as many as fit into
   * about `maxBytes`, but at least one; none when there are no more. A backup goes on from the last key that it got.
   */
  readMarks(after: string, maxBytes: number): Promise<readonly Mark[]>

  /**
   * Writes a snapshot piece by piece while others append, and then, in one step, makes it the one that a start begins
   * with; a crash before that leaves the earlier one in force. Its revision must be durable. The earlier one is removed.
   */
  writeSnapshot(state: FrozenState): Promise<void>

  /**
   * Drops entries at or below a revision, piece by piece; from the first piece on they can no longer be read. The newest
   * snapshot must not be older. A revision that is compacted already changes nothing.
   */
  compact(revision: Revision): Promise<void>

  size(): StoreSize

  /** Waits for what is under way and lets go of the files. */
  close(): Promise<void>
}

/** Names a new history. Randomness comes from the caller. */
export interface Genesis {
  /** The space id. */
  readonly spaceId: string
  /** The key that handles are computed with, 32 bytes. A secret. */
  readonly handleKey: Uint8Array
}

export interface Loaded extends Genesis {
  /** The newest snapshot; undefined when there is none. */
  readonly base: Base | undefined
  /** The entries after it, or all. Their revisions have no gaps. */
  readonly entries: AsyncIterable<Entry>
  /** Every mark, by key ascending. Like the entries read once, before the first append. */
  readonly marks: AsyncIterable<Mark>
  readonly compactRevision: Revision
}

export interface Batch {
  readonly entries: readonly Entry[]
  readonly marks: readonly MarkChange[]
}

/**
 * A small value that is overwritten or deleted rather than logged: the serving clock, an answer kept for its request_id.
 * Keys are ASCII, at most 64 bytes, ordered bytewise. Values are at most 1 MiB.
 */
export interface Mark {
  readonly key: string
  readonly value: Uint8Array
}

export type MarkChange = Mark | { readonly key: string; readonly value: null }

export interface StoreSize {
  /** Entries that the log holds. */
  readonly entries: number
  /** Their bytes, as encoded. */
  readonly logBytes: number
  /** Entries later than the newest snapshot: what a start must replay. */
  readonly sinceSnapshot: number
}

/** What a backup is made of, in this order (backup-file.ts writes it). */
export type BackupItem =
  | (Genesis & {
      readonly kind: 'header'
      readonly capacity: number
      /** Everything at or below it is in the backup, and nothing above. */
      readonly revision: Revision
      readonly wallMs: number
    })
  | { readonly kind: 'state'; readonly state: FrozenState }
  /** The entries that follow come right after this revision; of the log nothing before counts, it was compacted meanwhile. */
  | { readonly kind: 'begin'; readonly compactRevision: Revision }
  | { readonly kind: 'entries'; readonly entries: readonly Entry[] }
  | { readonly kind: 'marks'; readonly marks: readonly Mark[] }

/** Why a store cannot serve. The message is one sentence for an operator and says what to do. */
export type StoreProblem =
  /** Another process has the directory; the message says which. */
  | 'LOCKED'
  /** Written by a newer release. */
  | 'NEWER_FORMAT'
  /** What is there is not what was written. */
  | 'DAMAGED'
  /** The disk is full. */
  | 'FULL'
  /** Any other failing read or write. */
  | 'IO'
  /** The entries asked for were dropped by a compaction. */
  | 'COMPACTED'

export class StoreError extends Error {
  readonly problem: StoreProblem

  constructor(problem: StoreProblem, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StoreError'
    this.problem = problem
  }
}
