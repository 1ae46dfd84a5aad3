import type { LeaseTerms, NotificationType, Priority } from '../../server/core/event.ts'
import type { Failure } from '../../server/core/failure.ts'
import { isFailure } from '../../server/core/failure.ts'
import type { LeaseId } from '../../server/core/ids.ts'
import type { SubscribeRequest } from '../../server/engine/subscribe.ts'
import type { Message } from './connection.ts'
import { SPACE_ID } from './daemon.ts'
import type { HolderAct } from './holder-acts.ts'
import { keepBooks } from './holder-books.ts'
import type { Host } from './host.ts'
import { createSubscriber, type Subscriber } from './subscriber.ts'
import { namedBy } from './watchers.ts'

/** Consumers of ids: each has a lease that it keeps alive, a hold on some sets, and its own way of cleaning up. */
export interface Holders {
  perform(act: HolderAct): void
  /** All that run read on, and acknowledge. */
  readOn(): void
}

type Hold = Extract<HolderAct, { do: 'hold' }>

interface Holder {
  readonly name: string
  readonly hold: Hold
  readonly sets: SubscribeRequest['sets']
  priority: Priority
  leaseId: LeaseId | undefined
  /** undefined: its process is gone, or has not subscribed yet. */
  subscriber: Subscriber | undefined
  /** Counts its processes: what an earlier one has asked for is nobody's business any more. */
  life: number
  isRunning: boolean
  /** What its last process has read. */
  cursor: number | undefined
  acknowledgesInMs: number | undefined
}

const TYPES: readonly NotificationType[] = ['BIND', 'UNBIND', 'FREE']
const ALL_TYPES: readonly NotificationType[] = [...TYPES, 'SET_ALLOC', 'SET_FREE', 'SET_ADJUST', 'ALLOC', 'RECLAIM']

