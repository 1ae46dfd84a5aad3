import { type Entry, weigh } from '../core/event.ts'
import { type Failure, fail } from '../core/failure.ts'
import type { MarkChange, Store } from '../store/store.ts'
import type { Clock } from './clock.ts'

/**
 * Batches on their way to the disk: what is added while one is being written is the next. Whoever was promised something
 * ahead of the disk waits here, and is let go when it is durable, or told that it will not be known to be. There is no
 * undo: an append that fails ends this process's right to serve.
 */
export interface GroupCommit {
  add(entry: Entry): void
  keep(change: MarkChange): void
  /** Counts what `late` will give to the batch. */
  expect(bytes: number): void
  /** Has what was added written, as soon as what arrived with it has been added too. */
  schedule(): void
  /**
   * What must be durable before anything that is known now may be told; undefined: everything is. It resolves to a
   * failure when the store failed.
   */
  settled(): Promise<Failure | undefined> | undefined
  /** Nothing is written and nothing told any more. */
  stop(cause: unknown): void
  /** Why nothing is, if so. */
  readonly failure: Failure | undefined
  /** About how much was added and is not durable. */
  readonly bytes: number
  /** For how long the store has been writing the batch that it writes now; 0: it writes none. */
  readonly writingMs: number
}

export interface GroupCommitOptions {
  readonly store: Store
  readonly clock: Clock
  /** Marks that are made when a batch is closed, from all that came to it. */
  readonly late: { readonly isDue: boolean; seal(): readonly MarkChange[] }
  /** Called in order with what has become durable, before anybody is answered. */
  readonly publish: (entries: readonly Entry[]) => void
  /** Called with each batch that has become durable: how many entries, and how long the store took. */
  readonly onCommit?: ((entries: number, durationMs: number) => void) | undefined
  /** Called once. */
  readonly onFailure: (cause: unknown) => void
}

interface Batch {
  readonly entries: Entry[]
  readonly marks: MarkChange[]
  bytes: number
  readonly durable: Promise<Failure | undefined>
  readonly settle: (failure: Failure | undefined) => void
}

export function createGroupCommit(options: GroupCommitOptions): GroupCommit {
  const { store, clock, late, publish, onCommit, onFailure } = options
  let open = createBatch()
  let writing: Batch | undefined
  let beganMs = 0
  let isScheduled = false
  let failure: Failure | undefined

  const isIdle = () => open.entries.length + open.marks.length === 0 && !late.isDue

  const write = async () => {
    isScheduled = false
    // The core may break between two batches, or while one is being written: then nothing more is written or told.
    while (!isIdle() && failure === undefined) {
      const batch = open
      batch.marks.push(...late.seal())
      writing = batch
      open = createBatch()
      beganMs = clock.monotonicMs()
      try {
        await store.append(batch)
        if (failure !== undefined) return
        onCommit?.(batch.entries.length, clock.monotonicMs() - beganMs)
        // Told in this order: who is answered may read the stream and must find the change in it.
        publish(batch.entries)
      } catch (cause) {
        return stop(cause)
      }
      batch.settle(undefined)
    }
    writing = undefined
  }

  const stop = (cause: unknown) => {
    if (failure !== undefined) return
    failure = storeFailed()
    writing?.settle(failure)
    open.settle(failure)
    onFailure(cause)
  }

  return {
    add: (entry) => {
      open.entries.push(entry)
      open.bytes += weigh(entry)
    },
    keep: (change) => {
      open.marks.push(change)
      open.bytes += weighMark(change)
    },
    expect: (bytes) => {
      open.bytes += bytes
    },
    schedule: () => {
      if (isScheduled || isIdle() || writing !== undefined || failure !== undefined) return
      isScheduled = true
      // Not at once: the calls that arrived together are written together.
      clock.soon(() => void write())
    },
    settled: () => {
      if (failure !== undefined) return Promise.resolve(failure)
      return isIdle() ? writing?.durable : open.durable
    },
    stop,
    get failure() {
      return failure
    },
    get bytes() {
      return open.bytes + (writing?.bytes ?? 0)
    },
    get writingMs() {
      return writing === undefined ? 0 : clock.monotonicMs() - beganMs
    },
  }
}

export function storeFailed(): Failure {
  const message = 'The store failed: whether the change was kept is not known. Send it again with the same request_id.'
  return fail('STORE_FAILED', message)
}

function createBatch(): Batch {
  const { promise, resolve } = withResolvers<Failure | undefined>()
  return { entries: [], marks: [], bytes: 0, durable: promise, settle: resolve }
}

/** About how many bytes it takes; the answer to a large request is as large as its entry. */
function weighMark({ key, value }: MarkChange): number {
  return 64 + key.length + (value?.length ?? 0)
}

/** Promise.withResolvers, which Node has from 22 on. */
function withResolvers<Value>() {
  let resolve: (value: Value) => void = () => undefined
  const promise = new Promise<Value>((resolved) => {
    resolve = resolved
  })
  return { promise, resolve }
}
