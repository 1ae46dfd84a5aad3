import { abortSignal, check, wholeNumber } from './check.ts'
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

/** What a call needs besides its request. */
export interface CallContext {
  readonly transport: Transport
  readonly clock: Clock
  readonly retry: RetrySettings
  readonly deadlineMs: number
  /** Aborted when the client is closed. */
  readonly closing: AbortSignal
}

export type Call = <Request, Response>(
  method: Method<Request, Response>,
  request: Request,
  options?: CallOptions,
) => Promise<Response>

export const deadlineField = wholeNumber(1, 86_400_000)

/**
 * The one place that makes a unary call. UNAVAILABLE is tried again, with the very same request: its request_id makes
 * that safe for a change. It also stands for a daemon that is not up yet, so that a client may be started first. Any
 * other status is an answer. Where nobody could be reached until the deadline, why that is is the answer: it says more than
 * that time is up.
 */
export function makeCall(context: CallContext): Call {
  const { transport, clock, retry, closing } = context
  return async (method, request, options = {}) => {
    check(options, ['deadlineMs', 'signal'])
    const { signal, deadlineMs = context.deadlineMs } = options
    if (signal !== undefined) abortSignal('signal', signal)
    const deadline = clock.nowMs() + deadlineField('deadline_ms', deadlineMs)
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
}

function refuseIfGivenUp(closing: AbortSignal, signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled('The caller gave up the call.', signal.reason)
  if (closing.aborted) throw cancelled('The client is closed.')
}
