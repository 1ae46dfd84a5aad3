import type { TellableEvent } from '../../server/core/event.ts'
import { AGED, BOUND, eachId, PLAIN, UNBOUND } from '../../server/core/runs.ts'
import type { Engine } from '../../server/engine/engine.ts'
import type { Opened, SubscribeRequest } from '../../server/engine/subscribe.ts'
import type { FeedItem } from '../../server/engine/subscription.ts'
import { subscribe } from './engine.ts'
import { settle } from './manual-clock.ts'

/** A subscriber that reads whatever it is told, as it comes. */
export interface Listener {
  readonly opened: Opened
  /** What it was told since it was asked last, a line for each message, when nothing more comes without time passing. */
  told(): Promise<string[]>
}

export async function listen(engine: Engine, from: Partial<SubscribeRequest> = {}): Promise<Listener> {
  return listenTo(await subscribe(engine, from))
}

export function listenTo(opened: Opened): Listener {
  let lines: string[] = []
  const read = async () => {
    for (;;) {
      const item = await opened.subscription.next()
      lines.push(lineOf(item))
      if (item.kind === 'ended') return
    }
  }
  void read()
  return {
    opened,
    told: async () => {
      await settle(8)
      const before = lines
      lines = []
      return before
    },
  }
}

/** `7 UNBIND vm 1, FREE vm 1`; an id that is marked as overrun is `1!`. */
export function lineOf(item: FeedItem): string {
  switch (item.kind) {
    case 'heartbeat':
      return `${item.revision} HEARTBEAT`
    case 'ended':
      return `ended ${item.failure?.reason ?? ''}`.trimEnd()
    case 'entry':
      return `${item.revision} ${item.events.map((event) => words(event, item.overrun)).join(', ')}`
  }
}

const SHAPES = { ALLOC: PLAIN, BIND: BOUND, UNBIND: UNBOUND, FREE: AGED, RECLAIM: AGED } as const

/** `FREE vm 1 2`: the kind, the token, the ids. */
export function words(event: TellableEvent, overrun?: ReadonlySet<number>): string {
  const isTeardown = event.kind === 'UNBIND' || event.kind === 'FREE'
  const ids = 'runs' in event ? [...eachId(event.runs, SHAPES[event.kind])].map(({ id }) => id) : []
  const marked = ids.map((id) => (isTeardown && overrun?.has(id) ? `${id}!` : id))
  return [event.kind, event.set.token, ...marked].join(' ')
}
