import type { IoasidError } from './errors.ts'
import type { Priority } from './lease-types.ts'
import type { Filter, Interruption } from './subscription-types.ts'

/** The table of a consumer that has PASIDs in its hardware: what it is opened with, and what it tells. */

/**
 * One line of a PasidTable: in its set this guest PASID is this PASID of the host.
 *
 * @example
 * for (const { spid, ioasid }: PasidEntry of table.entries()) console.log(`${spid} -> ${ioasid}`)
 */
export interface PasidEntry {
  /** The set-private id (guest PASID). */
  readonly spid: number
  /** The id (host PASID). */
  readonly ioasid: number
  /** The set's token; empty for an anonymous set. */
  readonly token: string
  /** The set's public number. */
  readonly setId: bigint
  /** The revision at which the id was allocated: which life. */
  readonly generation: bigint
  /** The revision of its BIND: which binding. */
  readonly bindRevision: bigint
}

/**
 * What onBind is told.
 *
 * @example
 * const onBind = (spid: number, ioasid: number, { signal }: BindFacts) => program(spid, ioasid, { signal })
 */
export interface BindFacts extends PasidEntry {
  /** Aborted when the table ends: what takes long may give up. onUnbind is called for it then, as for any other. */
  readonly signal: AbortSignal
}

/**
 * What onUnbind is told.
 *
 * @example
 * const onUnbind = (spid: number, _ioasid: number, { why }: UnbindFacts) => console.log(`${spid} goes: ${why}`)
 */
export interface UnbindFacts extends PasidEntry {
  /**
   * 'unbound': the daemon has told of its UNBIND. 'missed': what told of it was no longer kept, and a snapshot shows that
   * the binding is gone; the SPID may be bound anew. 'lost': the lease is lost, and the id is protected no more. 'closed':
   * the table is closed.
   */
  readonly why: 'unbound' | 'missed' | 'lost' | 'closed'
  /**
   * The daemon has told of it out of turn, since the time was up: holders of an earlier priority may still use the id.
   * False where `why` is another than 'unbound', though nobody knows of their turn then.
   */
  readonly overrun: boolean
  /** The revision that has told of it; undefined: it is lost or closed. */
  readonly revision: bigint | undefined
}

/**
 * See Client.openPasidTable.
 *
 * @example
 * const options: OpenPasidTableOptions = { tokens: ['vm-a'], priority: 'CPU', onBind, onUnbind }
 */
export type OpenPasidTableOptions = Filter & {
  /** When it is told of teardowns. Default DEVICE. */
  readonly priority?: Priority | undefined
  /**
   * Puts the id into the hardware; an entry is found in the table when that is done. Handlers are called one after the
   * other, in the order of revisions: what one returns is awaited before the next. None may wait for `close`.
   */
  readonly onBind: (spid: number, ioasid: number, facts: BindFacts) => unknown
  /**
   * Takes the id out of the hardware, so that nothing there uses it any more; only then it is acknowledged. The entry is
   * not found from before it is called. It is also called where onBind has failed half-way, and may be called again where
   * it has failed itself.
   */
  readonly onUnbind: (spid: number, ioasid: number, facts: UnbindFacts) => unknown
  /**
   * Called when the open table ends with an error, and for each onUnbind that fails while it cleans up. What it throws is
   * an uncaught exception of the program. Without it an error that nobody awaits (PasidTable.closed) is an unhandled
   * rejection, which ends the program: it is never swallowed.
   */
  readonly onError?: ((error: IoasidError) => void) | undefined
  /** A name of its lease for people, at most 255 bytes: `ioasidctl get` shows who holds an id by it. Default ''. */
  readonly name?: string | undefined
  /**
   * How long its lease lasts from a renewal, in ms, at least 100; the daemon allows 500 to 86,400,000 by default. So long
   * the ids of a consumer that has died are kept from reuse. Default 10,000.
   */
  readonly ttlMs?: number | undefined
  /**
   * What becomes of its references when the lease ends by time. HOLD is for hardware that goes on using ids when this
   * process is gone: an operator has to revoke the lease. Default RELEASE.
   */
  readonly onExpiry?: 'RELEASE' | 'HOLD' | undefined
  /** As in SubscribeOptions. Default 5,000. */
  readonly heartbeatMs?: number | undefined
  /** Gives up the opening when it is aborted (CANCELLED), and once the table is open closes it. */
  readonly signal?: AbortSignal | undefined
  /** Called whenever the stream has ended and another one will be opened: for a log. */
  readonly onInterrupted?: ((interruption: Interruption) => void) | undefined
}

