import type { IoasidError } from './errors.ts'
import type { Priority } from './lease-types.ts'
import type { IoasidNotification, NotificationType } from './types.ts'

/**
 * A place in the daemon's history: everything up to it was told.
 *
 * @example
 * const { revision, spaceId } = subscription.cursor ?? { revision: 0n, spaceId: '' }
 * const later = client.subscribe({ all: true, start: { afterRevision: revision }, spaceId })
 */
export interface Cursor {
  /** The revision. */
  readonly revision: bigint
  /** The history that the revision belongs to. */
  readonly spaceId: string
}

/** What a subscription is of: sets by name, or every set. At most 1,024 names in all, at least one. */
export type Filter =
  | {
      /** Sets by token, 1 to 255 bytes, whether they exist yet or not. */
      readonly tokens?: readonly string[] | undefined
      /** Sets by handle, the only way to anonymous ones. Falls silent with its set. */
      readonly setHandles?: readonly string[] | undefined
      readonly all?: false | undefined
    }
  | {
      /** Every set. */
      readonly all: true
      readonly tokens?: undefined
      readonly setHandles?: undefined
    }

/**
 * How a subscription holds: each id that its filter matches has one reference of the lease, from BIND on until its
 * teardown is acknowledged.
 *
 * @example
 * const hold: HoldOptions = { leaseHandle: lease.handle, priority: 'CPU' }
 */
export interface HoldOptions {
  /** The lease that holds, ALIVE. A lease has one hold: with another filter or priority it is HOLD_DIFFERS. */
  readonly leaseHandle: string
  /** When it is told of teardowns. Default DEVICE. */
  readonly priority?: Priority | undefined
}

/**
 * See Client.subscribe.
 *
 * @example
 * const options: SubscribeOptions = { tokens: ['vm-a'], types: ['BIND', 'UNBIND'], start: 'snapshot' }
 */
export type SubscribeOptions = Filter & {
  /** The types of events wanted; with `hold` BIND, UNBIND and FREE are among them. Default: every type. */
  readonly types?: readonly NotificationType[] | undefined
  /**
   * Where it begins. 'now': after the revision that is current when the iteration begins. 'snapshot': with the present
   * state, then what comes after it. afterRevision: with everything later than a cursor (0n: everything that is kept).
   * With `hold` not 'now', which would skip teardowns.
   */
  readonly start: 'now' | 'snapshot' | { readonly afterRevision: bigint }
  /** The history that afterRevision belongs to; another than the daemon's is HISTORY_CHANGED. Default: not checked. */
  readonly spaceId?: string | undefined
  /**
   * Hold what is bound until its teardown is acknowledged (Client.acknowledge). The stream renews no lease: openLease
   * does. When the lease ends it ends with LEASE_NOT_FOUND, when another one takes up the same hold with SUPERSEDED.
   * Default: only watch.
   */
  readonly hold?: HoldOptions | undefined
  /**
   * How often the daemon gives a sign of life, in ms, 100 to 60,000. A stream that is silent for three of them and a
   * second is taken for dead and opened again. Default 5,000.
   */
  readonly heartbeatMs?: number | undefined
  /**
   * What happens when the daemon no longer keeps what comes after the cursor, or has another history (COMPACTED,
   * HISTORY_CHANGED, FUTURE_REVISION). 'fail': the iteration throws that error. 'snapshot': it goes on with a snapshot,
   * which begins with a snapshotBegin. Default 'fail'.
   */
  readonly onLost?: 'fail' | 'snapshot' | undefined
  /** Also yield 'progress' items. Default false. */
  readonly progress?: boolean | undefined
  /**
   * How long to wait for a daemon before the subscription has begun, in ms, 1 to 86,400,000; then the iteration throws
   * the last error. One that has begun is resumed for as long as it takes. Default: as long as it takes.
   */
  readonly connectTimeoutMs?: number | undefined
  /** Ends the iteration, without an error, when it is aborted. */
  readonly signal?: AbortSignal | undefined
  /** Called whenever a stream has ended and another one will be opened: for a log. */
  readonly onInterrupted?: ((interruption: Interruption) => void) | undefined
}

/**
 * A stream of a subscription has ended, and another one follows.
 *
 * @example
 * const onInterrupted = ({ why, delayMs }: Interruption) => console.error(`${why}; again in ${delayMs} ms`)
 */
