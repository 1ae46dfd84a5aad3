import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Command } from '../../server/core/command.ts'
import { type Entry, NOTIFICATION_TYPES, type NotificationType } from '../../server/core/event.ts'
import { isFailure } from '../../server/core/failure.ts'
import { asLeaseId, asSetId } from '../../server/core/ids.ts'
import { idsOf as idsOfRuns } from '../../server/core/runs.ts'
import { ALL_TYPES, type Filter, select } from '../../server/engine/filter.ts'
import type { Opened } from '../../server/engine/subscribe.ts'
import type { FeedItem } from '../../server/engine/subscription.ts'
import { command, memoryStore, namesOf, type Running, run, subscription } from '../support/engine.ts'
import { createManualClock, settle } from '../support/manual-clock.ts'

/**
 * Random changes and random subscribers, on a store of random slowness, with restarts and compactions in between: what
 * each subscriber was told must be the filtered log, from where it began, each revision once and in order.
 */

const TOKENS = ['a', 'b', 'ab', ''] as const
/** A prime number of them, so that every kind meets every set and id. */
const KINDS = [
  'create',
  'allocate',
  'grant',
  'acquire',
  'acquire',
  'free',
  'allocate',
  'acquire',
  'release',
  'create',
  'allocate',
  'acquire',
  'free',
  'adjust',
  'delete',
  'acquire',
  'revoke',
] as const
/** So small that rings overflow, queues fall behind and logs are compacted within a few steps. */
const LIMITS = { ringBytes: 1500, maxQueuedBytes: 600, historyRevisions: 25, snapshotEvery: 10 }

const filters: fc.Arbitrary<Filter> = fc.record({
  sets: fc.oneof(
    fc.constant('all' as const),
    fc.tuple(fc.subarray(['a', 'b', 'ab', 'x']), fc.subarray([1, 2, 3])).map(([tokens, ids]) => namesOf(tokens, ids)),
  ),
  types: fc.oneof(
    fc.constant(ALL_TYPES),
    fc
      .subarray([...NOTIFICATION_TYPES], { minLength: 1 })
      .map((types): ReadonlySet<NotificationType> => new Set(types)),
  ),
})

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('change' as const), pick: fc.nat(999), burst: fc.nat(6) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('subscribe' as const),
      filter: filters,
      start: fc.constantFrom('now', 'snapshot', 'oldest', 'newest'),
      heartbeatMs: fc.constantFrom(100, 1000),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('read' as const), who: fc.nat(20), count: fc.nat(12) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.constantFrom(50, 150, 500) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), who: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
)

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

interface Subscriber {
  readonly filter: Filter
  opened: Opened
  /** Everything up to it was told. */
  cursor: number
  pending: Promise<FeedItem> | undefined
}

