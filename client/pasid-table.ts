import { setMaxListeners } from 'node:events'
import { makeAcknowledger } from './acknowledger.ts'
import type { CallContext } from './call.ts'
import { abortSignal, check, uint64 } from './check.ts'
import { cancelled, fromGrpc, IoasidError, invalidField } from './errors.ts'
import { openLease } from './lease.ts'
import type { Lease } from './lease-types.ts'
import { find, newBook, usableEntries } from './pasid-book.ts'
import { planTable, type TablePlan } from './pasid-table-plan.ts'
import { followItems, hasCome, type Running, stopFollowing, unbindAll } from './pasid-table-run.ts'
import type { OpenPasidTableOptions, PasidTable } from './pasid-table-types.ts'
import { HOLD_TYPES, holdFields } from './subscribe-request.ts'
import { follow } from './subscription.ts'
import { revisionWaiters } from './waiters.ts'

/** One table, from its lease to its end. */
interface Table {
  readonly context: CallContext
  readonly plan: TablePlan
  readonly lease: Lease
  readonly running: Running
  readonly closed: Promise<void>
  readonly resolveClosed: () => void
  readonly rejectClosed: (error: IoasidError) => void
  /** Aborted when everything is over, and nothing is listened to any more. */
  readonly over: AbortController
  /** What its lease was lost by. */
  lostBy: IoasidError | undefined
  closing: Promise<void> | undefined
}

/** See Client.openPasidTable. */
export async function openPasidTable(context: CallContext, options: OpenPasidTableOptions): Promise<PasidTable> {
  const plan = planTable(options)
  const lease = await openOwnLease(context, plan)
  const table = start(context, plan, lease)
  const { running, closed } = table
  if (plan.onError !== undefined) closed.catch(() => {})
  try {
    await running.waiters.wait(0n, undefined)
  } catch (error) {
    // It is this rejection that tells of it.
    closed.catch(() => {})
    const failure = await close(table).then(
      () => undefined,
      (thrown: unknown) => fromGrpc(thrown),
    )
    lease.close()
    throw both(fromGrpc(error), failure)
  }
  return handOut(table)
}

