import type { Clock } from '../../server/engine/clock.ts'

/** Time that stands still until it is told to go on. */
export interface ManualClock extends Clock {
  /** Lets time pass; what falls due meanwhile is called at its own moment, in order, and may ask for more. */
  advance(ms: number): void
  /** How many callbacks wait for their time. */
  readonly timers: number
}

interface Timer {
  readonly dueMs: number
  readonly callback: () => void
}

/** `soon` is told apart from time: by default it is the event loop's. */
export function createManualClock(soon: Clock['soon'] = (callback) => void setImmediate(callback)): ManualClock {
  let nowMs = 1000
  const timers = new Set<Timer>()

  /** The first of those that are due by then; of two at the same moment the one that was asked for first. */
  const nextDue = (byMs: number): Timer | undefined => {
    let next: Timer | undefined
    for (const timer of timers)
      if (timer.dueMs <= byMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer
    return next
  }

  return {
    monotonicMs: () => nowMs,
    wallMs: () => 1_700_000_000_000 + nowMs,
    after: (ms, callback) => {
      const timer = { dueMs: nowMs + Math.max(0, ms), callback }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    soon,
    advance: (ms) => {
      const untilMs = nowMs + ms
      for (let timer = nextDue(untilMs); timer !== undefined; timer = nextDue(untilMs)) {
        timers.delete(timer)
        nowMs = timer.dueMs
        timer.callback()
      }
      nowMs = untilMs
    },
    get timers() {
      return timers.size
    },
  }
}

/** Waits until everything that can happen without time passing has happened: a few turns of the event loop. */
export async function settle(turns = 5): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}
