import { type Failure, isFailure } from '../../server/core/failure.ts'
import type { SnapshotItem } from '../../server/core/snapshot.ts'
import type { Opened, SubscribeRequest } from '../../server/engine/subscribe.ts'
import type { FeedItem, Told } from '../../server/engine/subscription.ts'
import { showSnapshot } from './checkers/expect.ts'
import type { StreamRecord } from './checkers/stream-record.ts'
import type { Daemon, Process } from './daemon.ts'
import type { Oracle } from './oracle.ts'
import type { Sim } from './sim.ts'

/** What a subscriber reads, in this order. */
export type Message =
  | { readonly kind: 'header'; readonly revision: number }
  | { readonly kind: 'snapshot'; readonly revision: number; readonly items: readonly SnapshotItem[] }
  | { readonly kind: 'told'; readonly item: Told }
  | { readonly kind: 'heartbeat'; readonly revision: number }
  /** Without a failure the connection broke. */
  | { readonly kind: 'end'; readonly failure: Failure | undefined }

export interface ConnectionOptions {
  readonly name: string
  readonly request: SubscribeRequest
  /** So many messages may be on their way; the daemon goes on when one was read. */
  readonly window: number
  /** How long the reader takes for each. */
  readonly readsInMs: () => number
  readonly onMessage: (message: Message) => void
}

/** One Subscribe call: the daemon's side of it, and the peer's. */
export interface Connection {
  /** The peer reads on, or does not. */
  setReading(reads: boolean): void
  /** The peer goes away. */
  close(): void
}

export interface Connections {
  open(options: ConnectionOptions): Connection
  broken(process: Process): void
  /** Those that the daemon serves now. */
  readonly records: ReadonlySet<StreamRecord>
  /** Whether one has been asked for, or let go of, and not come to that yet. */
  readonly isChanging: boolean
}

interface Live extends ConnectionOptions {
  readonly process: Process
  readonly pipe: Message[]
  reads: boolean
  isReadScheduled: boolean
  isClosed: boolean
  /** Lets the daemon's side go on. */
  onRoom: () => void
  record: StreamRecord | undefined
  opened: Opened | undefined
}

