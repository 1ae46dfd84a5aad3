import { type Entry, type TellableEvent, weigh } from '../core/event.ts'
import { type Failure, isFailure } from '../core/failure.ts'
import { asRevision, type Revision } from '../core/ids.ts'
import type { Clock } from './clock.ts'
import { type Filter, select } from './filter.ts'

/** One subscriber's place in the feed. */
export interface Subscription {
  readonly subscriptionId: number
  /** The next thing to tell; waits for it. One call at a time. After `ended` there is nothing more. */
  next(): Promise<FeedItem>
  /** Aborts when the subscription was ended or closed: whoever writes to a peer need not wait for it any more. */
  readonly signal: AbortSignal
  /** Leaves the feed. Closing twice is no fault. */
  close(): void
}

export type FeedItem =
  | { readonly kind: 'entry'; readonly revision: Revision; readonly events: readonly TellableEvent[] }
  /** Everything up to the revision has been told. */
  | { readonly kind: 'heartbeat'; readonly revision: Revision }
  /** Without a failure: its own reader closed it. */
  | { readonly kind: 'ended'; readonly failure: Failure | undefined }

/** What the feed knows of a subscription. */
export interface Member extends Subscription {
  readonly filter: Filter
  /** An entry that names one of its sets has become durable. */
  offer(entry: Entry): void
  end(failure: Failure): void
}

export interface MemberOptions {
  readonly subscriptionId: number
  readonly filter: Filter
  readonly after: Revision
  readonly heartbeatMs: number
  readonly clock: Clock
  readonly maxQueuedBytes: number
  /** The newest durable revision. */
  readonly published: () => Revision
  /** Some durable entries after a revision; none when that is the newest. */
  readonly readAfter: (cursor: Revision) => Promise<readonly Entry[] | Failure>
  readonly onClose: (member: Member) => void
}

interface Queued {
  readonly item: Extract<FeedItem, { kind: 'entry' }>
  readonly bytes: number
}

/**
 * Two ways of reading, of which one is in force at a time. *Following*: every entry that matches is offered and queued,
 * so everything up to `published` is either told or in the queue. *Catching up*: nothing is offered, and entries after
 * the cursor are read from the ring or the store. The change to following happens in one step with the look at
 * `published`, so that no entry falls between the two or comes twice.
 */
export function createMember(options: MemberOptions): Member {
  const { subscriptionId, filter, after, heartbeatMs, clock, maxQueuedBytes, published, readAfter, onClose } = options
  const ending = new AbortController()
  /** Everything that matches at or below it was handed out. */
  let cursor = after
  let isFollowing = after >= published()
  let queue: Queued[] = []
  let queuedBytes = 0
  /** What was read while catching up, and how many of it were looked at. */
  let read: readonly Entry[] = []
  let looked = 0
  let lastToldMs = clock.monotonicMs()
  let failure: Failure | undefined
  let wake: () => void = () => undefined

  const queueUp = (queued: Queued) => {
    // Nothing between the cursor and this entry matched, or it would have been queued.
    if (queue.length === 0) cursor = asRevision(queued.item.revision - 1)
    queue.push(queued)
    queuedBytes += queued.bytes
    if (queuedBytes > maxQueuedBytes && queue.length > 1) fallBehind()
    wake()
  }

  const fallBehind = () => {
    isFollowing = false
    queue = []
    queuedBytes = 0
  }

  const fromQueue = (): FeedItem | undefined => {
    const queued = queue.shift()
    if (queued === undefined) return undefined
    queuedBytes -= queued.bytes
    cursor = queued.item.revision
    return queued.item
  }

  const fromRead = (): FeedItem | undefined => {
    for (let entry = read[looked]; entry !== undefined; entry = read[looked]) {
      looked += 1
      cursor = entry.revision
      const events = select(filter, entry)
      if (events.length > 0) return { kind: 'entry', revision: entry.revision, events }
    }
    return undefined
  }

  /** The next item that can be had without waiting for the future. */
  const catchUp = async (): Promise<FeedItem | undefined> => {
    while (!isFollowing && !ending.signal.aborted) {
      const item = fromRead()
      if (item !== undefined) return item
      if (cursor >= published()) {
        isFollowing = true
        read = []
        return undefined
      }
      if (isHeartbeatDue()) return heartbeat(cursor)
      const more = await readAfter(cursor)
      if (isFailure(more)) return { kind: 'ended', failure: more }
      read = more
      looked = 0
    }
    return undefined
  }

  const isHeartbeatDue = () => clock.monotonicMs() - lastToldMs >= heartbeatMs
  const heartbeat = (revision: Revision): FeedItem => ({ kind: 'heartbeat', revision })

  const wait = () =>
    new Promise<void>((resolve) => {
      const cancel = clock.after(lastToldMs + heartbeatMs - clock.monotonicMs(), resolve)
      wake = () => {
        cancel()
        resolve()
      }
    })

  const take = async (): Promise<FeedItem> => {
    for (;;) {
      if (ending.signal.aborted) return { kind: 'ended', failure }
      const wasFollowing = isFollowing
      const item = wasFollowing ? fromQueue() : await catchUp()
      if (item !== undefined) return item
      // Entries may have been queued since catchUp looked: only what is found empty in this very step is told everything.
      if (!wasFollowing) continue
      if (isHeartbeatDue()) {
        cursor = asRevision(Math.max(cursor, published()))
        return heartbeat(cursor)
      }
      await wait()
    }
  }

  const close = () => {
    ending.abort()
    wake()
    onClose(member)
  }

  const member: Member = {
    subscriptionId,
    filter,
    signal: ending.signal,
    next: async () => {
      const item = await take()
      lastToldMs = clock.monotonicMs()
      return item
    },
    offer: (entry) => {
      if (!isFollowing || entry.revision <= cursor) return
      const events = select(filter, entry)
      if (events.length === 0) return
      queueUp({ item: { kind: 'entry', revision: entry.revision, events }, bytes: weigh(entry) })
    },
    end: (why) => {
      if (ending.signal.aborted) return
      failure = why
      close()
    },
    close,
  }
  return member
}
