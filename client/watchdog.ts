import type { Clock } from './clock.ts'

export interface Watchdog {
  /** Whether it has expired. */
  readonly isExpired: () => boolean
  /** From now on something is waited for. */
  readonly wait: () => void
  /** Nothing is waited for until the next `wait`. */
  readonly rest: () => void
  readonly stop: () => void
}

/** Calls `expire` once when something has been waited for longer than `limitMs`. One timer, however much comes. */
export function watchdog(clock: Clock, limitMs: number, expire: () => void): Watchdog {
  let waitingSince: number | undefined
  let isExpired = false
  const look = (): void => {
    const leftMs = waitingSince === undefined ? limitMs : waitingSince + limitMs - clock.nowMs()
    if (leftMs > 0) {
      stop = clock.schedule(leftMs, look)
    } else {
      isExpired = true
      expire()
    }
  }
  let stop = clock.schedule(limitMs, look)
  return {
    isExpired: () => isExpired,
    wait: () => {
      waitingSince = clock.nowMs()
    },
    rest: () => {
      waitingSince = undefined
    },
    stop: () => stop(),
  }
}
