import { OUTCOMES, type Outcome } from '../rpc/observer.ts'
import { createHistogram, type Family, type Sample } from './families.ts'

/** What is counted while calls are served and batches written. Recording adds to numbers that are there: it makes nothing. */
export interface Recorder {
  /** Of a method, made once. */
  method(name: string): MethodRecorder
  /** A batch of so many entries has become durable. */
  committed(entries: number, durationMs: number): void
  families(): readonly Family[]
}

export interface MethodRecorder {
  /** A request: an RPC or an item of a Batch. */
  request(outcome: Outcome): void
  /** How long a unary RPC took. */
  took(durationMs: number): void
}

const CALL_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]
const COMMIT_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5]
const BATCH_ENTRIES = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]

const REQUESTS = 'ioasidd_requests_total'
const CALLS = 'ioasidd_rpc_duration_seconds'
const COMMITS = 'ioasidd_commit_duration_seconds'
const ENTRIES = 'ioasidd_commit_entries'

const INDEX = Object.fromEntries(OUTCOMES.map((outcome, index) => [outcome, index])) as Record<Outcome, number>

export function createRecorder(): Recorder {
  const methods = new Map<string, ReturnType<typeof createMethod>>()
  const commits = createHistogram(COMMIT_SECONDS)
  const entriesOfCommits = createHistogram(BATCH_ENTRIES)
  const all = (samplesOf: (method: ReturnType<typeof createMethod>, name: string) => readonly Sample[]) =>
    [...methods].flatMap(([name, method]) => samplesOf(method, name))

  return {
    method: (name) => {
      const known = methods.get(name) ?? createMethod()
      methods.set(name, known)
      return known
    },
    committed: (entries, durationMs) => {
      commits.record(durationMs / 1000)
      entriesOfCommits.record(entries)
    },
    families: () => [
      {
        name: REQUESTS,
        help: 'Requests that have come to their end: RPCs, and items of a Batch under their own method; reason OK, or why not',
        type: 'counter',
        values: all((method, name) => method.requests(name)),
      },
      {
        name: CALLS,
        help: 'How long unary RPCs took in the daemon. A Batch counts once, streams do not',
        type: 'histogram',
        values: all((method, name) => (method.isTimed ? method.durations.samples(CALLS, { method: name }) : [])),
      },
      {
        name: COMMITS,
        help: 'How long the store took to make a batch of changes durable',
        type: 'histogram',
        values: commits.samples(COMMITS, {}),
      },
      {
        name: ENTRIES,
        help: 'Revisions that one write of the store made durable; 0: only renewals, answers and the clock',
        type: 'histogram',
        values: entriesOfCommits.samples(ENTRIES, {}),
      },
    ],
  }
}

function createMethod() {
  const counts = new Float64Array(OUTCOMES.length)
  const durations = createHistogram(CALL_SECONDS)
  let isTimed = false
  return {
    durations,
    get isTimed() {
      return isTimed
    },
    request: (outcome: Outcome) => {
      const index = INDEX[outcome]
      counts[index] = (counts[index] ?? 0) + 1
    },
    took: (durationMs: number) => {
      isTimed = true
      durations.record(durationMs / 1000)
    },
    /** OK from the beginning, so that a rate has something to begin from; a reason once it has come up. */
    requests: (method: string): readonly Sample[] =>
      OUTCOMES.flatMap((reason, index) => {
        const value = counts[index] ?? 0
        return index === 0 || value > 0 ? [{ value, labels: { method, reason } }] : []
      }),
  }
}
