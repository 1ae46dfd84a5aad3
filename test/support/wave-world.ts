import { expect } from 'vitest'
import type { Command } from '../../server/core/command.ts'
import type { Entry, Priority } from '../../server/core/event.ts'
import { isFailure } from '../../server/core/failure.ts'
import { asLeaseId, asSetId, type LeaseId } from '../../server/core/ids.ts'
import { violations } from '../../server/core/invariants.ts'
import { getIoasid } from '../../server/core/query.ts'
import { AGED, idsOf, UNBOUND } from '../../server/core/runs.ts'
import { ALL_TYPES, type Filter, select } from '../../server/engine/filter.ts'
import type { Opened } from '../../server/engine/subscribe.ts'
import type { FeedItem, Told } from '../../server/engine/subscription.ts'
import { command, memoryStore, namesOf, type Running, run, subscription } from './engine.ts'
import { createManualClock, settle } from './manual-clock.ts'
import { createWaveModel, ORDER } from './wave-model.ts'

/** Owners and holders of a small space, and what must be true of what each holder is told. */

const CAPACITY = 10
const TIMEOUT_MS = 1000
const TTL_MS = 2000
const LIMITS = {
  teardownTimeoutMs: TIMEOUT_MS,
  leaseGraceMs: 1000,
  maxQueuedBytes: 900,
  ringBytes: 4000,
  snapshotEvery: 40,
}
const SETS: readonly Filter['sets'][] = [
  'all',
  namesOf(['a']),
  namesOf(['b', 'a']),
  namesOf([], [1]),
  namesOf(['b'], [1, 2]),
]

interface Stream {
  readonly leaseId: LeaseId
  readonly priority: Priority
  readonly filter: Filter
  readonly opened: Opened
  /** Everything up to it was told. */
  cursor: number
  isReading: boolean
  /** It stopped with something on its way to it. */
  isStale: boolean
  pending: Promise<FeedItem> | undefined
}

