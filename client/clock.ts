/** Time and chance, which enter the SDK here alone, so that a test can turn them by hand. */
export interface Clock {
  /** Milliseconds from a fixed point; never goes back. */
  readonly nowMs: () => number
  /** 0 <= x < 1. */
  readonly random: () => number
  /** Calls `run` once, `delayMs` from now, unless the function that it returns was called before. */
  readonly schedule: (delayMs: number, run: () => void) => () => void
  /** As `schedule`, but a process that waits for nothing else ends. */
  readonly scheduleUnref: (delayMs: number, run: () => void) => () => void
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  random: () => Math.random(),
  schedule: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
  scheduleUnref: (delayMs, run) => {
    const timer = setTimeout(run, delayMs).unref()
    return () => clearTimeout(timer)
  },
}

/** Resolves after `delayMs`, or at once when one of the signals is aborted; whoever waited looks at the signals. */
export function sleep(clock: Clock, delayMs: number, signals: readonly AbortSignal[]): Promise<void> {
  if (signals.some((signal) => signal.aborted)) return Promise.resolve()
  return new Promise((resolve) => {
    const wake = (): void => {
      cancel()
      for (const signal of signals) signal.removeEventListener('abort', wake)
      resolve()
    }
    const cancel = clock.schedule(delayMs, wake)
    for (const signal of signals) signal.addEventListener('abort', wake)
  })
}