export function createConnections(sim: Sim, daemon: () => Daemon, oracle: Oracle): Connections {
  const { world, coverage } = sim
  const live = new Set<Live>()
  const records = new Set<StreamRecord>()
  let closing = 0

  /** The peer's side: message after message, each in its time. */
  const readOn = (connection: Live) => {
    if (!connection.reads || connection.isClosed || connection.isReadScheduled || connection.pipe.length === 0) return
    connection.isReadScheduled = true
    world.after('client', connection.readsInMs(), () => {
      connection.isReadScheduled = false
      if (!connection.reads || connection.isClosed) return
      const message = connection.pipe.shift()
      if (message === undefined) return
      world.after('daemon', 0, () => connection.onRoom())
      if (message.kind === 'end') {
        connection.isClosed = true
        live.delete(connection)
      }
      connection.onMessage(message)
      readOn(connection)
    })
  }

  const push = (connection: Live, message: Message) => {
    connection.pipe.push(message)
    readOn(connection)
  }

  /** The daemon's side, as rpc/notification-service.ts has it. */
  const serve = async (connection: Live, opened: Opened, record: StreamRecord) => {
    const { subscription, revision, snapshot } = opened
    const room = async () => {
      while (connection.pipe.length >= connection.window && !subscription.signal.aborted) {
        await new Promise<void>((resolve) => {
          connection.onRoom = resolve
        })
      }
    }
    push(connection, { kind: 'header', revision })
    if (snapshot !== undefined) {
      await room()
      const items = [...snapshot.items()]
      snapshot.release()
      push(connection, { kind: 'snapshot', revision, items })
    }
    for (;;) {
      await room()
      record.waiting = oracle.moments.now()
      const item: FeedItem = await subscription.next()
      // A process that is gone tells nobody anything.
      if (!connection.process.isAlive) return
      oracle.streams.told(record, item)
      record.waiting = undefined
      if (item.kind === 'ended') {
        records.delete(record)
        opened.close()
        return push(connection, { kind: 'end', failure: item.failure })
      }
      push(connection, item.kind === 'entry' ? { kind: 'told', item } : item)
    }
  }

  const arrive = (connection: Live) => {
    const { process, request, name } = connection
    if (process.serving === undefined || connection.isClosed) return
    const { engine, state } = process.serving
    const compactRevision = Number(engine.compacted().metadata['compact_revision'])
    coverage.count('request')
    let outcome: Promise<Opened | Failure> | undefined
    const asked = oracle.answers.ask({ kind: 'subscribe', request, compactRevision }, state, process, () => {
      outcome = engine.subscribe(request)
    })
    outcome
      ?.then(async (opened) => {
        if (!process.isAlive) return
        if (isFailure(opened)) {
          oracle.answers.answer(asked, opened, state.servingMs)
          sim.trace(() => `${name} may not subscribe: ${opened.reason}`)
          return push(connection, { kind: 'end', failure: opened })
        }
        const { revision, snapshot } = opened
        const items = snapshot === undefined ? undefined : showSnapshot([...snapshot.items()])
        oracle.answers.answer(asked, { revision, snapshot: items }, state.servingMs)
        connection.opened = opened
        opened.subscription.signal.addEventListener('abort', () => connection.onRoom())
        if (connection.isClosed) return opened.close()
        sim.trace(() => `${name} subscribes after ${revision}${items === undefined ? '' : ', with a snapshot'}`)
        const record = recordOf(connection, revision)
        connection.record = record
        records.add(record)
        oracle.streams.look(record)
        await serve(connection, opened, record)
      })
      .catch((cause: unknown) => {
        if (process.isAlive && !sim.disk.isOwn(cause)) sim.report('sound', `the stream of ${name} throws ${cause}`)
      })
  }

  const recordOf = ({ name, request, process }: Live, revision: number): StreamRecord => ({
    name,
    sets: request.sets,
    types: request.types,
    hold: request.hold,
    heartbeatMs: request.heartbeatMs,
    process: process.number,
    cursor: revision,
    told: new Set(),
    waiting: undefined,
    lastTold: oracle.moments.now(),
    diskMs: sim.disk.busyMs(),
    isOpen: true,
    due: undefined,
  })

  return {
    records,
    get isChanging() {
      return closing > 0 || [...live].some(({ record }) => record === undefined)
    },
    open: (options) => {
      const { process } = daemon()
      const pipe: Message[] = []
      const state = { reads: true, isReadScheduled: false, isClosed: false, onRoom: () => undefined }
      if (process?.serving === undefined) {
        world.after('client', 1, () => options.onMessage({ kind: 'end', failure: undefined }))
        return { setReading: () => undefined, close: () => undefined }
      }
      const connection: Live = { ...options, ...state, process, pipe, record: undefined, opened: undefined }
      live.add(connection)
      world.after('daemon', world.random.below(9) / 4, () => arrive(connection))
      return {
        setReading: (reads) => {
          connection.reads = reads
          if (reads) readOn(connection)
        },
        close: () => {
          connection.isClosed = true
          live.delete(connection)
          if (connection.record !== undefined) connection.record.isOpen = false
          if (connection.record !== undefined) records.delete(connection.record)
          closing += 1
          world.after('daemon', 1, () => {
            closing -= 1
            connection.opened?.close()
          })
        },
      }
    },
    broken: (process) => {
      closing = 0
      for (const connection of [...live]) {
        if (connection.process !== process) continue
        if (connection.record !== undefined) {
          connection.record.isOpen = false
          records.delete(connection.record)
        }
        // Of what was on its way some may arrive still.
        connection.pipe.splice(world.random.between(0, connection.pipe.length))
        if (connection.pipe.at(-1)?.kind !== 'end') push(connection, { kind: 'end', failure: undefined })
        connection.onRoom = () => undefined
      }
    },
  }
}
