import { type Call, type CallContext, type Limits, limitsOf, refuseIfGivenUp, untilAnswered } from './call.ts'
import { sleep } from './clock.ts'
import {
  answer,
  endRound,
  expire,
  heed,
  type Lane,
  openLane,
  type Rider,
  type Round,
  refuse,
  type Waiting,
  watch,
} from './coalesce-lane.ts'
import { fits, type Item, type Outcome, sendAlone, sendBatch, toItem } from './coalesce-wire.ts'
import type { IoasidError } from './errors.ts'
import { ioasidService, leaseService, setService } from './methods.ts'
import { retryDelayMs } from './retry.ts'
import type { Method } from './transport.ts'

/**
 * Concurrent changes of one client travel as one Batch. All of them go through one lane, in the order of their calls: what
 * is there at the end of a tick is a round, and the next round is what came while that one had no answer. A round of one is
 * the plain RPC; changes that no Batch takes are rounds of their own. One round at a time, tried again as a whole, keeps the
 * order also where nobody answers; and each call still ends by itself: with its own answer, error, signal or deadline.
 */

/** As makeCall, but concurrent changes share RPCs. */
export function makeCoalescedCall(context: CallContext): Call {
  const { closing } = context
  const lane = openLane(context)
  // Not async: each promise around that of join is a twentieth of what a call in a Batch costs.
  return (method, request, options = {}) => {
    const limits = limitsOf(context, options)
    const item = toItem(method, request)
    // What is no change has no place in the order.
    if (item === undefined && !isChange(method, request)) return untilAnswered(context, method, request, limits)
    refuseIfGivenUp(closing, limits.signal)
    return join(lane, method, request, item, limits)
  }
}

function isChange(method: object, request: unknown): boolean {
  return method === ioasidService.Batch || (typeof request === 'object' && request !== null && 'request_id' in request)
}

function join<Request, Response>(
  lane: Lane,
  method: Method<Request, Response>,
  request: Request,
  item: Item | undefined,
  { deadline, signal }: Limits,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const waiting: Waiting = {
      method,
      request: request as never,
      deadline,
      signal,
      item,
      // The result of an item is the answer of its method: the same message in both.
      resolve: resolve as (found: unknown) => void,
      reject,
      forget: nothing,
      attempts: 0,
      isOver: false,
    }
    if (signal !== undefined) heed(lane, waiting, signal)
    lane.queue.push(waiting)
    if (lane.round !== undefined && deadline < lane.timerAt) watch(lane)
    if (!lane.isRunning) void run(lane)
  })
}

function nothing(): void {}

async function run(lane: Lane): Promise<void> {
  lane.isRunning = true
  while (lane.queue.length > 0) {
    // The callers of this tick, and those who were answered just now, may want more.
    await new Promise((resolve) => setImmediate(resolve))
    expire(lane)
    const riders = takeRiders(lane)
    if (riders.length > 0) await runRound(lane, riders)
    else await letOthersGo(lane, takeOthers(lane))
  }
  lane.isRunning = false
}

const isRider = (waiting: Waiting): waiting is Rider => waiting.item !== undefined

/** Takes from the head of the queue what one Batch takes, and one at least. */
function takeRiders({ queue }: Lane): Rider[] {
  const riders: Rider[] = []
  let passed = 0
  let ids = 0
  let bytes = 0
  for (const next of queue) {
    if (!isRider(next)) break
    if (!next.isOver) {
      ids += next.item.ids
      bytes += next.item.bytes
      if (riders.length > 0 && !fits(riders.length + 1, ids, bytes)) break
      riders.push(next)
    }
    passed += 1
  }
  queue.splice(0, passed)
  return riders
}

/**
 * Takes from the head of the queue what no Batch takes: as much of it as concerns nothing else that is taken, so that many
 * sets are made, or emptied, at once.
 */
