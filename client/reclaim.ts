import type { Freed } from './answers.ts'
import type { CallContext } from './call.ts'
import { cancelled, IoasidError } from './errors.ts'
import { subscribe } from './subscription.ts'
import type { SubscriptionItem } from './subscription-types.ts'

interface WaitLimits {
  /** By the client's clock; undefined: none. */
  readonly deadline: number | undefined
  readonly signal: AbortSignal | undefined
}

/**
 * Waits until what was freed is reclaimed, and gives the answer that it would have had then. What is not kept any more is
 * read from a snapshot; and of a set that is gone everything is reclaimed.
 */
export async function reclaimed(
  context: CallContext,
  setHandle: string,
  freed: Freed,
  { deadline, signal }: WaitLimits,
): Promise<Freed> {
  const { clock, closing } = context
  const pending = new Set(freed.results.filter(({ state }) => state === 'FREE_PENDING').map(({ ioasid }) => ioasid))
  if (pending.size === 0) return freed
  const giveUp = new AbortController()
  const onAbort = (): void => giveUp.abort()
  let isLate = false
  const expire = (): void => {
    isLate = true
    giveUp.abort()
  }
  const disarm = deadline === undefined ? () => {} : clock.schedule(Math.max(0, deadline - clock.nowMs()), expire)
  signal?.addEventListener('abort', onAbort)
  if (signal?.aborted) onAbort()
  try {
    const items = subscribe(context, {
      setHandles: [setHandle],
      types: ['FREE', 'RECLAIM'],
      start: { afterRevision: freed.revision },
      onLost: 'snapshot',
      signal: giveUp.signal,
    })
    await followPending(pending, freed.revision, items)
  } catch (error) {
    if (!isSetGone(error)) throw error
    pending.clear()
  } finally {
    disarm()
    signal?.removeEventListener('abort', onAbort)
  }
  if (pending.size > 0) throw stillPending(pending.size, isLate, closing.aborted, signal)
  return { ...freed, results: freed.results.map(({ ioasid }) => ({ ioasid, state: 'FREE', references: 0 })) }
}

/** Takes from `pending` what is reclaimed, until nothing is left or nothing more comes. */
async function followPending(
  pending: Set<number>,
  freedRevision: bigint,
  items: AsyncIterable<SubscriptionItem>,
): Promise<void> {
  /** Those of them that a snapshot has shown so far. */
  let shown = new Set<number>()
  for await (const item of items) {
    if (item.kind === 'snapshotBegin') shown = new Set()
    if (item.kind === 'snapshotEnd') for (const ioasid of pending) if (!shown.has(ioasid)) pending.delete(ioasid)
    if (item.kind === 'snapshot' || item.kind === 'revision') {
      for (const { type, ioasid, generation } of item.notifications) {
        // Of a later life it says that the one that was freed is over.
        if (type === 'FREE' && item.kind === 'snapshot' && generation <= freedRevision) shown.add(ioasid)
        if (type === 'RECLAIM') pending.delete(ioasid)
      }
    }
    if (pending.size === 0) return
  }
}

const isSetGone = (error: unknown): boolean => error instanceof IoasidError && error.reason === 'SET_NOT_FOUND'

function stillPending(count: number, isLate: boolean, isClosed: boolean, signal: AbortSignal | undefined): IoasidError {
  const state = `The ids are freed, and ${count} of them are not reclaimed yet.`
  if (isLate) return new IoasidError({ code: 'DEADLINE_EXCEEDED', message: state })
  if (isClosed) return cancelled(`The client is closed. ${state}`)
  return cancelled(`The caller gave up the call. ${state}`, signal?.reason)
}
