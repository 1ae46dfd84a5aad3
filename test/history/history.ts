import type { Command } from '../../server/core/command.ts'
import type { Ask, Item, Line, Outcome, StreamAsk } from './record.ts'
import type { Witness } from './witness.ts'

/** One request of one client, with all its attempts. */
export interface Operation {
  readonly id: string
  readonly ask: Ask
  /** When its first attempt was sent. */
  readonly invokedMs: number
  /** When its last one was: a refusal is of that one, since a first one that succeeded would have been answered again. */
  lastInvokedMs: number
  /** Infinity: never. */
  returnedMs: number
  outcome: Outcome
  /** When it was too late for it to happen, if its outcome is unknown: the daemon or the client was dead. */
  deadMs: number
}

export type Change = Operation & { readonly ask: { readonly kind: 'change'; readonly command: Command } }

export interface Stream {
  readonly id: string
  readonly askedMs: number
  readonly stream: StreamAsk
  readonly items: { readonly atMs: number; readonly item: Item }[]
}

export interface History {
  readonly operations: Operation[]
  readonly streams: Stream[]
  /** Of `streams`: the one of all sets and types from revision 0 on, read to the end. */
  readonly log: Stream
  /** The last one that there was. */
  readonly revision: number
  readonly capacity: number
  readonly reuseDelayMs: number
  readonly teardownTimeoutMs: number
  /** Without one, the order is looked for among all that there can be. */
  readonly witness?: Witness
}

export const isChange = (operation: Operation): operation is Change => operation.ask.kind === 'change'

/** What a client sent last has happened, or will not, so long after it was killed. */
const LAST_WORDS_MS = 5_000

/** `w1-owner0.17` is of `w1`. */
const clientOf = (id: string): string => id.split('-')[0] ?? id

/** Puts lines of any number of clients together; ids differ between clients. */
export function gather(lines: readonly Line[]): { operations: Operation[]; streams: Stream[] } {
  const operations = new Map<string, Operation>()
  const streams = new Map<string, Stream>()
  const lastOf = new Map(lines.map(({ id, at }) => [clientOf(id), at]))
  for (const line of lines) {
    if (line.t === 'ask') {
      const { id, at, ask } = line
      const outcome: Outcome = { kind: 'unknown', why: 'the client was killed' }
      operations.set(id, { id, ask, invokedMs: at, lastInvokedMs: at, returnedMs: Infinity, outcome, deadMs: Infinity })
    } else if (line.t === 'again') {
      must(operations.get(line.id), line.id).lastInvokedMs = line.at
    } else if (line.t === 'end') {
      const operation = must(operations.get(line.id), line.id)
      operation.outcome = line.outcome
      if (line.outcome.kind !== 'unknown') operation.returnedMs = line.at
      else if (line.outcome.why.startsWith('UNAVAILABLE')) operation.deadMs = line.at
    } else if (line.t === 'stream') {
      streams.set(line.id, { id: line.id, askedMs: line.at, stream: line.stream, items: [] })
    } else {
      must(streams.get(line.id), line.id).items.push({ atMs: line.at, item: line.item })
    }
  }
  for (const operation of operations.values()) {
    const lastMs = lastOf.get(clientOf(operation.id)) ?? Infinity
    if (operation.outcome.kind === 'unknown') operation.deadMs = Math.min(operation.deadMs, lastMs + LAST_WORDS_MS)
  }
  return { operations: [...operations.values()], streams: [...streams.values()] }
}

export function must<Value>(value: Value | undefined, what: string): Value {
  if (value === undefined) throw new Error(`no ${what}`)
  return value
}
