import type { Command } from '../../server/core/command.ts'
import { checkHistory } from './check.ts'
import type { History, Operation, Stream } from './history.ts'
import type { Item, Outcome, Read } from './record.ts'
import type { Violation } from './violation.ts'
import type { Witness } from './witness.ts'

/** Histories in which it matters when something came, written by hand. */

const everything = { all: true, tokens: [], setIds: [], types: [] }
export const done = { kind: 'done' }

type Asked = Omit<Operation, 'outcome' | 'returnedMs'>

function askedAt(atMs: number, name: string, ask: Operation['ask']): Asked {
  return { id: name, ask, invokedMs: atMs, lastInvokedMs: atMs, deadMs: Infinity }
}

/** Asked for in the second with the revision's number, and answered in it; at other times where another is given. */
export function changed(revision: number, command: Command, answer: object, atMs = revision * 1_000): Operation {
  const outcome: Outcome = { kind: 'answer', answer, revision }
  const ask = { kind: 'change', requestId: undefined, command } as const
  return { ...askedAt(atMs, `r${revision} at ${atMs}`, ask), outcome, returnedMs: atMs + 100 }
}

export function readAt(atMs: number, read: Read, answer: object): Operation {
  const outcome: Outcome = { kind: 'answer', answer, revision: undefined }
  return { ...askedAt(atMs, `read at ${atMs}`, { kind: 'read', read }), outcome, returnedMs: atMs + 100 }
}

type Telling = readonly [atMs: number, revision: number, events: readonly string[], overrun?: readonly number[]]

export function streamOf(id: string, stream: Stream['stream'], told: readonly Telling[]): Stream {
  const items = told.map(([atMs, revision, events, overrun = []]) => {
    const item: Item = { kind: events.length > 0 ? 'revision' : 'progress', revision, events, overrun }
    return { atMs, item }
  })
  return { id, askedMs: 0, stream, items }
}

/** The stream of everything, from the beginning on. */
export const logOf = (told: readonly Telling[]): Stream =>
  streamOf('log', { filter: everything, start: 0, hold: undefined }, [[500, 0, []], ...told])

interface Others {
  readonly streams?: readonly Stream[]
  readonly witness?: Witness
}

export function check(operations: Operation[], revision: number, log: Stream, others: Others = {}) {
  const limits = { capacity: 16, reuseDelayMs: 0, teardownTimeoutMs: 700 }
  const { streams = [], ...rest } = others
  const history: History = { operations, streams: [log, ...streams], log, revision, ...limits, ...rest }
  return checkHistory(history)
}

export const rulesOf = (violations: readonly Violation[]): string[] => violations.map(({ rule }) => rule)

/** Its grant, and the answer to it. */
export const lease = (leaseId: number, onExpiry: 'RELEASE' | 'HOLD' = 'RELEASE') => {
  const seen = { leaseId, name: '', ttlMs: 5_000, onExpiry, references: 0, sets: 0, state: 'ALIVE' }
  return [
    { kind: 'grant_lease', terms: { name: '', ttlMs: 5_000, onExpiry } },
    { kind: 'lease', ...seen },
  ] as const
}

/** The answer to the creation of set 1, `vm`. */
export function set(leaseId: number | undefined, createRevision: number): object {
  const counts = { quota: 0, allocated: 0, freePending: 0, bound: 0, state: 'ACTIVE' }
  return { kind: 'set', setId: 1, token: 'vm', ...counts, leaseId, createRevision }
}