export async function startWaves() {
  const inner = memoryStore()
  const log: Entry[] = []
  const model = createWaveModel()
  const faults: string[] = []
  const store = {
    ...inner,
    append: async (batch: Parameters<typeof inner.append>[0]) => {
      await inner.append(batch)
      log.push(...batch.entries)
      for (const entry of batch.entries) faults.push(...model.apply(entry))
    },
  }
  const space = { capacity: CAPACITY }
  let running: Running = await run({ store, space, limits: LIMITS })
  const streams = new Map<LeaseId, Stream>()
  let leases = 0
  let spid = 0

  const send = async (asked: Command) => {
    const outcome = await running.engine.submit(asked, undefined)
    await settle(1)
    return outcome
  }
  const servingMs = async () => {
    const found = await running.engine.read((state) => ({ ms: state.servingMs }))
    if (isFailure(found)) throw new Error(found.message)
    return found.ms
  }
  const nextFor = ({ filter, cursor }: Stream) =>
    log.find((entry) => entry.revision > cursor && select(filter, entry).length > 0)
  const tornDown = (stream: Stream, entry: Entry) =>
    select(stream.filter, entry).flatMap((event) => {
      if (event.kind === 'UNBIND') return idsOf(event.runs, UNBOUND)
      return event.kind === 'FREE' ? idsOf(event.runs, AGED) : []
    })
  const isDue = async ({ priority }: Stream, entry: Entry) =>
    (await servingMs()) >= entry.servingMs + ORDER.indexOf(priority) * TIMEOUT_MS

  const checkTold = async (stream: Stream, item: Told) => {
    const next = nextFor(stream)
    expect(item.revision).toBe(next?.revision)
    if (next === undefined) return
    expect(item.events).toEqual(select(stream.filter, next))
    const blocked = model.blocked(next, tornDown(stream, next), stream.priority)
    const marked = item.overrun ?? new Set()
    const where = `${stream.priority} at ${item.revision}`
    // What was made for a reader who stopped was marked by what was true then.
    if (stream.isStale) expect([...marked], where).toEqual(expect.arrayContaining([...blocked]))
    else expect([...marked].toSorted(), where).toEqual([...blocked].toSorted())
    if (marked.size > 0) expect(await isDue(stream, next)).toBe(true)
    stream.cursor = item.revision
  }

  const check = async (stream: Stream, item: FeedItem) => {
    if (item.kind === 'entry') return checkTold(stream, item)
    if (item.kind === 'ended') {
      expect(item.failure?.reason).toBe('LEASE_NOT_FOUND')
      expect(model.isAlive(stream.leaseId)).toBe(false)
      streams.delete(stream.leaseId)
      return
    }
    const next = nextFor(stream)
    expect(item.revision).toBeGreaterThanOrEqual(stream.cursor)
    if (next !== undefined) expect(item.revision).toBeLessThan(next.revision)
    stream.cursor = item.revision
  }

  /** Whoever is told nothing more has nothing to be told, or must wait. */
  const checkWaiting = async (stream: Stream) => {
    expect(model.isAlive(stream.leaseId)).toBe(true)
    const next = nextFor(stream)
    if (next === undefined) return
    const blocked = model.blocked(next, tornDown(stream, next), stream.priority)
    expect(blocked.size, `${stream.priority} waits at ${next.revision} for nobody`).toBeGreaterThan(0)
    expect(await isDue(stream, next), `${stream.priority} waits too long at ${next.revision}`).toBe(false)
  }

  /** Everybody who reads is told all that can be told now. */
  const harvest = async () => {
    for (const stream of streams.values()) {
      while (stream.isReading && streams.get(stream.leaseId) === stream) {
        stream.pending ??= stream.opened.subscription.next()
        const item = await Promise.race([stream.pending, settle(8)])
        if (item === undefined) {
          await checkWaiting(stream)
          break
        }
        stream.pending = undefined
        await check(stream, item)
        stream.isStale = false
      }
    }
  }

  const open = async (who: number, at: number) => {
    const leaseId = asLeaseId(1 + (who % Math.max(1, leases)))
    const priority = ORDER[leaseId % 3] ?? 'CPU'
    const sets = SETS[(leaseId >> 1) % SETS.length] ?? 'all'
    const earlier = streams.get(leaseId)
    const start =
      at % 4 === 0
        ? ({ kind: 'snapshot' } as const)
        : ({ kind: 'after', revision: earlier?.cursor ?? (at % 2 === 0 ? 0 : (log.at(-1)?.revision ?? 0)) } as const)
    const heartbeatMs = at % 3 === 0 ? 200 : 60_000
    const asked = subscription({ sets, start, heartbeatMs, hold: { leaseId, priority } })
    const opened = await running.engine.subscribe(asked)
    if (isFailure(opened)) return void expect(['LEASE_NOT_FOUND', 'SET_NOT_FOUND']).toContain(opened.reason)
    if (earlier !== undefined) {
      const made = await earlier.pending
      const last = made?.kind === 'ended' ? made : await earlier.opened.subscription.next()
      expect(last).toMatchObject({ kind: 'ended', failure: { reason: 'SUPERSEDED' } })
    }
    const filter = { sets, types: ALL_TYPES }
    const state = { cursor: opened.revision, isReading: true, isStale: false, pending: undefined }
    streams.set(leaseId, { leaseId, priority, filter, opened, ...state })
  }

  const nth = <Item>(items: Iterable<Item>, at: number): Item | undefined =>
    [...items][at % Math.max(1, [...items].length)]
  const change = (who: number, at: number): Command => {
    const [id, owner] = nth(model.bound, at) ?? [1 + (at % CAPACITY), asSetId(1)]
    const setId = nth(model.sets.keys(), at) ?? asSetId(1)
    const ownerLease = asLeaseId(1 + (at % Math.max(1, leases)))
    spid += 2
    switch (who % 12) {
      case 0:
        return command.createSet(at % 2 === 0 ? 'a' : 'b', 0, at % 5 === 0 ? ownerLease : null)
      case 1:
      case 2:
        return command.free(owner, [id])
      case 3:
      case 4:
        return command.detachSpid(owner, id)
      case 5:
      case 6:
        // Mostly of no id that can be bound again; sometimes of one.
        return command.attachSpid(setId, 1 + (at % (CAPACITY - 1)), spid, '')
      case 7:
        return at % 9 === 0 ? command.deleteSet(setId) : { kind: 'free_all', setId }
      default:
        return { ...command.allocate(setId, 1 + (at % 2), at % 2 === 0 ? [spid] : [spid, spid + 1]), max: CAPACITY - 1 }
    }
  }

  const acknowledge = async (who: number, at: number) => {
    const stream = nth(streams.values(), who)
    const leaseId = at % 5 === 0 || stream === undefined ? asLeaseId(1 + (who % Math.max(1, leases))) : stream.leaseId
    const revision = at % 5 === 0 || stream === undefined ? Math.max(0, log.length - (at % 7)) : stream.cursor
    const outcome = await send(command.acknowledge(leaseId, revision))
    if (!isFailure(outcome)) model.acknowledged(leaseId, revision)
  }

  const restart = async () => {
    await running.engine.drain({ reason: 'DRAINING', message: '', metadata: {} })
    running = await run({ store, space, limits: LIMITS, clock: createManualClock() })
    streams.clear()
  }

  const take = async ({ kind, who, at }: { readonly kind: string; readonly who: number; readonly at: number }) => {
    const stream = nth(streams.values(), who)
    if (kind === 'change') await send(change(who, at))
    if (kind === 'grant') {
      await send(command.grantLease(at % 2 === 0 ? TTL_MS : 100_000, at % 3 === 0 ? 'HOLD' : 'RELEASE'))
      leases += 1
    }
    if (kind === 'open') await open(who, at)
    if (kind === 'acknowledge') await acknowledge(who, at)
    if (kind === 'revoke') await send(command.revokeLease(asLeaseId(1 + (who % Math.max(1, leases)))))
    if (kind === 'renew') await running.engine.renew(asLeaseId(1 + (who % Math.max(1, leases))))
    if (kind === 'stop' && stream !== undefined) {
      stream.isReading = !stream.isReading
      stream.isStale = stream.pending !== undefined
    }
    if (kind === 'time') running.clock.advance([1, 100, 400, 999, 1000][at % 5] ?? 1)
    if (kind === 'restart') await restart()
    await settle(2)
  }

  const checkIds = async () => {
    const found = await running.engine.read((state) => {
      const wrong = [...violations(state)]
      for (let id = 1; id < CAPACITY; id++) {
        const view = getIoasid(state, id, undefined)
        const references = isFailure(view) ? 0 : view.references
        if (references !== model.references(id)) wrong.push(`${id} has ${references}, not ${model.references(id)}`)
      }
      return { wrong }
    })
    expect(found).toEqual({ wrong: [] })
  }

  return {
    take: async (asked: Parameters<typeof take>[0]) => {
      await take(asked)
      await harvest()
      await checkIds()
      expect(faults).toEqual([])
    },
  }
}