/** A space with changes and subscribers, and its log as it became durable. */
async function world(delays: readonly number[]) {
  const log: Entry[] = []
  const inner = memoryStore()
  let appended = 0
  const store = {
    ...inner,
    append: async (batch: Parameters<typeof inner.append>[0]) => {
      appended += 1
      await settle(delays[appended % delays.length] ?? 0)
      await inner.append(batch)
      log.push(...batch.entries)
    },
  }
  let running: Running = await run({ store, limits: LIMITS })
  const subscribers = new Set<Subscriber>()

  const expected = ({ filter }: Subscriber, after: number) =>
    log.filter((entry) => entry.revision > after && select(filter, entry).length > 0)

  const check = async (subscriber: Subscriber, item: FeedItem) => {
    if (item.kind === 'ended') {
      expect(item.failure).toMatchObject({ reason: 'COMPACTED' })
      const { compactRevision } = await store.load()
      expect(subscriber.cursor, 'cut off although what it had yet to read is kept').toBeLessThan(compactRevision)
      subscriber.opened.close()
      subscribers.delete(subscriber)
      return
    }
    const [next] = expected(subscriber, subscriber.cursor)
    if (item.kind === 'heartbeat') {
      expect(item.revision).toBeGreaterThanOrEqual(subscriber.cursor)
      expect(item.revision).toBeLessThanOrEqual(log.at(-1)?.revision ?? 0)
      if (next !== undefined) expect(item.revision).toBeLessThan(next.revision)
    } else {
      expect(item.revision).toBe(next?.revision)
      expect(item.events).toEqual(next === undefined ? [] : select(subscriber.filter, next))
    }
    subscriber.cursor = item.revision
  }

  /** Up to so many items, as far as they are there. */
  const read = async (subscriber: Subscriber, count: number) => {
    for (let done = 0; done < count && subscribers.has(subscriber); done++) {
      subscriber.pending ??= subscriber.opened.subscription.next()
      const item = await Promise.race([subscriber.pending, settle(6)])
      if (item === undefined) return
      subscriber.pending = undefined
      await check(subscriber, item)
    }
  }

  const change = (pick: number): Command => {
    const kind = KINDS[pick % KINDS.length] ?? 'create'
    const rest = Math.floor(pick / KINDS.length)
    const setId = asSetId(1 + (pick % 3))
    const ioasid = 1 + (rest % 4)
    const leaseId = asLeaseId(1 + (rest % 3))
    switch (kind) {
      case 'create':
        return command.createSet(TOKENS[pick % 4] ?? '', 0, pick % 5 === 0 ? leaseId : null)
      case 'delete':
        return command.deleteSet(setId)
      case 'adjust':
        return command.adjustQuota(setId, pick % 5)
      case 'allocate':
        return command.allocate(
          setId,
          1 + (pick % 3),
          pick % 2 === 0 ? null : Array.from({ length: 1 + (pick % 3) }, (_, n) => pick + n),
        )
      case 'free':
        return command.free(setId, [ioasid])
      case 'grant':
        return command.grantLease(500, pick % 2 === 0 ? 'HOLD' : 'RELEASE')
      case 'acquire':
        return command.acquire(setId, ioasid, leaseId)
      case 'release':
        return command.release(setId, ioasid, leaseId)
      case 'revoke':
        return command.revokeLease(leaseId)
    }
  }

  return {
    subscribers,
    read,
    burst: (pick: number, count: number) => {
      for (let made = 0; made <= count; made++) void running.engine.submit(change(pick + made * 13), undefined)
    },
    advance: (ms: number) => running.clock.advance(ms),
    subscribe: async ({ filter, start, heartbeatMs }: Extract<Step, { kind: 'subscribe' }>) => {
      const { compactRevision } = await store.load()
      const revision = log.at(-1)?.revision ?? 0
      const from = start === 'oldest' ? compactRevision : revision
      const opened = await running.engine.subscribe(
        subscription({
          ...filter,
          heartbeatMs,
          start: start === 'now' || start === 'snapshot' ? { kind: start } : { kind: 'after', revision: from },
        }),
      )
      // Handles of sets that never were, or a log that was compacted meanwhile.
      if (isFailure(opened)) return void expect(['SET_NOT_FOUND', 'COMPACTED']).toContain(opened.reason)
      if (opened.snapshot !== undefined) expect(idsIn(opened)).toEqual(idsAt(log, filter, opened.revision))
      subscribers.add({ filter, opened, cursor: opened.revision, pending: undefined })
    },
    /** Everybody comes back with the last cursor; what a start mode cannot reach any more is told so. */
    restart: async () => {
      await running.engine.drain({ reason: 'DRAINING', message: '', metadata: {} })
      running = await run({ store, limits: LIMITS, clock: createManualClock() })
      for (const subscriber of subscribers) {
        const { filter, cursor } = subscriber
        const again = await running.engine.subscribe(
          subscription({ ...filter, heartbeatMs: 100, start: { kind: 'after', revision: cursor } }),
        )
        if (isFailure(again)) {
          expect(['SET_NOT_FOUND', 'COMPACTED']).toContain(again.reason)
          subscribers.delete(subscriber)
        } else {
          subscriber.opened = again
          subscriber.pending = undefined
        }
      }
    },
    /** Everybody reads to the end: nothing may be missing. */
    finish: async () => {
      await running.engine.status()
      for (const subscriber of subscribers) {
        await read(subscriber, log.length + 20)
        if (subscribers.has(subscriber)) expect(expected(subscriber, subscriber.cursor)).toEqual([])
      }
    },
  }
}

function idsIn({ snapshot }: Opened): number[] {
  const ids: number[] = []
  for (const item of snapshot?.items() ?? []) if (item.kind === 'ioasid') ids.push(item.ioasid)
  return ids.sort((a, b) => a - b)
}

function idsAt(log: readonly Entry[], filter: Filter, revision: number): number[] {
  const ids = new Set<number>()
  for (const entry of log.filter((logged) => logged.revision <= revision)) {
    for (const event of select({ ...filter, types: ALL_TYPES }, entry)) {
      if (event.kind === 'ALLOC') for (const id of idsOfRuns(event.runs)) ids.add(id)
      if (event.kind === 'RECLAIM') for (const id of idsOfRuns(event.runs, 3)) ids.delete(id)
    }
  }
  return [...ids].sort((a, b) => a - b)
}

describe('whatever happens', () => {
  it('every subscriber is told the filtered log, each revision once, in order', async () => {
    const steps = fc.array(step, { minLength: 10, maxLength: 60, size: 'max' })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(4), { minLength: 3, maxLength: 9 }), steps, async (delays, script) => {
        const { subscribers, read, burst, advance, subscribe, restart, finish } = await world(delays)
        const nth = (who: number) => [...subscribers][who % Math.max(1, subscribers.size)]
        for (const taken of script) {
          const subscriber = 'who' in taken ? nth(taken.who) : undefined
          if (taken.kind === 'change') burst(taken.pick, taken.burst)
          if (taken.kind === 'subscribe') await subscribe(taken)
          if (taken.kind === 'read' && subscriber !== undefined) await read(subscriber, taken.count)
          if (taken.kind === 'time') advance(taken.ms)
          if (taken.kind === 'restart') await restart()
          if (taken.kind === 'leave' && subscriber !== undefined) {
            subscriber.opened.close()
            subscribers.delete(subscriber)
          }
          await settle(1)
        }
        await finish()
      }),
      { numRuns: 60 },
    )
  })
})
