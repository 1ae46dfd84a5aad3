import { type CallContext, makeCall } from './call.ts'
import { sleep } from './clock.ts'
import { fromGrpc, type IoasidError } from './errors.ts'
import { referenceMethods } from './lease-methods.ts'
import type { AcknowledgeRequest } from './lease-types.ts'
import { retryDelayMs } from './retry.ts'

/** Tells the daemon what a holder has cleaned up, beside whatever else the holder does. */
export interface Acknowledger {
  /** Everything up to it is cleaned up: sent as soon as what was sent before is answered, in place of what waits. */
  readonly acknowledge: (done: Done) => void
  /** What was acknowledged and not answered is not to be sent any more. */
  readonly forget: () => void
}

/** A revision, and the history that it is of. */
export type Done = Pick<AcknowledgeRequest, 'revision' | 'spaceId'>

interface Holding {
  readonly leaseHandle: string
  /** The longest time for one attempt, so that one that hangs costs the lease nothing. */
  readonly attemptMs: number
  /** Called with what cannot pass. Nothing is sent any more then. */
  readonly onFailed: (error: IoasidError) => void
}

/** As with a stream: a bug of the daemon does not pass by waiting. */
const MAX_INTERNAL_FAILURES = 5

export function makeAcknowledger(context: CallContext, { leaseHandle, attemptMs, onFailed }: Holding): Acknowledger {
  const { clock, retry, closing } = context
  // One attempt at a time: the next one may have more to say.
  const { acknowledge } = referenceMethods(makeCall({ ...context, retry: { ...retry, maxAttempts: 1 } }))
  const deadlineMs = Math.max(1, Math.floor(Math.min(attemptMs, context.deadlineMs)))
  let due: Done | undefined
  let isSending = false
  let failures = 0
  let wanted = new AbortController()

  const sendOnce = async (done: Done, signal: AbortSignal): Promise<void> => {
    try {
      await acknowledge({ leaseHandle, ...done }, { deadlineMs, signal })
      failures = 0
      if (due === done) due = undefined
    } catch (thrown) {
      if (signal.aborted || closing.aborted) return
      failures += 1
      const error = fromGrpc(thrown)
      const verdict = judge(error, failures)
      if (verdict === 'again') {
        const delayMs = retryDelayMs(retry, clock, failures, error.retryAfterMs)
        return await sleep(clock, delayMs, [signal, closing])
      }
      due = undefined
      if (verdict === 'fail') onFailed(error)
    }
  }

  const send = async (): Promise<void> => {
    isSending = true
    while (due !== undefined && !closing.aborted) await sendOnce(due, wanted.signal)
    isSending = false
  }

  return {
    acknowledge: (done) => {
      due = done
      if (!isSending) void send()
    },
    forget: () => {
      due = undefined
      wanted.abort()
      wanted = new AbortController()
    },
  }
}

/** 'drop': the daemon has another history, or was not there yet: as the stream will be told, which begins anew then. */
function judge({ code, reason }: IoasidError, failures: number): 'again' | 'drop' | 'fail' {
  if (reason === 'HISTORY_CHANGED' || reason === 'FUTURE_REVISION') return 'drop'
  switch (code) {
    case 'UNAVAILABLE':
    case 'DEADLINE_EXCEEDED':
    case 'CANCELLED':
    case 'RESOURCE_EXHAUSTED':
      return 'again'
    case 'INTERNAL':
    case 'UNKNOWN':
      return failures < MAX_INTERNAL_FAILURES ? 'again' : 'fail'
    default:
      return 'fail'
  }
}