/**
 * Which of the sets of a table: by token, or by number.
 *
 * @example
 * const ofSet: TableSet = { token: 'vm-a' }
 */
export type TableSet =
  | { readonly token: string; readonly setId?: undefined }
  | { readonly setId: bigint; readonly token?: undefined }

/**
 * The table of guest to host PASIDs that a consumer with hardware keeps, as KVM does: each id in it is held, by a lease of
 * the table's own, from its BIND until onUnbind is through and acknowledged, so that nobody else gets the id while the
 * hardware may use it, whatever crashes.
 *
 * It survives restarts of the daemon, and loses no teardown: where the daemon no longer keeps what came between, it takes
 * a snapshot and compares it with what it has; what is gone or bound anew gets onUnbind first.
 *
 * It ends in one of three ways.
 * - `close`: onUnbind for every entry that is left, then the lease is revoked.
 * - A failure, while its lease lives (a handler has failed, or the daemon refuses to go on, as with NOT_PERMITTED after a
 *   change of its policy): it calls no more handlers and acknowledges nothing more, but keeps its lease, so that every id
 *   that it may have in hardware stays held, until `close`.
 * - Its lease is lost, so that nothing protects its ids: onUnbind for every entry at once. To go on open another table.
 *
 * @example
 * const vcpus = new Map<number, number>() // stands for the VM's PASID translation table
 * await using table = await client.openPasidTable({
 *   tokens: ['vm-a'], // need not exist yet
 *   priority: 'CPU',
 *   name: 'kvm vm-a',
 *   onBind: (spid, ioasid) => {
 *     vcpus.set(spid, ioasid)
 *   },
 *   onUnbind: async (spid) => {
 *     vcpus.delete(spid)
 *     await kickVcpus() // none submits with this PASID from here on: acknowledged when it resolves
 *   },
 *   signal: shutdown,
 * })
 * console.log(`${table.size} PASIDs at revision ${table.revision}`)
 * await table.closed
 */
export interface PasidTable {
  /**
   * The host PASID of a guest PASID; undefined: none, or its onBind is not through, or its onUnbind has begun. A table of
   * more than one name has to be told which set is meant (INVALID_FIELD).
   */
  readonly get: (spid: number, set?: TableSet) => number | undefined
  /** What `get` finds, of all sets. It may be left and the table changed meanwhile, as a Map. */
  readonly entries: () => IterableIterator<PasidEntry>
  /** How many entries that are. */
  readonly size: number
  /** Up to where every handler is through. */
  readonly revision: bigint
  /**
   * Resolves when `revision` has come there; for one that is of no interest to the table that may be a heartbeat later.
   * Rejects with what the table ends with before, CANCELLED if it is closed or the signal aborted.
   */
  readonly waitForRevision: (revision: bigint, options?: { readonly signal?: AbortSignal }) => Promise<void>
  /** The public number of its lease, which the daemon shows as the holder of its ids. */
  readonly leaseId: bigint
  /**
   * Resolves when the table was closed. Rejects when it has ended with an error: LEASE_NOT_FOUND or DEADLINE_EXCEEDED, its
   * lease is lost, and onUnbind was called for every entry; ABORTED without a reason, a handler has failed, and the cause
   * is what it threw; else what the daemon says.
   */
  readonly closed: Promise<void>
  /**
   * Ends it: waits for the handler that runs, calls onUnbind for every entry that is left, also one whose handler has
   * failed before, and revokes the lease, which lets go of all ids at once. Rejects when an onUnbind fails (the lease is
   * kept then), or the lease could not be revoked (it ends by time then); it may be called again. To be called before
   * the client is closed: what is left is cleaned up then too, but the lease cannot be revoked and ends by time.
   */
  readonly close: () => Promise<void>
  /** The same, for `await using table = await client.openPasidTable(...)`. */
  readonly [Symbol.asyncDispose]: () => Promise<void>
}
