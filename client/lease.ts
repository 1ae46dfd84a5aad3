import { setMaxListeners } from 'node:events'
import { type CallContext, makeCall } from './call.ts'
import { check, wholeNumber } from './check.ts'
import { fromGrpc, IoasidError } from './errors.ts'
import { leaseMethods } from './lease-methods.ts'
import type { Lease, LeaseInfo, OpenLeaseOptions } from './lease-types.ts'
import { retryDelayMs } from './retry.ts'

/** A third of it still has room for an attempt and another one. */
const MIN_KEPT_TTL_MS = 100
const ttlField = wholeNumber(MIN_KEPT_TTL_MS, Number.MAX_SAFE_INTEGER)

/** The longest wait that setTimeout knows; a longer one it takes for none. */
const MAX_TIMER_MS = 0x7fff_ffff

type LeaseMethods = ReturnType<typeof leaseMethods>

/** One lease on its way through its renewals. */
interface Keeping {
  readonly context: CallContext
  readonly info: LeaseInfo
  /** Makes one attempt: when it was sent decides how long the lease is good for. */
  readonly attempt: LeaseMethods
  /** Aborted when nothing is to be renewed any more, for whatever reason. */
  readonly stop: AbortController
  /** Aborted when the lease is lost. */
  readonly lost: AbortController
  readonly tellLost: (error: IoasidError) => void
  /** When the last renewal that was answered was sent; the grant is the first one. */
  sentMs: number
  /** Attempts in a row that nobody answered. */
  failures: number
  lastError: IoasidError | undefined
}

/** See Client.openLease. */
export async function openLease(context: CallContext, options: OpenLeaseOptions): Promise<Lease> {
  check(options, ['ttlMs', 'name', 'onExpiry', 'signal', 'onLost'])
  const { ttlMs, name, onExpiry, signal, onLost } = options
  ttlField('ttl_ms', ttlMs)
  const { clock } = context
  const methods = leaseMethods(makeCall(context))
  let sentMs = clock.nowMs()
  const { lease: info } = await methods.grantLease({ ttlMs, name, onExpiry }, { signal })
  // The first of several attempts may be the one that the daemon has granted, and the lease counts from there.
  if (clock.nowMs() - sentMs > ttlMs / 3) {
    sentMs = clock.nowMs()
    await methods.keepLeaseAlive({ leaseHandle: info.leaseHandle }, { signal })
  }
  let resolveLost: (error: IoasidError) => void = () => {}
  const lost = new Promise<IoasidError>((resolve) => {
    resolveLost = resolve
  })
  const keeping: Keeping = {
    context,
    info,
    attempt: leaseMethods(makeCall({ ...context, retry: { ...context.retry, maxAttempts: 1 } })),
    stop: new AbortController(),
    lost: new AbortController(),
    tellLost: (error) => {
      resolveLost(error)
      // A caller's mistake in it must not be taken for one of the renewal.
      if (onLost !== undefined) queueMicrotask(() => onLost(error))
    },
    sentMs,
    failures: 0,
    lastError: undefined,
  }
  // Whatever a holder does with its ids may listen to it, and Node takes more than ten listeners for a leak.
  setMaxListeners(0, keeping.lost.signal)
  stopWith(keeping, signal === undefined ? [context.closing] : [context.closing, signal])
  watchTime(keeping)
  renewLater(keeping, untilNextMs(keeping))
  return handOut(keeping, methods, lost)
}

function handOut(keeping: Keeping, methods: LeaseMethods, lost: Promise<IoasidError>): Lease {
  const { info, stop } = keeping
  const { leaseHandle, leaseId } = info
  // The same for every attempt: a lease that is revoked twice was revoked once.
  const requestId = crypto.randomUUID()
  const close = (): void => stop.abort()
  const revoke: Lease['revoke'] = async (options) => {
    close()
    try {
      await methods.revokeLease({ leaseHandle, requestId }, options)
    } catch (error) {
      if (!isGone(error)) throw error
    }
  }
  return {
    handle: leaseHandle,
    leaseId,
    signal: keeping.lost.signal,
    lost,
    revoke,
    close,
    [Symbol.asyncDispose]: async () => {
      if (!stop.signal.aborted) await revoke()
    },
  }
}

