import { countField } from './count-field.ts'
import { openWire, type Wire } from './wire.ts'

/** Many streams of one server, of which the events are counted and nothing else is done with them. */
export interface Watchers {
  /** All that were told since the beginning, to all of them together. */
  readonly events: number
  /** Resolves when so many were told; rejects when a stream ended, or nothing was told for 10 s. One call at a time. */
  readonly reached: (events: number) => Promise<void>
  readonly close: () => void
}

export interface StreamRequest {
  readonly path: string
  /** Everything that is ever said on it, each with an answer, HEADER or `created`, before any event. */
  readonly messages: readonly Buffer[]
}

export interface WatchersOptions {
  readonly address: string
  readonly connections: number
  /** Each has its stream. */
  readonly requests: readonly StreamRequest[]
  /** The number of the field that holds a message's events, up to 15. */
  readonly eventsField: number
}

const STALLED_MS = 10_000

interface Awaited {
  readonly isSo: () => boolean
  readonly settle: (failure: Error | undefined) => void
}

/** Resolves when every stream has begun. */
export async function openWatchers(options: WatchersOptions): Promise<Watchers> {
  const { address, connections, requests, eventsField } = options
  let events = 0
  let silent = 0
  let messages = 0
  let failure: Error | undefined
  let awaited: Awaited | undefined

  const look = () => {
    if (awaited === undefined || (failure === undefined && !awaited.isSo())) return
    awaited.settle(failure)
    awaited = undefined
  }
  const fail = (cause: Error) => {
    failure ??= cause
    look()
  }
  const open = (wire: Wire, { path, messages: sent }: StreamRequest) => {
    let unanswered = sent.length
    silent += unanswered
    wire.open(path, sent, {
      onMessage: (message) => {
        const told = countField(message, eventsField)
        messages += 1
        events += told
        // What comes without an event later is a heartbeat, or progress.
        if (told === 0 && unanswered > 0) {
          unanswered -= 1
          silent -= 1
        }
        look()
      },
      onEnd: (cause) => fail(new Error(`${address}: a stream of ${path} was refused or ended`, { cause })),
    })
  }
  const wires = await Promise.all(Array.from({ length: connections }, () => openWire(address)))
  for (const [index, request] of requests.entries()) {
    const wire = wires[index % connections]
    if (wire !== undefined) open(wire, request)
  }
  let before = messages
  const watchdog = setInterval(() => {
    const why = `${address}: ${events} events were told, ${silent} watchers have not begun, and nothing more comes`
    if (awaited !== undefined && messages === before) fail(new Error(why))
    before = messages
  }, STALLED_MS)
  const close = () => {
    clearInterval(watchdog)
    for (const wire of wires) wire.close()
  }
  const until = (isSo: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      awaited = { isSo, settle: (cause) => (cause === undefined ? resolve() : reject(cause)) }
      look()
    })

  try {
    await until(() => silent === 0)
  } catch (cause) {
    close()
    throw cause
  }
  return {
    get events() {
      return events
    },
    reached: (wanted) => until(() => events >= wanted),
    close,
  }
}
