import { cancelled, type IoasidError } from './errors.ts'

/** Who waits until something has come to a revision. */
export interface RevisionWaiters {
  /** Resolves when it has come there. Rejects when the signal is aborted, or with what it ended with before. */
  readonly wait: (revision: bigint, signal: AbortSignal | undefined) => Promise<void>
  /** It may have come further. */
  readonly wake: () => void
  /** It comes no further. The first reason is the one that counts. */
  readonly end: (why: IoasidError) => void
}

interface Waiter {
  readonly revision: bigint
  readonly resolve: () => void
  readonly reject: (error: IoasidError) => void
}

export function revisionWaiters(hasCome: (revision: bigint) => boolean): RevisionWaiters {
  const waiters = new Set<Waiter>()
  let ended: IoasidError | undefined

  const wait = (revision: bigint, signal: AbortSignal | undefined): Promise<void> => {
    const gaveUp = () => cancelled('The caller gave up waiting.', signal?.reason)
    return new Promise((resolve, reject) => {
      if (hasCome(revision)) return resolve()
      if (ended !== undefined) return reject(ended)
      if (signal?.aborted) return reject(gaveUp())
      const giveUp = (): void => waiter.reject(gaveUp())
      const done = (): void => {
        waiters.delete(waiter)
        signal?.removeEventListener('abort', giveUp)
      }
      const waiter: Waiter = {
        revision,
        resolve: () => {
          done()
          resolve()
        },
        reject: (error) => {
          done()
          reject(error)
        },
      }
      waiters.add(waiter)
      signal?.addEventListener('abort', giveUp)
    })
  }

  return {
    wait,
    wake: () => {
      for (const { revision, resolve } of waiters) if (hasCome(revision)) resolve()
    },
    end: (why) => {
      ended ??= why
      for (const { reject } of waiters) reject(ended)
    },
  }
}
