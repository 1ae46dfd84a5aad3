import { type Failure, REASONS } from '../../server/core/failure.ts'
import type { SubscribeRequest } from '../../server/engine/subscribe.ts'
import type { Connection, Message } from './connection.ts'
import type { Host } from './host.ts'

/** A client that reads a stream and goes on where it was whenever the stream ends. */
export interface Subscriber {
  /** Everything up to here was read; undefined: nothing yet. */
  readonly cursor: number | undefined
  setReading(reads: boolean): void
  /** Opens another stream, while the daemon may still have the earlier one. */
  openAgain(from: 'cursor' | 'snapshot'): void
  stop(): void
}

type Start = SubscribeRequest['start']

export interface SubscriberOptions {
  readonly name: string
  readonly request: Omit<SubscribeRequest, 'start'>
  readonly start: Start
  readonly window: number
  readonly readsInMs: () => number
  readonly onMessage: (message: Message) => void
  /** A refusal, or an end of the stream, that has to do with neither the connection nor the cursor. */
  readonly onRefused: (failure: Failure) => void
}

export function createSubscriber(host: Host, options: SubscriberOptions): Subscriber {
  const { world, connections, coverage, daemon, trace } = host
  const { name, request, window, readsInMs } = options
  let cursor: number | undefined
  /** The latest one counts; earlier ones may be open still, and take what comes. */
  const all = new Set<Connection>()
  let attempt = 0
  let isStopped = false
  let reads = true
  let process = 0

  const open = (start: Start) => {
    if (isStopped) return
    attempt += 1
    const mine = attempt
    const number = daemon.process?.number ?? 0
    const connection = connections.open({
      name,
      request: { ...request, start },
      window,
      readsInMs,
      onMessage: (message) => {
        if (message.kind === 'end') all.delete(connection)
        // An earlier stream of the same reader is nobody's any more.
        if (mine !== attempt || isStopped) return
        if (message.kind === 'header' && start.kind === 'after') {
          coverage.count(number === process ? 'resumed with a cursor' : 'resumed with a cursor after a restart')
          if (number !== process && process > 0 && request.hold !== undefined) {
            coverage.count('hold resumed after a restart')
          }
        }
        if (message.kind === 'header') process = number
        read(message, start)
      },
    })
    all.add(connection)
    connection.setReading(reads)
  }

  const read = (message: Message, start: Start) => {
    switch (message.kind) {
      case 'header':
        // Before a snapshot was read it is no cursor.
        if (start.kind !== 'snapshot') cursor = message.revision
        return
      case 'snapshot':
        coverage.count('snapshot told')
        cursor = message.revision
        break
      case 'heartbeat':
        cursor = message.revision
        break
      case 'told':
        cursor = message.item.revision
        break
      case 'end':
        return ended(message.failure, start)
    }
    options.onMessage(message)
  }

  const ended = (failure: Failure | undefined, start: Start) => {
    if (failure !== undefined || daemon.process !== undefined) {
      trace(() => `the stream of ${name} ends: ${failure?.reason ?? 'the connection broke'}`)
    }
    const isLost = failure === undefined || REASONS[failure.reason] === 'UNAVAILABLE'
    if (failure?.reason === 'COMPACTED') coverage.count('told COMPACTED')
    const next: Start | undefined =
      failure?.reason === 'COMPACTED' ? { kind: 'snapshot' } : isLost ? fromCursor(start) : undefined
    if (next !== undefined) later(() => open(next))
    else if (failure !== undefined) options.onRefused(failure)
  }

  const fromCursor = (otherwise: Start): Start =>
    cursor === undefined ? otherwise : { kind: 'after', revision: cursor }
  const later = (run: () => void) => void world.after('client', world.random.between(50, 400), run)

  open(options.start)
  return {
    get cursor() {
      return cursor
    },
    setReading: (next) => {
      if (reads && !next) coverage.count('reader stopped')
      reads = next
      for (const connection of all) connection.setReading(next)
    },
    openAgain: (from) => open(from === 'snapshot' ? { kind: 'snapshot' } : fromCursor(options.start)),
    stop: () => {
      isStopped = true
      for (const connection of all) connection.close()
    },
  }
}
