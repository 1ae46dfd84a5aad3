import { type CallContext, givenUp, type Limits } from './call.ts'
import type { Item } from './coalesce-wire.ts'
import { IoasidError } from './errors.ts'
import type { Method } from './transport.ts'

/** Who waits for what, and how a change ends before it has an answer: by its signal, its deadline, or with the client. */

/** A change between its call and its end. */
export interface Waiting extends Limits {
  /** The two belong together, which a list of many kinds cannot say. */
  readonly method: Method<never, unknown>
  readonly request: never
  /** undefined: no Batch takes it. It keeps its place in the order, but nobody waits for its answer. */
  readonly item: Item | undefined
  /** Those of its promise: see answer and refuse. */
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: IoasidError) => void
  /** Stops listening to its signal. */
  forget: () => void
  attempts: number
  isOver: boolean
}

/** A change that a Batch takes. */
export interface Rider extends Waiting {
  readonly item: Item
}

export interface Round {
  readonly riders: readonly Rider[]
  /** That of its RPC: the latest of theirs. */
  readonly deadline: number
  /** Aborted when none of them waits for it any more. */
  readonly stop: AbortController
}

export interface Lane {
  readonly context: CallContext
  /** In the order of the calls. */
  readonly queue: Waiting[]
  isRunning: boolean
  /** What is under way, or waits for another attempt. */
  round: Round | undefined
  /** Why it waits for another attempt, which says more than that time is up. */
  unreachable: IoasidError | undefined
  /** The one timer, for the earliest deadline that no RPC has. */
  timerAt: number
  disarm: () => void
}

export function openLane(context: CallContext): Lane {
  const lane: Lane = {
    context,
    queue: [],
    isRunning: false,
    round: undefined,
    unreachable: undefined,
    timerAt: Infinity,
    disarm: () => {},
  }
  context.closing.addEventListener('abort', () => {
    for (const waiting of everyone(lane)) giveUp(lane, waiting)
  })
  return lane
}

export function endRound(lane: Lane): void {
  lane.disarm()
  lane.timerAt = Infinity
  lane.round = undefined
}

const everyone = ({ queue, round }: Lane): readonly Waiting[] => [...(round?.riders ?? []), ...queue]

export function answer(waiting: Waiting, found: unknown): void {
  end(waiting)
  waiting.resolve(found)
}

export function refuse(waiting: Waiting, error: IoasidError): void {
  end(waiting)
  waiting.reject(error)
}

function end(waiting: Waiting): void {
  waiting.isOver = true
  waiting.forget()
}

/** Ends the change when its caller does not want it any more. */
export function heed(lane: Lane, waiting: Waiting, signal: AbortSignal): void {
  const onAbort = (): void => giveUp(lane, waiting)
  signal.addEventListener('abort', onAbort)
  waiting.forget = () => signal.removeEventListener('abort', onAbort)
}

/** Ends a change whose caller, or whose client, does not want it any more. */
function giveUp(lane: Lane, waiting: Waiting): void {
  const error = givenUp(lane.context.closing, waiting.signal)
  if (error !== undefined && !waiting.isOver) refuse(waiting, error)
  stopIfDeserted(lane)
}

function stopIfDeserted({ round }: Lane): void {
  if (round?.riders.every(({ isOver }) => isOver)) round.stop.abort()
}

/** Ends everyone whose deadline is over. */
export function expire(lane: Lane): void {
  const nowMs = lane.context.clock.nowMs()
  for (const waiting of everyone(lane)) {
    if (waiting.isOver || waiting.deadline > nowMs) continue
    refuse(
      waiting,
      lane.unreachable ?? new IoasidError({ code: 'DEADLINE_EXCEEDED', message: 'The deadline of the call is over.' }),
    )
  }
  stopIfDeserted(lane)
}

/** Sets the timer for the deadlines that the RPC under way does not have itself; a timer knows whole milliseconds. */
export function watch(lane: Lane): void {
  const { clock } = lane.context
  const end = (lane.round?.deadline ?? Infinity) - 1
  lane.disarm()
  lane.timerAt = Infinity
  for (const waiting of lane.queue) if (!waiting.isOver) lane.timerAt = Math.min(lane.timerAt, waiting.deadline)
  for (const { isOver, deadline } of lane.round?.riders ?? []) {
    if (!isOver && deadline < end) lane.timerAt = Math.min(lane.timerAt, deadline)
  }
  if (lane.timerAt === Infinity) {
    lane.disarm = () => {}
    return
  }
  lane.disarm = clock.schedule(lane.timerAt - clock.nowMs(), () => {
    expire(lane)
    watch(lane)
  })
}
