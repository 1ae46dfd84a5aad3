import { NOTIFICATION_TYPES, type NotificationType } from '../../server/core/event.ts'
import { asSetId } from '../../server/core/ids.ts'
import type { SubscribeRequest } from '../../server/engine/subscribe.ts'
import { SPACE_ID } from './daemon.ts'
import type { Host } from './host.ts'
import { drawOne, type Random } from './random.ts'
import { createSubscriber, type Subscriber } from './subscriber.ts'
import { TOKENS } from './tokens.ts'

/** Plain subscribers: any filter, any types, from anywhere, quick, slow or stopped. */
export type WatcherAct =
  | {
      readonly do: 'watch'
      readonly watcher: number
      readonly sets: DrawnSets
      readonly types: readonly NotificationType[]
      readonly start: 'now' | 'snapshot' | 'zero' | 'any' | 'newest' | 'oldest' | 'future'
      readonly place: number
      readonly spaceId: string
      readonly heartbeatMs: number
      readonly window: number
      readonly readsInMs: number
    }
  | { readonly do: 'stop reading' | 'read on' | 'stop watching'; readonly watcher: number }

/** Tokens by name, sets by place. */
export type DrawnSets = 'all' | { readonly tokens: readonly string[]; readonly sets: readonly number[] }

const WATCHERS = 4
const PLACES = 1000

export function drawSets(random: Random): DrawnSets {
  const some = (most: number) => random.below(most + 1)
  const tokens = Array.from({ length: some(2) }, () => random.pick(TOKENS))
  const sets = Array.from({ length: some(1) }, () => random.below(PLACES))
  return tokens.length + sets.length === 0 ? 'all' : { tokens, sets }
}

/** By place, among the sets that were there last and all that ever were. */
export function namedBy(drawn: DrawnSets, { oracle: { model } }: Host): SubscribeRequest['sets'] {
  if (drawn === 'all') return drawn
  const live = model.sets.map(({ setId }) => setId)
  const numbers = drawn.sets.map((place) => {
    const isLive = place < 0.65 * PLACES && live.length > 0
    return (isLive ? live[place % live.length] : place % (model.lastSetId + 2)) ?? 0
  })
  return { tokens: new Set(drawn.tokens), setIds: new Set(numbers.map(asSetId)) }
}

export function drawWatcherAct(random: Random): WatcherAct {
  const watcher = random.below(WATCHERS)
  return drawOne<WatcherAct>(random, [
    [5, () => drawWatch(random, watcher)],
    [2, () => ({ do: 'stop reading', watcher })],
    [2, () => ({ do: 'read on', watcher })],
    [1, () => ({ do: 'stop watching', watcher })],
  ])
}

function drawWatch(random: Random, watcher: number): WatcherAct {
  const types = random.percent(60) ? NOTIFICATION_TYPES : NOTIFICATION_TYPES.filter(() => random.percent(50))
  return {
    do: 'watch',
    watcher,
    sets: drawSets(random),
    types: types.length === 0 ? NOTIFICATION_TYPES : types,
    start: random.pick([
      'now',
      'now',
      'snapshot',
      'snapshot',
      'zero',
      'any',
      'any',
      'newest',
      'oldest',
      'oldest',
      'future',
    ]),
    place: random.below(PLACES),
    spaceId: random.pick(['', SPACE_ID, SPACE_ID, SPACE_ID, 'another']),
    heartbeatMs: random.pick([200, 1000, 5000]),
    window: random.pick([1, 2, 16]),
    readsInMs: random.pick([0, 0, 5, 200]),
  }
}

export interface Watchers {
  perform(act: WatcherAct): void
  /** All of them read on. */
  readOn(): void
}

export function createWatchers(host: Host): Watchers {
  const { world, oracle } = host
  const all = new Map<number, Subscriber>()

  const start = (act: Extract<WatcherAct, { do: 'watch' }>): SubscribeRequest['start'] => {
    const newest = oracle.model.revision
    const engine = host.daemon.process?.serving?.engine
    const compacted = Number(engine?.compacted().metadata['compact_revision'] ?? 0)
    switch (act.start) {
      case 'now':
      case 'snapshot':
        return { kind: act.start }
      case 'zero':
        return { kind: 'after', revision: 0 }
      case 'any':
        return { kind: 'after', revision: act.place % (newest + 1) }
      case 'newest':
        return { kind: 'after', revision: newest }
      case 'oldest':
        // At the edge of what is kept, and on both sides of it.
        return { kind: 'after', revision: Math.max(0, compacted + (act.place % 3) - 1) }
      case 'future':
        return { kind: 'after', revision: newest + 50 }
    }
  }

  return {
    perform: (act) => {
      const known = all.get(act.watcher)
      if (act.do === 'stop reading') return known?.setReading(false)
      if (act.do === 'read on') return known?.setReading(true)
      known?.stop()
      all.delete(act.watcher)
      if (act.do !== 'watch') return
      const { spaceId, heartbeatMs, window, readsInMs } = act
      const subscriber = createSubscriber(host, {
        name: `watcher ${act.watcher}`,
        request: { sets: namedBy(act.sets, host), types: new Set(act.types), spaceId, heartbeatMs, hold: undefined },
        start: start(act),
        window,
        readsInMs: () => (readsInMs === 0 ? 0 : world.random.between(0, readsInMs)),
        onMessage: () => undefined,
        onRefused: () => undefined,
      })
      all.set(act.watcher, subscriber)
    },
    readOn: () => {
      for (const subscriber of all.values()) subscriber.setReading(true)
    },
  }
}
