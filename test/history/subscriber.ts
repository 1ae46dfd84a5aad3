import { setTimeout as sleep } from 'node:timers/promises'
import { IoasidError, NOTIFICATION_TYPES, type Subscription, type SubscriptionItem } from '../../client/index.ts'
import { type Actor, anySet, TOKENS } from './actor.ts'
import { grantSeen } from './owner.ts'
import { type Filter, type Item, nowMs, type StreamAsk } from './record.ts'
import { toldByDaemon } from './told.ts'

const HEARTBEAT_MS = 200

/** What is written down of an item. */
function itemOf(item: SubscriptionItem): Item {
  const notifications = 'notifications' in item ? item.notifications : []
  const overrun = notifications.flatMap((each) => (each.overrun === true ? [each.ioasid] : []))
  return { kind: item.kind, revision: Number(item.revision), events: notifications.map(toldByDaemon), overrun }
}

/** Opens a subscription, and writes down whatever it hands out. */
export function openStream({ client, world, newId }: Actor, stream: StreamAsk) {
  const { filter, start, hold } = stream
  const { handles, recorder } = world
  const id = newId()
  recorder.write({ t: 'stream', id, at: nowMs(), stream })
  const names = {
    tokens: filter.tokens,
    setHandles: filter.setIds.map((setId) => handles.sets.get(setId) ?? 'gone'),
  }
  const subscription: Subscription = client.subscribe({
    ...(filter.all ? ({ all: true } as const) : names),
    types: NOTIFICATION_TYPES.filter((type) => filter.types.includes(type)),
    start: typeof start === 'number' ? { afterRevision: BigInt(start) } : start,
    ...(hold && { hold: { leaseHandle: handles.leases.get(hold.leaseId) ?? 'gone', priority: hold.priority } }),
    heartbeatMs: HEARTBEAT_MS,
    progress: true,
  })
  return {
    subscription,
    /** undefined: it has ended. Rejects with the refusal that ended it. */
    next: async (): Promise<Item | undefined> => {
      const { value } = await subscription.next()
      if (!value) return undefined
      const item = itemOf(value)
      recorder.write({ t: 'item', id, at: nowMs(), item })
      return item
    },
  }
}

/** A client that listens, to this and that, now and then reads nothing for a while, and comes back where it was. */
export async function runWatcher(actor: Actor): Promise<void> {
  const { world, chance } = actor
  let cursor = 0
  while (!world.isStopping()) {
    const start = chance.oneOf(['now', 'snapshot', cursor, 0] as const)
    const stream = openStream(actor, { filter: anyFilter(actor), start, hold: undefined })
    const untilMs = nowMs() + 300 + chance.below(3_000)
    try {
      while (!world.isStopping() && nowMs() < untilMs) {
        const item = await stream.next()
        if (item === undefined) break
        if (item.kind !== 'snapshotBegin' && item.kind !== 'snapshot') cursor = Math.max(cursor, item.revision)
        if (chance.isOneIn(100)) await sleep(chance.below(500))
      }
    } catch (error) {
      if (!(error instanceof IoasidError)) throw error
      await sleep(50)
    }
    await stream.subscription.return()
  }
}

function anyFilter(actor: Actor): Filter {
  const { chance } = actor
  const types = chance.isOneIn(3) ? NOTIFICATION_TYPES.filter(() => chance.isOneIn(2)) : []
  if (chance.isOneIn(4)) return { all: true, tokens: [], setIds: [], types }
  if (chance.isOneIn(3)) return { all: false, tokens: [], setIds: [anySet(actor)], types }
  return { all: false, tokens: someTokens(actor), setIds: [], types }
}

const someTokens = ({ chance }: Actor) => [...new Set([chance.oneOf(TOKENS), chance.oneOf(TOKENS)])].sort()

/** A client that holds what is bound, cleans up in its own time, and whose lease ends in one way or another. */
export async function runHolder(actor: Actor, teardownTimeoutMs: number): Promise<void> {
  const { world, chance } = actor
  while (!world.isStopping()) {
    const ttlMs = world.leaseTtlMs * (1 + chance.below(3))
    const leaseId = await grantSeen(actor, chance.isOneIn(4) ? 'HOLD' : 'RELEASE', ttlMs)
    if (leaseId === undefined) continue
    const untilMs = nowMs() + 500 + chance.below(5_000)
    const isOver = () => world.isStopping() || nowMs() > untilMs
    await Promise.all([hold(actor, leaseId, teardownTimeoutMs, isOver), renew(actor, leaseId, ttlMs, isOver)])
    // What is HELD would keep ids from all others for good.
    if (world.isStopping() || !chance.isOneIn(3)) await actor.change({ kind: 'revoke_lease', leaseId })
  }
}

type LeaseId = NonNullable<Awaited<ReturnType<typeof grantSeen>>>

async function renew(actor: Actor, leaseId: LeaseId, ttlMs: number, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await actor.change({ kind: 'revive_lease', leaseId })
    await sleep(ttlMs / 3)
  }
}

async function hold(actor: Actor, leaseId: LeaseId, timeoutMs: number, isOver: () => boolean): Promise<void> {
  const { world, chance, newId } = actor
  const priority = chance.oneOf(['CPU', 'IOMMU', 'DEVICE'] as const)
  const tokens = someTokens(actor)
  const command = { kind: 'register', leaseId, names: { tokens, setIds: [] }, priority } as const
  const id = newId()
  world.recorder.write({ t: 'ask', id, at: nowMs(), ask: { kind: 'change', requestId: undefined, command } })
  const filter = { all: false, tokens, setIds: [], types: [] }
  const stream = openStream(actor, { filter, start: 'snapshot', hold: { leaseId, priority } })
  const acknowledged: Promise<unknown>[] = []
  const deadline = setInterval(() => isOver() && void stream.subscription.return(), 50)
  let isRegistered = false
  try {
    for (let item = await stream.next(); item !== undefined; item = await stream.next()) {
      if (!isRegistered) await noteRegistration(actor, id, leaseId)
      isRegistered = true
      const { revision } = item
      if (item.kind === 'snapshotBegin' || item.kind === 'snapshot' || item.kind === 'progress') continue
      const lateMs = chance.isOneIn(12) ? timeoutMs * 2 : chance.below(30)
      const acknowledge = async () => {
        await sleep(lateMs)
        await actor.change({ kind: 'acknowledge', leaseId, revision })
      }
      if (chance.isOneIn(3) || item.events.some((text) => text.startsWith('UNBIND'))) acknowledged.push(acknowledge())
    }
  } catch (error) {
    if (!(error instanceof IoasidError)) throw error
    const { reason, metadata } = error
    if (!isRegistered && reason !== undefined) {
      const outcome = { kind: 'refused', reason, facts: metadata } as const
      world.recorder.write({ t: 'end', id, at: nowMs(), outcome })
    }
  }
  clearInterval(deadline)
  await Promise.all(acknowledged)
}

/** The registration's own revision is its answer: the lease tells it, if it still can. */
async function noteRegistration({ client, world }: Actor, id: string, leaseId: LeaseId): Promise<void> {
  const leaseHandle = world.handles.leases.get(leaseId) ?? 'gone'
  const found = await client.getLease({ leaseHandle }).catch(() => undefined)
  if (found?.hold === undefined) return
  const revision = Number(found.hold.registerRevision)
  world.recorder.write({ t: 'end', id, at: nowMs(), outcome: { kind: 'answer', answer: { kind: 'done' }, revision } })
}
