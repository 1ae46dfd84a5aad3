import type { Clock } from './clock.ts'

/**
 * How a call that nobody answered is tried again.
 *
 * @example
 * const client = connect({ retry: { initialDelayMs: 10, maxDelayMs: 500 } })
 */
export interface RetrySettings {
  /** The wait before the second attempt in ms, 1 to 60,000; it doubles with each further one. Default 50. */
  readonly initialDelayMs: number
  /** The longest wait between two attempts in ms, 1 to 60,000; the daemon may ask for a longer one. Default 1,000. */
  readonly maxDelayMs: number
  /** The most attempts of one call, 1 (never try again) or more. Default: as many as the deadline has room for. */
  readonly maxAttempts: number
}

export const DEFAULT_RETRY: RetrySettings = { initialDelayMs: 50, maxDelayMs: 1_000, maxAttempts: Infinity }

/**
 * How long to wait after the `failures`-th failure in a row (1 is the first). Half of the wait is chance, so that the
 * clients of a daemon that restarts do not come back in step; the other half is not, so that no loop is ever tight. What
 * the daemon asked for is the least.
 */
export function retryDelayMs(
  settings: RetrySettings,
  clock: Clock,
  failures: number,
  retryAfterMs: number | undefined,
): number {
  const full = Math.min(settings.maxDelayMs, settings.initialDelayMs * 2 ** Math.min(failures - 1, 30))
  return Math.max(full / 2 + (full / 2) * clock.random(), retryAfterMs ?? 0)
}
