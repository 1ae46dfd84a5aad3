import { type Entry, type TellableEvent, weigh } from '../core/event.ts'
import { type Failure, isFailure } from '../core/failure.ts'
import { asRevision, type Revision } from '../core/ids.ts'
import { countTornDown, isTeardown } from '../core/turn.ts'
import type { Clock } from './clock.ts'
import { type Filter, select } from './filter.ts'
import type { Lag } from './pulse.ts'
import type { Committed, Turn } from './teardown.ts'

/** One subscriber's place in the feed. */
export interface Subscription {
  readonly subscriptionId: number
  /** The next thing to tell; waits for it. One call at a time. After `ended` there is nothing more. */
  next(): Promise<FeedItem>
  /** Aborts when the subscription was ended or closed: whoever writes to a peer need not wait for it any more. */
  readonly signal: AbortSignal
  /** Has its reader told why there is nothing more. The first failure counts. */
  end(failure: Failure): void
  /** Leaves the feed. Closing twice is no fault. */
  close(): void
}

export type FeedItem =
  | Told
  /** Everything up to the revision has been told. */
  | { readonly kind: 'heartbeat'; readonly revision: Revision }
  /** Without a failure: its own reader closed it. */
  | { readonly kind: 'ended'; readonly failure: Failure | undefined }

/** Events of one revision. overrun: ids that a holder is told of before its turn, though others still use them. */
export interface Told extends Committed {
  readonly kind: 'entry'
  readonly overrun: ReadonlySet<number> | undefined
}

/** What the feed knows of a subscription. */
export interface Member extends Subscription {
  readonly filter: Filter
  /** An entry that names one of its sets has become durable. */
  offer(entry: Entry): void
  readonly lag: Lag
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
  /** Of a holder that is told after others. */
  readonly turn: Turn | undefined
}

interface Queued {
  readonly item: Told
  readonly bytes: number
}

/** Of a holder's revisions, found to be in turn in one step, and how many ids they may tear down. */
const CLEARED_TOGETHER = 64
const CLEARED_IDS = 4096

/**
 * Two ways of reading, of which one is in force at a time. *Following*: every entry that matches is offered and queued,
 * so everything up to `published` is either told or in the queue. *Catching up*: nothing is offered, and entries after
 * the cursor are read from the ring or the store. The change to following happens in one step with the look at
 * `published`, so that no entry falls between the two or comes twice.
 */
export function createMember(options: MemberOptions): Member {
  const { subscriptionId, filter, after, heartbeatMs, clock, maxQueuedBytes, published, readAfter, onClose, turn } =
    options
  const ending = new AbortController()
  /** Everything that matches at or below it was handed out. */
  let cursor = after
  let isFollowing = after >= published()
  let queue: Queued[] = []
  let queuedBytes = 0
  /** What was read while catching up, and how many of it were looked at. */
  let read: readonly Entry[] = []
  let looked = 0
  /** Of a holder: what came next, if others come first, and what came before it, whose turn it is. */
  let held: Told | undefined
  const cleared: Told[] = []
  let lastToldMs = clock.monotonicMs()
  let failure: Failure | undefined
  let wake: () => void = () => undefined

  const queueUp = (queued: Queued) => {
    // Nothing between the cursor and this entry matched, or it would have been queued.
    if (queue.length === 0) cursor = asRevision(queued.item.revision - 1)
    queue.push(queued)
    queuedBytes += queued.bytes
    if (queuedBytes > maxQueuedBytes && queue.length > 1) fallBehind()
    if (held === undefined) wake()
  }

  const fallBehind = () => {
    isFollowing = false
    queue = []
    queuedBytes = 0
  }

  const fromQueue = (): Told | undefined => {
    const queued = queue.shift()
    if (queued === undefined) return undefined
    queuedBytes -= queued.bytes
    cursor = queued.item.revision
    return queued.item
  }

  const fromRead = (): Told | undefined => {
    for (let entry = read[looked]; entry !== undefined; entry = read[looked]) {
      looked += 1
      cursor = entry.revision
      const events = select(filter, entry)
      if (events.length > 0) return toldOf(entry, events)
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

  const wait = (atMostMs = heartbeatMs) =>
    new Promise<void>((resolve) => {
      const untilHeartbeatMs = lastToldMs + heartbeatMs - clock.monotonicMs()
      const cancel = clock.after(Math.min(atMostMs, untilHeartbeatMs), resolve)
      wake = () => {
        cancel()
        resolve()
      }
    })

  /** What is held, when its turn has come; undefined: something has happened, look again. */
  const inTurn = async (item: Told, turn: Turn): Promise<FeedItem | undefined> => {
    const looked = turn.look(item)
    if (looked.kind === 'tell') {
      held = undefined
      clearMore(turn)
      const failed = await turn.durable()
      if (failed !== undefined) return { kind: 'ended', failure: failed }
      turn.count(looked.overrun.size)
      return { ...item, overrun: looked.overrun }
    }
    // Everything before it was told, and nothing of what follows it may be.
    if (isHeartbeatDue()) return heartbeat(asRevision(item.revision - 1))
    const cancel = turn.onSettled(looked.leaseId, item.revision, () => wake())
    await wait(looked.forMs)
    cancel()
    return undefined
  }

  /** What is there already and need not wait either: whoever had to wait for the disk each time would fall behind. */
  const clearMore = ({ look }: Turn) => {
    let ids = 0
    while (cleared.length < CLEARED_TOGETHER && held === undefined) {
      const next = isFollowing ? fromQueue() : fromRead()
      if (next === undefined) return
      ids += countTornDown(next.events)
      if (ids > CLEARED_IDS) {
        held = next
        return
      }
      const looked = look(next)
      // What is overrun is marked by what is true when it is told, so it is looked at again.
      if (looked.kind === 'tell' && looked.overrun.size === 0) cleared.push(next)
      else held = next
    }
  }

  const take = async (): Promise<FeedItem> => {
    for (;;) {
      if (ending.signal.aborted) return { kind: 'ended', failure }
      const next = cleared.shift()
      if (next !== undefined) return next
      if (held !== undefined && turn !== undefined) {
        const item = await inTurn(held, turn)
        if (item !== undefined) return item
        continue
      }
      const wasFollowing = isFollowing
      const item = wasFollowing ? fromQueue() : await catchUp()
      if (item?.kind === 'entry' && turn !== undefined && isTeardown(item.events)) {
        held = item
        continue
      }
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

  const lag = (): Lag => {
    const next = cleared[0] ?? held
    const hasAll = isFollowing && queue.length === 0 && next === undefined
    // What comes next is taken already, but not told.
    const told = next === undefined ? cursor : next.revision - 1
    return { subscriptionId, revisions: hasAll ? 0 : Math.max(0, published() - told), queuedBytes }
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
      queueUp({ item: toldOf(entry, events), bytes: weigh(entry) })
    },
    end: (why) => {
      if (ending.signal.aborted) return
      failure = why
      close()
    },
    close,
    get lag() {
      return lag()
    },
  }
  return member
}

function toldOf({ revision, servingMs }: Entry, events: readonly TellableEvent[]): Told {
  return { kind: 'entry', revision, servingMs, events, overrun: undefined }
}
