import type { Batch, Store } from '../../server/store/store.ts'

/** A store in somebody's hand: batches are counted, held back, and fail when told to. */
export interface ControlledStore extends Store {
  /** Every batch that was handed over, on disk or not. */
  readonly batches: readonly Batch[]
  /** How often the log was read. */
  readonly tails: number
  /** From now on batches stay in the air. */
  hold(): void
  /** What is in the air reaches the disk, and so does what comes. */
  release(): void
  /** What is in the air, or comes next, is lost with this error. */
  fail(cause: Error): void
}

export function controlStore(inner: Store): ControlledStore {
  const batches: Batch[] = []
  let tails = 0
  let gate: Promise<void> | undefined
  let open: () => void = () => undefined
  let failure: Error | undefined

  const release = () => {
    gate = undefined
    open()
  }
  return {
    ...inner,
    batches,
    get tails() {
      return tails
    },
    tail: (after, maxBytes) => {
      tails += 1
      return inner.tail(after, maxBytes)
    },
    append: async (batch) => {
      batches.push(batch)
      while (gate !== undefined) await gate
      if (failure !== undefined) throw failure
      await inner.append(batch)
    },
    hold: () => {
      if (gate !== undefined) return
      gate = new Promise<void>((resolve) => {
        open = resolve
      })
    },
    release,
    fail: (cause) => {
      failure = cause
      release()
    },
  }
}