const isGone = (error: unknown): boolean => error instanceof IoasidError && error.reason === 'LEASE_NOT_FOUND'

/** Ends the renewals with the caller's signal and with the client. */
function stopWith({ stop }: Keeping, signals: readonly AbortSignal[]): void {
  const end = (): void => stop.abort()
  for (const signal of signals) {
    if (signal.aborted) end()
    signal.addEventListener('abort', end)
  }
  stop.signal.addEventListener('abort', () => {
    for (const signal of signals) signal.removeEventListener('abort', end)
  })
}

/** A timer that ends with the renewals, and keeps no process running. */
function later({ context, stop }: Keeping, delayMs: number, run: () => void): void {
  if (stop.signal.aborted) return
  const cancel = context.clock.scheduleUnref(Math.min(Math.max(0, delayMs), MAX_TIMER_MS), () => {
    stop.signal.removeEventListener('abort', cancel)
    run()
  })
  stop.signal.addEventListener('abort', cancel)
}

const leftMs = ({ context, info, sentMs }: Keeping): number => sentMs + info.ttlMs - context.clock.nowMs()

const untilNextMs = (keeping: Keeping): number => leftMs(keeping) - (keeping.info.ttlMs * 2) / 3

/** Looks when the lease's time is up, and again where it was renewed between. One timer, however many renewals. */
function watchTime(keeping: Keeping): void {
  later(keeping, leftMs(keeping), () => {
    if (leftMs(keeping) > 0) watchTime(keeping)
    else lose(keeping, unanswered(keeping))
  })
}

function unanswered({ info, lastError }: Keeping): IoasidError {
  const why = lastError === undefined ? 'nobody has answered' : lastError.message
  const message = `The lease could not be renewed for ${info.ttlMs} ms: ${why}`
  return new IoasidError({ code: 'DEADLINE_EXCEEDED', message, cause: lastError })
}

function lose({ stop, lost, tellLost }: Keeping, error: IoasidError): void {
  stop.abort()
  lost.abort(error)
  tellLost(error)
}

function renewLater(keeping: Keeping, delayMs: number): void {
  later(keeping, delayMs, () => {
    // A timer may be too short for the wait.
    if (keeping.failures === 0 && untilNextMs(keeping) > 1) renewLater(keeping, untilNextMs(keeping))
    else void renew(keeping)
  })
}

/** One attempt. Whatever goes wrong but that the lease is gone may pass: its time decides. */
async function renew(keeping: Keeping): Promise<void> {
  const { context, info, attempt, stop } = keeping
  const { leaseHandle, ttlMs } = info
  const sentMs = context.clock.nowMs()
  // No longer than a third, so that an attempt that hangs leaves room for another one.
  const deadlineMs = Math.max(1, Math.floor(Math.min(ttlMs / 3, context.deadlineMs)))
  try {
    await attempt.keepLeaseAlive({ leaseHandle }, { deadlineMs, signal: stop.signal })
    keeping.sentMs = sentMs
    keeping.failures = 0
    keeping.lastError = undefined
    renewLater(keeping, untilNextMs(keeping))
  } catch (thrown) {
    if (stop.signal.aborted) return
    const error = fromGrpc(thrown)
    if (isGone(error)) return lose(keeping, error)
    keeping.failures += 1
    keeping.lastError = error
    renewLater(keeping, untilRetryMs(keeping, error))
  }
}

function untilRetryMs({ context, info, failures }: Keeping, { retryAfterMs }: IoasidError): number {
  const { clock, retry } = context
  // A client that may wait long between two attempts must not lose a short lease by it.
  const maxDelayMs = Math.min(retry.maxDelayMs, info.ttlMs / 6)
  return retryDelayMs({ ...retry, maxDelayMs }, clock, failures, retryAfterMs)
}
