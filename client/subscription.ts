import { assemble, newAssembly } from './assemble.ts'
import type { CallContext } from './call.ts'
import { abortSignal, check, uint64 } from './check.ts'
import { sleep } from './clock.ts'
import { cancelled, fromGrpc, IoasidError } from './errors.ts'
import { notificationService } from './methods.ts'
import { decideNext, type Ending, type Start } from './resume.ts'
import { retryDelayMs } from './retry.ts'
import { type Plan, planSubscription, streamRequest } from './subscribe-request.ts'
import type { Cursor, SubscribeOptions, Subscription, SubscriptionItem } from './subscription-types.ts'
import { type RevisionWaiters, revisionWaiters } from './waiters.ts'
import { watchdog } from './watchdog.ts'

type SubscribeContext = Pick<CallContext, 'transport' | 'clock' | 'retry' | 'closing'>

/** One subscription on its way through its streams. */
interface Run {
  readonly context: SubscribeContext
  readonly plan: Plan
  /** Aborted when the iteration is to end; with an IoasidError as its reason the iteration throws that. */
  readonly stop: AbortController
  /** Up to where everything was handed out. */
  cursor: Cursor | undefined
  /** A HEADER has come. */
  hasBegun: boolean
  /** Streams in a row that have ended without moving the cursor. */
  failures: number
  interruptions: number
  gaps: number
  lastError: IoasidError | undefined
  /** Up to where the reader is through with what was handed out. */
  handled: bigint | undefined
  readonly waiters: RevisionWaiters
}

/** See Client.subscribe. */
export function subscribe(context: SubscribeContext, options: SubscribeOptions): Subscription {
  return follow(context, planSubscription(options))
}

/** A subscription whose options were checked before. */
export function follow(context: SubscribeContext, plan: Plan): Subscription {
  const run: Run = {
    context,
    plan,
    stop: new AbortController(),
    cursor: undefined,
    hasBegun: false,
    failures: 0,
    interruptions: 0,
    gaps: 0,
    lastError: undefined,
    handled: undefined,
    waiters: revisionWaiters((revision) => run.handled !== undefined && run.handled >= revision),
  }
  const items = iterate(run)
  const subscription: Subscription = {
    get cursor() {
      return run.cursor
    },
    get interruptions() {
      return run.interruptions
    },
    get gaps() {
      return run.gaps
    },
    waitForRevision: async (revision, options = {}) => {
      check(options, ['signal'])
      uint64('revision', revision)
      if (options.signal !== undefined) abortSignal('signal', options.signal)
      await run.waiters.wait(revision, options.signal)
    },
    next: () => items.next(),
    // A generator that waits would not hear of it before its next item.
    return: () => {
      run.stop.abort()
      run.waiters.end(ended())
      return items.return()
    },
    [Symbol.asyncIterator]: () => subscription,
    [Symbol.asyncDispose]: async () => {
      await subscription.return()
    },
  }
  return subscription
}

/** All streams, between the first read and the end: ends with the caller's signal, the client, and a daemon too late. */
async function* iterate(run: Run): AsyncGenerator<SubscriptionItem, void> {
  const { plan, stop, context } = run
  const { connectTimeoutMs } = plan
  const signals = plan.signal === undefined ? [context.closing] : [context.closing, plan.signal]
  if (signals.some((signal) => signal.aborted)) return run.waiters.end(ended())
  const end = (): void => stop.abort()
  for (const signal of signals) signal.addEventListener('abort', end)
  const disarm =
    connectTimeoutMs === undefined
      ? () => {}
      : context.clock.schedule(connectTimeoutMs, () => {
          if (!run.hasBegun) stop.abort(run.lastError ?? noDaemon(connectTimeoutMs))
        })
  try {
    yield* streams(run)
    if (stop.signal.reason instanceof IoasidError) throw stop.signal.reason
  } catch (error) {
    run.waiters.end(fromGrpc(error))
    throw error
  } finally {
    run.waiters.end(ended())
    disarm()
    for (const signal of signals) signal.removeEventListener('abort', end)
  }
}