export function createHolders(host: Host): Holders {
  const { world, wire, oracle, coverage, newRequestId, trace } = host
  const all = new Map<number, Holder>()

  /** Only what the process that asked is still there for. */
  const whileItRuns = <Value>(holder: Holder, run: (value: Value) => void) => {
    const { life } = holder
    return (value: Value) => {
      if (holder.isRunning && holder.life === life) run(value)
    }
  }

  const begin = (hold: Hold) => {
    const terms: LeaseTerms = { name: `holder ${hold.holder}`, ttlMs: hold.ttlMs, onExpiry: hold.onExpiry }
    const holder: Holder = {
      name: `${hold.priority} holder ${hold.holder}`,
      hold,
      sets: namedBy(hold.sets, host),
      priority: hold.priority,
      leaseId: undefined,
      subscriber: undefined,
      life: 0,
      isRunning: true,
      cursor: undefined,
      acknowledgesInMs: hold.acknowledgesInMs,
    }
    all.set(hold.holder, holder)
    wire.send({
      who: holder.name,
      asking: { kind: 'grant_lease', terms },
      requestId: newRequestId(),
      losses: 0,
      onDone: whileItRuns(holder, (outcome) => {
        if (outcome === undefined || isFailure(outcome) || outcome.answer.kind !== 'lease') return
        holder.leaseId = outcome.answer.lease.leaseId
        oracle.users.open(holder.leaseId, holder.name)
        renewLater(holder, holder.leaseId)
        subscribe(
          holder,
          holder.leaseId,
          hold.from === 'snapshot' ? { kind: 'snapshot' } : { kind: 'after', revision: 0 },
        )
      }),
    })
  }

  const renew = (holder: Holder, leaseId: LeaseId, onAlive: () => void) => {
    wire.send({
      who: holder.name,
      asking: { kind: 'renew', leaseId },
      requestId: undefined,
      losses: world.random.percent(10) ? 1 : 0,
      onDone: whileItRuns(holder, (outcome) => {
        if (outcome !== undefined && isFailure(outcome)) return lose(holder)
        onAlive()
      }),
    })
  }

  const renewLater = (holder: Holder, leaseId: LeaseId): void => {
    const again = whileItRuns<void>(holder, () => renew(holder, leaseId, () => renewLater(holder, leaseId)))
    world.after('client', Math.floor(holder.hold.ttlMs / 3), again)
  }

  /** The lease is gone; who comes back has to begin anew. */
  const lose = (holder: Holder) => {
    trace(() => `${holder.name} has lost lease ${holder.leaseId}`)
    holder.isRunning = false
    holder.subscriber?.stop()
    holder.leaseId = undefined
  }

  const subscribe = (holder: Holder, leaseId: LeaseId, start: SubscribeRequest['start']) => {
    const { priority } = holder
    const { heartbeatMs, window, readsInMs, types } = holder.hold
    holder.subscriber?.stop()
    holder.subscriber = createSubscriber(host, {
      name: `${holder.name}, lease ${leaseId}`,
      request: {
        sets: holder.sets,
        types: new Set(types === 'few' ? TYPES : ALL_TYPES),
        spaceId: SPACE_ID,
        heartbeatMs,
        hold: { leaseId, priority },
      },
      start,
      window,
      readsInMs: () => (readsInMs === 0 ? 0 : world.random.between(0, readsInMs)),
      onMessage: whileItRuns(holder, (message) => hear(holder, leaseId, message)),
      onRefused: whileItRuns(holder, (failure) => refused(holder, leaseId, failure)),
    })
  }

  const hear = (holder: Holder, leaseId: LeaseId, message: Message) => {
    holder.cursor = holder.subscriber?.cursor ?? holder.cursor
    const isNews = keepBooks(oracle.users, leaseId, message)
    const inMs = holder.acknowledgesInMs
    if (inMs === undefined || !(isNews || (holder.hold.acknowledgesIdle && message.kind === 'heartbeat'))) return
    world.after(
      'client',
      world.random.between(0, inMs),
      whileItRuns<void>(holder, () => acknowledge(holder)),
    )
  }

  /** Its word for everything that it has read. */
  const acknowledge = (holder: Holder) => {
    const { leaseId, cursor } = holder
    if (leaseId === undefined || cursor === undefined) return
    oracle.users.acknowledged(leaseId, cursor)
    const losses = world.random.percent(10) ? 1 : 0
    const asking = { kind: 'acknowledge', leaseId, revision: cursor } as const
    wire.send({ who: holder.name, asking, requestId: undefined, losses, onDone: () => undefined })
  }

  const refused = (holder: Holder, leaseId: LeaseId, { reason }: Failure) => {
    if (reason === 'HOLD_DIFFERS') {
      coverage.count('hold refused')
      if (holder.priority === holder.hold.priority) return
      // Its registration has not ended: the priority is what it was.
      holder.priority = holder.hold.priority
      return subscribe(holder, leaseId, startOf(holder, 'cursor'))
    }
    if (reason !== 'LEASE_NOT_FOUND') return
    // Where references stay it can be had back.
    if (holder.hold.onExpiry === 'HOLD') comeBack(holder, 'cursor')
    else lose(holder)
  }

  const comeBack = (holder: Holder, from: 'cursor' | 'snapshot') => {
    const { leaseId } = holder
    if (leaseId === undefined) return
    holder.life += 1
    holder.isRunning = true
    renew(holder, leaseId, () => {
      renewLater(holder, leaseId)
      subscribe(holder, leaseId, startOf(holder, from))
    })
  }

  const startOf = ({ cursor }: Holder, from: 'cursor' | 'snapshot'): SubscribeRequest['start'] => {
    return from === 'cursor' && cursor !== undefined ? { kind: 'after', revision: cursor } : { kind: 'snapshot' }
  }

  const crash = (holder: Holder) => {
    holder.life += 1
    holder.isRunning = false
    holder.subscriber?.stop()
    holder.subscriber = undefined
  }

  return {
    perform: (act) => {
      const holder = all.get(act.holder)
      if (act.do === 'hold') {
        if (holder !== undefined) crash(holder)
        return begin(act)
      }
      if (holder === undefined) return
      switch (act.do) {
        case 'holder crashes':
          return crash(holder)
        case 'holder comes back':
          if (holder.isRunning) return
          holder.priority = act.priority ?? holder.priority
          return comeBack(holder, act.from)
        case 'hold twice':
          return holder.isRunning ? holder.subscriber?.openAgain(act.from) : undefined
        case 'holder stops reading':
          return holder.subscriber?.setReading(false)
        case 'holder reads on':
          return holder.subscriber?.setReading(true)
        case 'clean up':
          holder.acknowledgesInMs = act.inMs
          if (act.inMs !== undefined && holder.isRunning) acknowledge(holder)
          return
        case 'hold differently':
          if (holder.isRunning && holder.leaseId !== undefined) holdDifferently(holder, holder.leaseId)
          return
        case 'holder leaves': {
          const { leaseId, name } = holder
          crash(holder)
          if (leaseId === undefined) return
          const asking = { kind: 'revoke_lease', leaseId } as const
          wire.send({ who: name, asking, requestId: newRequestId(), losses: 0, onDone: () => undefined })
        }
      }
    },
    readOn: () => {
      for (const holder of all.values()) {
        holder.subscriber?.setReading(true)
        if (holder.isRunning) acknowledge(holder)
      }
    },
  }

  /** With the same lease, and another priority. */
  function holdDifferently(holder: Holder, leaseId: LeaseId): void {
    const others: Readonly<Record<Priority, Priority>> = { CPU: 'IOMMU', IOMMU: 'DEVICE', DEVICE: 'CPU' }
    const hold = { leaseId, priority: others[holder.priority] }
    const request = { sets: holder.sets, types: new Set(ALL_TYPES), spaceId: '', heartbeatMs: 1000, hold }
    const subscriber = createSubscriber(host, {
      name: `another stream of ${holder.name}`,
      request,
      start: { kind: 'snapshot' },
      window: 1,
      readsInMs: () => 0,
      // Where it is the first registration after all, it is not the one that keeps the books.
      onMessage: () => subscriber.stop(),
      onRefused: ({ reason }) => {
        if (reason === 'HOLD_DIFFERS') coverage.count('hold refused')
      },
    })
  }
}
