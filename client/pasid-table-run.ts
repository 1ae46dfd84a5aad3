import type { Acknowledger } from './acknowledger.ts'
import { type Clock, sleep } from './clock.ts'
import { fromGrpc, IoasidError } from './errors.ts'
import { type Book, beginBind, beginUnbind, endBind, endUnbind, receive, type Step, settle } from './pasid-book.ts'
import type { OpenPasidTableOptions, PasidEntry, UnbindFacts } from './pasid-table-types.ts'
import type { Subscription } from './subscription-types.ts'
import type { RevisionWaiters } from './waiters.ts'

/** The longest time in ms that handlers which wait for nothing keep from the renewals of the lease. */
const MAX_TURN_MS = 20

/** One table on its way: steps from the book, handlers one after the other, acknowledgements beside them. */
export interface Running {
  readonly book: Book
  readonly clock: Clock
  readonly handlers: Pick<OpenPasidTableOptions, 'onBind' | 'onUnbind'>
  readonly subscription: Subscription
  readonly acknowledger: Acknowledger
  /** Aborted when nothing more is followed; its reason is the IoasidError that says why. */
  readonly stop: AbortController
  readonly waiters: RevisionWaiters
  /** Tells of a handler that fails while others are still to be called. */
  readonly report: (error: IoasidError) => void
  /** When handlers began to run without a turn of the event loop between. */
  turnSinceMs: number
  /** Resolves when no handler runs any more, of those that were wanted so far. */
  idle: Promise<unknown>
}

/** Follows the subscription until it is stopped; resolves with why it cannot go on. */
export async function followItems(running: Running): Promise<IoasidError | undefined> {
  const { book, subscription, stop, waiters } = running
  try {
    for await (const item of subscription) {
      running.turnSinceMs = running.clock.nowMs()
      for (const step of receive(book, item)) {
        if (stop.signal.aborted) return undefined
        await perform(running, step)
      }
      if (settle(book, item)) waiters.wake()
    }
    return undefined
  } catch (error) {
    return fromGrpc(error)
  }
}

async function perform(running: Running, step: Step): Promise<void> {
  switch (step.kind) {
    case 'bind':
      return await bind(running, step.entry)
    case 'unbind':
      return await unbind(running, step.entry, step)
    case 'acknowledge':
      return running.acknowledger.acknowledge({ revision: step.revision, spaceId: step.spaceId })
    case 'forgetAcknowledgement':
      return running.acknowledger.forget()
  }
}

async function bind(running: Running, entry: PasidEntry): Promise<void> {
  const { book, handlers, stop } = running
  const { spid, ioasid } = entry
  beginBind(book, entry)
  await handle(running, entry, 'onBind', () => handlers.onBind(spid, ioasid, { ...entry, signal: stop.signal }))
  endBind(book, entry)
}

type Cause = Pick<UnbindFacts, 'why' | 'overrun' | 'revision'>

async function unbind(running: Running, entry: PasidEntry, { why, overrun, revision }: Cause): Promise<void> {
  const { book, handlers } = running
  const { spid, ioasid } = entry
  beginUnbind(book, entry)
  await handle(running, entry, 'onUnbind', () => handlers.onUnbind(spid, ioasid, { ...entry, why, overrun, revision }))
  endUnbind(book, entry)
}

async function handle(running: Running, entry: PasidEntry, name: string, act: () => unknown): Promise<void> {
  const { clock } = running
  try {
    await act()
  } catch (cause) {
    throw handlerFailed(name, entry, cause)
  }
  if (clock.nowMs() - running.turnSinceMs < MAX_TURN_MS) return
  await sleep(clock, 0, [])
  running.turnSinceMs = clock.nowMs()
}

function handlerFailed(name: string, { setId, spid, ioasid }: PasidEntry, cause: unknown): IoasidError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new IoasidError({
    code: 'ABORTED',
    message: `${name} of SPID ${spid} (IOASID ${ioasid}, set ${setId}) failed: ${why}`,
    metadata: { set_id: String(setId), spid: String(spid), ioasid: String(ioasid) },
    cause,
  })
}

/** Unbinds everything that may be in hardware, when no handler runs any more; resolves with the first failure. */
export function unbindAll(running: Running, why: 'lost' | 'closed'): Promise<IoasidError | undefined> {
  const unbinding = running.idle.then(async () => {
    let first: IoasidError | undefined
    running.turnSinceMs = running.clock.nowMs()
    for (const entry of running.book.held.values()) {
      try {
        await unbind(running, entry, { why, overrun: false, revision: undefined })
      } catch (error) {
        const failure = fromGrpc(error)
        first ??= failure
        running.report(failure)
      }
    }
    return first
  })
  running.idle = unbinding
  return unbinding
}

/** Follows nothing more; the handler that runs is not waited for. The first reason is the one that counts. */
export function stopFollowing({ stop, subscription, waiters }: Running, why: IoasidError): void {
  if (stop.signal.aborted) return
  stop.abort(why)
  void subscription.return()
  waiters.end(why)
}

/** Before the first snapshot is through, nothing has come. */
export const hasCome = (book: Book, revision: bigint): boolean =>
  book.spaceId !== undefined && book.revision >= revision