const ended = (): IoasidError => cancelled('The subscription has ended.')

const noDaemon = (timeoutMs: number): IoasidError =>
  new IoasidError({ code: 'DEADLINE_EXCEEDED', message: `No daemon has answered within ${timeoutMs} ms.` })

/** One stream after the other, until none can follow or none is wanted. */
async function* streams(run: Run): AsyncGenerator<SubscriptionItem, void> {
  const { plan, stop, context } = run
  const { clock, retry } = context
  let { start, spaceId } = plan
  while (!stop.signal.aborted) {
    run.failures += 1
    const ending = yield* readStream(run, start, spaceId)
    if (stop.signal.aborted) return

    const decision = decideNext({ start, cursor: run.cursor, failures: run.failures, onLost: plan.onLost }, ending)
    if (decision.kind === 'fail') throw decision.error
    if (decision.newHistory) run.cursor = undefined
    start = decision.start
    // A snapshot is of whatever history there is, unless the caller has named one.
    spaceId = decision.newHistory ? '' : (run.cursor?.spaceId ?? spaceId)

    const delayMs = retryDelayMs(retry, clock, run.failures, decision.retryAfterMs)
    noteInterruption(run, ending, delayMs)
    await sleep(clock, delayMs, [stop.signal])
  }
}

/** The items of one stream; returns how it ended. However it is left, the daemon's side of it ends too. */
async function* readStream(run: Run, start: Start, spaceId: string): AsyncGenerator<SubscriptionItem, Ending> {
  const { plan, stop, context } = run
  const { transport, clock } = context
  const stream = transport.open(notificationService.Subscribe, streamRequest(plan, start, spaceId))
  const silence = watchdog(clock, plan.silenceMs, stream.cancel)
  const assembly = newAssembly(start.kind === 'snapshot')
  stop.signal.addEventListener('abort', stream.cancel)
  try {
    while (!stop.signal.aborted) {
      silence.wait()
      const message = await stream.next()
      // However long the caller takes with an item: that is not the daemon's silence.
      silence.rest()
      if (message === undefined) return { kind: silence.isExpired() ? 'silence' : 'clean' }
      const item = assemble(assembly, message)
      if (item?.kind === 'gap') return item
      run.hasBegun = true
      if (item === undefined) continue
      noteItem(run, item, message.space_id)
      // A stream that begins and breaks at once is no better than one that does not begin.
      if (message.kind !== 'HEADER' && item.kind !== 'snapshot') run.failures = 0
      if (item.kind !== 'progress' || plan.progress) yield item
      // The reader has come back for the next one: he is through with this one.
      run.handled = run.cursor?.revision
      run.waiters.wake()
    }
    return { kind: 'clean' }
  } catch (error) {
    return silence.isExpired() ? { kind: 'silence' } : { kind: 'error', error: fromGrpc(error) }
  } finally {
    silence.stop()
    stop.signal.removeEventListener('abort', stream.cancel)
    stream.cancel()
  }
}

/** The cursor moves before the caller has the item, so that he finds it moved while he handles it. */
function noteItem(run: Run, item: SubscriptionItem, spaceId: string): void {
  if (item.kind === 'snapshotBegin' || item.kind === 'snapshot') run.cursor = undefined
  else run.cursor = { revision: item.revision, spaceId }
}

function noteInterruption(run: Run, ending: Ending, delayMs: number): void {
  const { plan, cursor } = run
  const error = ending.kind === 'error' ? ending.error : undefined
  run.interruptions += 1
  run.lastError = error ?? run.lastError
  if (ending.kind === 'gap') run.gaps += 1
  plan.onInterrupted?.({ why: describe(ending), error, delayMs, cursor })
}

function describe(ending: Ending): string {
  switch (ending.kind) {
    case 'clean':
      return 'The daemon ended the stream'
    case 'silence':
      return 'The daemon was silent'
    case 'gap':
      return `A message is missing: ${ending.what}`
    case 'error':
      return ending.error.message
  }
}