export interface Interruption {
  /** What ended it, a sentence for people. */
  readonly why: string
  /** The error that ended it; undefined: it ended without one, fell silent, or left a gap. */
  readonly error: IoasidError | undefined
  /** When the next stream is opened, in ms from now. */
  readonly delayMs: number
  /** Where it will go on; undefined: with a snapshot, or 'now' (it had not begun). */
  readonly cursor: Cursor | undefined
}

/**
 * What a subscription yields, told apart by `kind`. A consumer of changes alone looks at 'revision'; one that keeps a
 * table clears it at 'snapshotBegin', fills it from 'snapshot', and may rely on it from 'snapshotEnd' on.
 *
 * @example
 * if (item.kind === 'revision') for (const event of item.notifications) console.log(event.type)
 */
export type SubscriptionItem =
  | {
      /** A snapshot begins; what an earlier one that was cut off has told is void. */
      readonly kind: 'snapshotBegin'
      /** The snapshot's revision; no cursor before snapshotEnd. */
      readonly revision: bigint
      /** The history of the daemon. */
      readonly spaceId: string
    }
  | {
      /** A part of the snapshot. */
      readonly kind: 'snapshot'
      /** The snapshot's revision. */
      readonly revision: bigint
      /** Sets as SET_ALLOC, ids as ALLOC, bound ones as BIND, pending ones as FREE; `snapshot` is true. */
      readonly notifications: readonly IoasidNotification[]
    }
  | {
      /** The snapshot is complete. */
      readonly kind: 'snapshotEnd'
      /** A cursor now. */
      readonly revision: bigint
    }
  | {
      /** A change: everything of one revision that matches, never a part of it. */
      readonly kind: 'revision'
      /** A cursor. */
      readonly revision: bigint
      /** At least one, in order: SET_ALLOC first, SET_FREE last, per id UNBIND, FREE, RECLAIM, and ALLOC, BIND. */
      readonly notifications: readonly IoasidNotification[]
    }
  | {
      /** Nothing else matched up to a revision. Only with the option `progress`; the first one says that it has begun. */
      readonly kind: 'progress'
      /** A cursor. */
      readonly revision: bigint
    }

/**
 * A running subscription: an iterable to be read once. It opens its stream when it is first read, and opens it again by
 * itself after the cursor whenever it breaks, with growing waits. It ends when it is left (break, return, throw), when
 * its signal is aborted or the client closed; and it throws IoasidError where resuming cannot help (see `onLost`). While
 * the reader is busy nothing is read ahead but a few messages, so that a slow reader costs bounded memory.
 *
 * @example
 * const table = new Map<number, number>()
 * for await (const item of client.subscribe({ tokens: ['vm-a'], start: 'snapshot', onLost: 'snapshot' })) {
 *   if (item.kind === 'snapshotBegin') table.clear()
 *   if (item.kind !== 'snapshot' && item.kind !== 'revision') continue
 *   for (const event of item.notifications) {
 *     if (event.type === 'BIND') table.set(event.spid, event.ioasid)
 *     if (event.type === 'UNBIND') table.delete(event.spid)
 *   }
 * }
 */
export interface Subscription extends AsyncIterableIterator<SubscriptionItem, void, undefined> {
  /** Up to where items were handed out; undefined: it has not begun, or is in a snapshot. */
  readonly cursor: Cursor | undefined
  /** How many streams have ended and were followed by another one. */
  readonly interruptions: number
  /** How many of them because a message was missing: a bug of the daemon, or of what is between. */
  readonly gaps: number
  /**
   * Resolves when the reader is through with everything up to a revision: it was handed out, and he has come back for more.
   * For a revision that is of no interest to the subscription that may be a heartbeat later. Somebody has to read
   * meanwhile. Rejects with what the subscription ends with before (CANCELLED: it was left), and with CANCELLED when the
   * signal is aborted.
   *
   * @example
   * const { revision } = await client.allocate({ setHandle, spids: [101] })
   * await subscription.waitForRevision(revision, { signal: AbortSignal.timeout(1_000) })
   */
  readonly waitForRevision: (revision: bigint, options?: { readonly signal?: AbortSignal }) => Promise<void>
  /** Ends it, also while a `next` waits. */
  readonly return: () => Promise<IteratorResult<SubscriptionItem, void>>
  readonly [Symbol.asyncIterator]: () => Subscription
  /** The same as `return`, for `await using subscription = client.subscribe(...)`. */
  readonly [Symbol.asyncDispose]: () => Promise<void>
}