function takeOthers({ queue }: Lane): Waiting[] {
  const others: Waiting[] = []
  const names = new Set<string>()
  let passed = 0
  for (const next of queue) {
    if (isRider(next)) break
    if (!next.isOver) {
      const name = nameOf(next)
      if (others.length > 0 && (name === ANY || names.has(ANY) || names.has(name))) break
      others.push(next)
      if (name !== NEW) names.add(name)
    }
    passed += 1
  }
  queue.splice(0, passed)
  return others
}

const NEW = ''
const ANY = '*'

/** What a change is a change of: the handle of its set, something new, or who knows what. */
function nameOf({ method, request }: Waiting): string {
  if (method === setService.CreateSet || method === leaseService.GrantLease) return NEW
  const { set_handle } = request as { readonly set_handle?: string }
  return set_handle || ANY
}

/** Each ends by itself; the round does when all have. */
async function letOthersGo(lane: Lane, others: readonly Waiting[]): Promise<void> {
  // Of nobody: but who comes meanwhile finds that something is under way, and has his deadline watched.
  lane.round = { riders: [], deadline: Infinity, stop: new AbortController() }
  const sent = others.map((each) => untilAnswered(lane.context, each.method, each.request, each))
  for (const [index, each] of others.entries()) answer(each, sent[index])
  watch(lane)
  await Promise.allSettled(sent)
  endRound(lane)
}

/** One attempt, and the wait before the next one of those that want it: they are the first in the queue then. */
async function runRound(lane: Lane, riders: readonly Rider[]): Promise<void> {
  const { context, queue } = lane
  const { clock } = context
  const round: Round = {
    riders,
    deadline: Math.max(...riders.map(({ deadline }) => deadline)),
    stop: new AbortController(),
  }
  lane.round = round
  for (const rider of riders) rider.attempts += 1
  // Why others could not be reached is no news of those who have not been sent before.
  if (riders.every(({ attempts }) => attempts === 1)) lane.unreachable = undefined
  const sending = send(context, round)
  watch(lane)
  const { again, delayMs } = settle(lane, riders, await sending)
  if (again.length > 0) {
    queue.unshift(...again)
    lane.round = { ...round, riders: again }
    watch(lane)
    await sleep(clock, delayMs, [round.stop.signal])
  }
  endRound(lane)
}

function send({ transport, clock }: CallContext, { riders, deadline, stop }: Round): Promise<Outcome[]> {
  const limits = { timeoutMs: Math.max(1, deadline - clock.nowMs()), signal: stop.signal }
  const [first] = riders
  if (first !== undefined && riders.length === 1) return sendAlone(transport.unary(first.method, first.request, limits))
  const items = riders.map(({ item }) => item)
  return sendBatch(transport, items, limits)
}

/** Ends the riders by what their attempt came to, but those for which another one is worth it and has room. */
function settle(
  lane: Lane,
  riders: readonly Rider[],
  outcomes: readonly Outcome[],
): { readonly again: readonly Rider[]; readonly delayMs: number } {
  const { clock, retry } = lane.context
  const unanswered: { readonly rider: Rider; readonly error: IoasidError }[] = []
  for (const [index, rider] of riders.entries()) {
    const outcome = outcomes[index]
    if (rider.isOver || outcome === undefined) continue
    if (outcome.kind === 'answer') {
      answer(rider, outcome.answer)
      continue
    }
    const { error } = outcome
    if (error.code === 'UNAVAILABLE' && rider.attempts < retry.maxAttempts) unanswered.push({ rider, error })
    else refuse(rider, error.code === 'DEADLINE_EXCEEDED' ? (lane.unreachable ?? error) : error)
  }
  const failures = Math.max(1, ...unanswered.map(({ rider }) => rider.attempts))
  const wantedMs = Math.max(0, ...unanswered.map(({ error }) => error.retryAfterMs ?? 0))
  const delayMs = retryDelayMs(retry, clock, failures, wantedMs)
  const again: Rider[] = []
  for (const { rider, error } of unanswered) {
    if (clock.nowMs() + delayMs < rider.deadline) again.push(rider)
    else refuse(rider, error)
  }
  lane.unreachable = again.length > 0 ? unanswered[0]?.error : undefined
  return { again, delayMs }
}