/** The caller's signal ends the opening; the open lease outlives it, until everything is cleaned up. */
async function openOwnLease(context: CallContext, { lease, signal }: TablePlan): Promise<Lease> {
  const giveUp = new AbortController()
  const abort = (): void => giveUp.abort(signal?.reason)
  if (signal?.aborted) abort()
  signal?.addEventListener('abort', abort)
  try {
    return await openLease(context, { ...lease, signal: giveUp.signal })
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

function start(context: CallContext, plan: TablePlan, lease: Lease): Table {
  const { subscription, priority } = plan
  let resolveClosed: () => void = () => {}
  let rejectClosed: (error: IoasidError) => void = () => {}
  const closed = new Promise<void>((resolve, reject) => {
    resolveClosed = resolve
    rejectClosed = reject
  })
  const hold = holdFields({ leaseHandle: lease.handle, priority }, subscription.start, HOLD_TYPES)
  const book = newBook()
  const running: Running = {
    book,
    clock: context.clock,
    handlers: plan,
    subscription: follow(context, { ...subscription, request: { ...subscription.request, ...hold } }),
    acknowledger: makeAcknowledger(context, {
      leaseHandle: lease.handle,
      attemptMs: plan.lease.ttlMs / 3,
      onFailed: (error) => end(table, error),
    }),
    stop: new AbortController(),
    waiters: revisionWaiters((revision) => hasCome(book, revision)),
    report: reporter(plan),
    turnSinceMs: 0,
    idle: Promise.resolve(),
  }
  // Handlers may listen to it, and Node takes more than ten listeners for a leak.
  setMaxListeners(0, running.stop.signal)
  const table: Table = {
    context,
    plan,
    lease,
    running,
    closed,
    resolveClosed,
    rejectClosed,
    over: new AbortController(),
    lostBy: undefined,
    closing: undefined,
  }
  running.idle = followItems(running).then((error) => {
    if (error !== undefined) end(table, error)
  })
  void lease.lost.then((error) => lose(table, error))
  closeWith(table, context.closing, 'The client is closed.')
  if (plan.signal !== undefined) closeWith(table, plan.signal, 'The caller gave up the table.')
  return table
}

/** The client and the caller's signal close it as `close` does, but nobody awaits that. */
function closeWith(table: Table, signal: AbortSignal, message: string): void {
  const abort = (): void => {
    stopFollowing(table.running, cancelled(message, signal.reason))
    close(table).catch((error: IoasidError) => {
      table.running.report(error)
      table.rejectClosed(error)
    })
  }
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { signal: table.over.signal })
}

/** It has failed, or cannot go on. While its lease lives nothing is in a hurry: what it may have in hardware stays held. */
function end(table: Table, error: IoasidError): void {
  const { running, rejectClosed } = table
  if (error.reason === 'LEASE_NOT_FOUND') return lose(table, error)
  // A handler that gives up because it is to stop is no failure: its entry is unbound with all that are left.
  if (running.stop.signal.aborted) return
  stopFollowing(running, error)
  if (isOpen(table)) running.report(error)
  rejectClosed(error)
}

/** Nothing protects its ids any more: whatever else has happened to it before, they have to go from the hardware. */
function lose(table: Table, error: IoasidError): void {
  const { running, lease, rejectClosed } = table
  if (table.lostBy !== undefined) return
  table.lostBy = error
  // A renewal would revive a lease that is HELD, but not its hold.
  lease.close()
  running.acknowledger.forget()
  stopFollowing(running, error)
  if (isOpen(table)) running.report(error)
  void unbindAll(running, 'lost').then(async (failure) => {
    if (failure === undefined) await letGo(table).catch((thrown) => running.report(fromGrpc(thrown)))
    rejectClosed(both(error, failure))
  })
}

/** Drops the references of a table that has nothing in hardware any more. */
async function letGo({ context, plan, lease, lostBy, over }: Table): Promise<void> {
  const isGone = lostBy !== undefined && plan.lease.onExpiry !== 'HOLD'
  // Longer than the lease would last nobody need wait for it to be revoked.
  const deadlineMs = Math.min(context.deadlineMs, plan.lease.ttlMs)
  if (!isGone && !context.closing.aborted) await lease.revoke({ deadlineMs })
  over.abort()
}

function close(table: Table): Promise<void> {
  table.closing ??= closeOnce(table).catch((error) => {
    table.closing = undefined
    throw error
  })
  return table.closing
}

async function closeOnce(table: Table): Promise<void> {
  const { running, resolveClosed } = table
  stopFollowing(running, cancelled('The table is closed.'))
  const failure = await unbindAll(running, 'closed')
  if (failure !== undefined) throw failure
  running.acknowledger.forget()
  await letGo(table)
  resolveClosed()
}

/** Before that it is the opening that rejects. */
const isOpen = ({ running }: Table): boolean => running.book.spaceId !== undefined

/** Tells of each error once. */
function reporter({ onError }: TablePlan): (error: IoasidError) => void {
  const told = new WeakSet<IoasidError>()
  return (error) => {
    if (onError === undefined || told.has(error)) return
    told.add(error)
    // A caller's mistake in it must not be taken for one of a handler.
    queueMicrotask(() => onError(error))
  }
}

/** An error, and what went wrong when everything was cleaned up after it. */
function both(error: IoasidError, failure: IoasidError | undefined): IoasidError {
  if (failure === undefined || failure === error) return error
  return new IoasidError({ ...error, message: `${error.message} Then: ${failure.message}`, cause: error.cause })
}

function handOut(table: Table): PasidTable {
  const { running, plan, lease, closed } = table
  const { book } = running
  return {
    get: (spid, set) => {
      if (set === undefined && !plan.isOfOne) throw invalidField('set', 'missing; the table is of more than one name.')
      return find(book, spid, set)?.ioasid
    },
    entries: () => usableEntries(book),
    get size() {
      return book.usableCount
    },
    get revision() {
      return book.revision
    },
    waitForRevision: async (revision, options = {}) => {
      check(options, ['signal'])
      uint64('revision', revision)
      if (options.signal !== undefined) abortSignal('signal', options.signal)
      await running.waiters.wait(revision, options.signal)
    },
    leaseId: lease.leaseId,
    closed,
    close: () => close(table),
    [Symbol.asyncDispose]: () => close(table),
  }
}
