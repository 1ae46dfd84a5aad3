import { abortSignal, check, deadlineField } from './check.ts'
import { type Clock, sleep } from './clock.ts'
import { cancelled, fromGrpc, type IoasidError } from './errors.ts'
import { type RetrySettings, retryDelayMs } from './retry.ts'
import type { Method, Transport } from './transport.ts'

/**
 * What every method takes as its last argument.
 *
 * @example
 * await client.getSet({ token: 'vm-a' }, { deadlineMs: 500, signal: AbortSignal.timeout(300) })
 */
export interface CallOptions {
  /** How long the call may take with all its attempts, in ms, 1 to 86,400,000 (24 h). Default: that of the client. */
  readonly deadlineMs?: number | undefined
  /** Gives up the call when it is aborted: CANCELLED, the signal's reason is the cause. What it did is not undone. */
  readonly signal?: AbortSignal | undefined
}

/**
 * What `free` takes as its last argument.
 *
 * @example
 * await client.free({ setHandle, ioasids }, { waitForReclaim: true, deadlineMs: 30_000 })
 */
export interface FreeOptions extends CallOptions {
  /**
   * Resolve only when every id is reclaimed: no holder uses it any more. A `deadlineMs` that is given counts for that too,
   * without one only the signal ends the wait; when it ends early the ids are freed all the same. Default false.
   */
  readonly waitForReclaim?: boolean | undefined
}

/** What a call needs besides its request. */
export interface CallContext {
  readonly transport: Transport
  readonly clock: Clock
  readonly retry: RetrySettings
  readonly deadlineMs: number
  /** Aborted when the client is closed. */
  readonly closing: AbortSignal
}

/** What is wrong with the options may be thrown at once. */
export type Call = <Request, Response>(
  method: Method<Request, Response>,
  request: Request,
  options?: CallOptions,
) => Promise<Response>

/** What ends one call early. */
export interface Limits {
  /** By the clock of the client. */
  readonly deadline: number
  readonly signal: AbortSignal | undefined
}

/** A call's options, checked; what it may take counts from here. */
export function limitsOf({ clock, deadlineMs: usualMs }: CallContext, options: CallOptions): Limits {
  check(options, ['deadlineMs', 'signal'])
  const { signal, deadlineMs = usualMs } = options
  if (signal !== undefined) abortSignal('signal', signal)
  return { deadline: clock.nowMs() + deadlineField('deadline_ms', deadlineMs), signal }
}

/** Makes each call by itself. */
export function makeCall(context: CallContext): Call {
  return async (method, request, options = {}) =>
    await untilAnswered(context, method, request, limitsOf(context, options))
}

/**
 * Makes a unary call by itself. UNAVAILABLE is tried again, with the very same request: its request_id makes that safe for
 * a change. It also stands for a daemon that is not up yet, so that a client may be started first. Any
 * other status is an answer. Where nobody could be reached until the deadline, why that is is the answer: it says more than
 * that time is up.
 */
export async function untilAnswered<Request, Response>(
  { transport, clock, retry, closing }: CallContext,
  method: Method<Request, Response>,
  request: Request,
  { deadline, signal }: Limits,
): Promise<Response> {
  const signals = signal === undefined ? [closing] : [closing, signal]
  let unreachable: IoasidError | undefined
  for (let attempt = 1; ; attempt += 1) {
    refuseIfGivenUp(closing, signal)
    try {
      return await transport.unary(method, request, { timeoutMs: Math.max(1, deadline - clock.nowMs()), signal })
    } catch (thrown) {
      refuseIfGivenUp(closing, signal)
      const error = fromGrpc(thrown)
      if (error.code === 'DEADLINE_EXCEEDED' && unreachable !== undefined) throw unreachable
      if (error.code !== 'UNAVAILABLE' || attempt >= retry.maxAttempts) throw error
      const delayMs = retryDelayMs(retry, clock, attempt, error.retryAfterMs)
      if (clock.nowMs() + delayMs >= deadline) throw error
      unreachable = error
      await sleep(clock, delayMs, signals)
    }
  }
}

export function refuseIfGivenUp(closing: AbortSignal, signal: AbortSignal | undefined): void {
  const error = givenUp(closing, signal)
  if (error !== undefined) throw error
}

export function givenUp(closing: AbortSignal, signal: AbortSignal | undefined): IoasidError | undefined {
  if (signal?.aborted) return cancelled('The caller gave up the call.', signal.reason)
  return closing.aborted ? cancelled('The client is closed.') : undefined
}
