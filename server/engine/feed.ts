import type { Entry } from '../core/event.ts'
import type { Failure } from '../core/failure.ts'
import type { Revision, SetId } from '../core/ids.ts'
import { addTo, removeFrom } from '../core/multimap.ts'
import { type Store, StoreError } from '../store/store.ts'
import type { Clock } from './clock.ts'
import { type Filter, isTellable } from './filter.ts'
import type { Lag } from './pulse.ts'
import { createRing } from './ring.ts'
import { compacted } from './start-rules.ts'
import { createMember, type Member, type Subscription } from './subscription.ts'
import type { Turn } from './teardown.ts'

/**
 * Tells subscribers what has become durable. There is one path for all of them: the entries after a cursor, filtered. A
 * subscription that has caught up is woken through an index by token, so an entry costs only those who want it. One that
 * falls behind keeps nothing but its cursor and reads on by itself, from the ring or from the store, at its own speed.
 */
export interface Feed {
  /** Entries that became durable since the last call. */
  publish(entries: readonly Entry[]): void
  /**
   * Everything after the cursor that passes the filter. A heartbeat after so many ms without anything else. turn: of a
   * holder that is told of teardowns after others.
   */
  subscribe(filter: Filter, after: Revision, heartbeatMs: number, turn: Turn | undefined): Subscription
  /** Ends every subscription. */
  endAll(failure: Failure): void
  readonly subscriptions: number
  /** How far each subscriber is behind. */
  lags(): readonly Lag[]
}

export interface FeedOptions {
  readonly store: Store
  readonly clock: Clock
  /** The revision that is durable already. */
  readonly start: Revision
  readonly ringBytes: number
  /** What waits for a subscriber in memory; above it the subscription is one that fell behind. */
  readonly maxQueuedBytes: number
  readonly compactRevision: () => Revision
}

/** One look at the ring or the store, so that a reader that is far behind lets others run in between. */
const CHUNK_ENTRIES = 1024
const CHUNK_BYTES = 256 * 1024

export function createFeed(options: FeedOptions): Feed {
  const { store, clock, start, ringBytes, maxQueuedBytes, compactRevision } = options
  const ring = createRing(ringBytes, start)
  const everyone = new Set<Member>()
  const ofAll = new Set<Member>()
  const byToken = new Map<string, Set<Member>>()
  const bySet = new Map<SetId, Set<Member>>()
  let published = start
  let lastId = 0

  const join = (member: Member) => {
    everyone.add(member)
    const { sets } = member.filter
    if (sets === 'all') ofAll.add(member)
    else {
      for (const token of sets.tokens) addTo(byToken, token, member)
      for (const setId of sets.setIds) addTo(bySet, setId, member)
    }
  }

  const leave = (member: Member) => {
    everyone.delete(member)
    const { sets } = member.filter
    if (sets === 'all') ofAll.delete(member)
    else {
      for (const token of sets.tokens) removeFrom(byToken, token, member)
      for (const setId of sets.setIds) removeFrom(bySet, setId, member)
    }
  }

  const wantedBy = (entry: Entry): ReadonlySet<Member> => {
    // A daemon that nobody listens to looks no entry through.
    if (everyone.size === 0) return everyone
    const members = new Set(ofAll)
    for (const { set } of entry.events.filter(isTellable)) {
      for (const member of byToken.get(set.token) ?? []) members.add(member)
      for (const member of bySet.get(set.setId) ?? []) members.add(member)
    }
    return members
  }

  /** What is durable after a cursor, or why it cannot be had any more. */
  const readAfter = async (cursor: Revision): Promise<readonly Entry[] | Failure> => {
    const recent = ring.after(cursor, CHUNK_ENTRIES)
    if (recent !== undefined && recent.length < CHUNK_ENTRIES) return recent
    await new Promise<void>((resolve) => clock.soon(resolve))
    if (recent !== undefined) return recent
    try {
      return await store.tail(cursor, CHUNK_BYTES)
    } catch (cause) {
      if (cause instanceof StoreError && cause.problem === 'COMPACTED') return compacted(compactRevision())
      throw cause
    }
  }

  const subscribe: Feed['subscribe'] = (filter, after, heartbeatMs, turn) => {
    lastId += 1
    const member = createMember({
      subscriptionId: lastId,
      filter,
      after,
      heartbeatMs,
      turn,
      clock,
      maxQueuedBytes,
      published: () => published,
      readAfter,
      onClose: leave,
    })
    join(member)
    return member
  }

  return {
    publish: (entries) => {
      for (const entry of entries) {
        ring.push(entry)
        published = entry.revision
        for (const member of wantedBy(entry)) member.offer(entry)
      }
    },
    subscribe,
    endAll: (failure) => {
      for (const member of everyone) member.end(failure)
    },
    get subscriptions() {
      return everyone.size
    },
    lags: () => [...everyone].map(({ lag }) => lag),
  }
}
