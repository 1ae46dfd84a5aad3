import { type Failure, fail, isFailure } from '../core/failure.ts'
import { asRevision, type Revision } from '../core/ids.ts'
import { type FrozenState, freeze } from '../core/state.ts'
import { type BackupItem, type Genesis, type Store, StoreError } from '../store/store.ts'
import { answersUpTo, isAnswerMark } from './answers.ts'
import type { Clock } from './clock.ts'
import { isLeaseMark, leaseOfMark } from './lease-times.ts'
import type { Sequencer } from './sequencer.ts'

/**
 * The whole space at one durable revision, piece by piece, while it is served. The state is frozen pages, of which the
 * writer copies what it changes; the log and the marks are read in portions. No read is open between two pieces: in LMDB one
 * long read would keep every page that is written meanwhile.
 */
export interface Backup {
  /** Everything at or below it is in the backup, and nothing above. */
  readonly revision: Revision
  readonly items: AsyncIterable<BackupItem>
  /** Aborted when the daemon ends it. */
  readonly signal: AbortSignal
  /** Why it was. */
  readonly failure: () => Failure | undefined
  /** Must be called, once it is done with. */
  readonly close: () => void
}

export interface Backups {
  open(): Promise<Backup | Failure>
  /** Ends those that are being read. */
  endAll(failure: Failure): void
}

export interface BackupsOptions {
  readonly store: Pick<Store, 'tail' | 'readMarks'>
  readonly clock: Pick<Clock, 'wallMs'>
  readonly genesis: Genesis
  readonly read: Sequencer['read']
  readonly compactRevision: () => Revision
}

/** Frozen pages are memory, and an operator wants one backup at a time: the second is for who did not know of the first. */
const MAX_BACKUPS = 2
const RETRY_AFTER_MS = 10_000
const PORTION_BYTES = 128 << 10

export function createBackups(options: BackupsOptions): Backups {
  const open = new Set<(failure: Failure) => void>()
  return {
    open: async () => {
      if (open.size >= MAX_BACKUPS) return tooMany()
      const ending = new AbortController()
      let failure: Failure | undefined
      const end = (why: Failure) => {
        failure = why
        ending.abort()
      }
      open.add(end)
      const frozen = await options.read((state) => ({ ...freeze(state), capacity: state.config.capacity }))
      if (isFailure(frozen)) {
        open.delete(end)
        return frozen
      }
      return {
        revision: frozen.revision,
        items: itemsOf(options, frozen, ending.signal),
        signal: ending.signal,
        failure: () => failure,
        close: () => {
          ending.abort()
          open.delete(end)
        },
      }
    },
    endAll: (failure) => {
      for (const end of open) end(failure)
    },
  }
}

async function* itemsOf(
  options: BackupsOptions,
  { capacity, ...state }: FrozenState & { readonly capacity: number },
  signal: AbortSignal,
): AsyncGenerator<BackupItem, void, undefined> {
  const { genesis, clock } = options
  yield { kind: 'header', ...genesis, capacity, wallMs: clock.wallMs(), revision: state.revision }
  yield { kind: 'state', state }
  yield* logUpTo(options, state.revision, signal)
  yield* marksOf(options, state, signal)
}

async function* logUpTo(
  { store, compactRevision }: BackupsOptions,
  last: Revision,
  signal: AbortSignal,
): AsyncGenerator<BackupItem, void, undefined> {
  const beginning = () => asRevision(Math.min(compactRevision(), last))
  let cursor = beginning()
  yield { kind: 'begin', compactRevision: cursor }
  while (cursor < last && !signal.aborted) {
    const entries = await orCompacted(store.tail(cursor, PORTION_BYTES))
    if (entries === 'compacted') {
      cursor = beginning()
      yield { kind: 'begin', compactRevision: cursor }
      continue
    }
    const wanted = entries.filter(({ revision }) => revision <= last)
    cursor = wanted.at(-1)?.revision ?? last
    yield { kind: 'entries', entries: wanted }
  }
}

async function orCompacted<Value>(reading: Promise<Value>): Promise<Value | 'compacted'> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof StoreError && error.problem === 'COMPACTED') return 'compacted'
    throw error
  }
}

/**
 * Marks are as they are when they are read, which is later than the state. For the clock and for leases later is better:
 * nothing of either ends sooner for it. An answer to a change that is not in the backup must not be in it.
 */
async function* marksOf(
  { store }: BackupsOptions,
  { revision, leases }: FrozenState,
  signal: AbortSignal,
): AsyncGenerator<BackupItem, void, undefined> {
  const leaseIds = new Set<number>(leases.map(({ leaseId }) => leaseId))
  const answers = answersUpTo(revision)
  for (let after = ''; !signal.aborted; ) {
    const found = await store.readMarks(after, PORTION_BYTES)
    const last = found.at(-1)
    if (last === undefined) return
    after = last.key
    const marks = found.flatMap((mark) => {
      if (isAnswerMark(mark.key)) return answers(mark)
      return isLeaseMark(mark.key) && !leaseIds.has(leaseOfMark(mark.key)) ? [] : [mark]
    })
    if (marks.length > 0) yield { kind: 'marks', marks }
  }
}

function tooMany(): Failure {
  const message = `${MAX_BACKUPS} backups are being read already. Try again when one of them has come to its end.`
  return fail('TOO_MANY', message, { what: 'backups', limit: MAX_BACKUPS, retry_after_ms: RETRY_AFTER_MS })
}
