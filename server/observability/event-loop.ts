import type { Clock } from '../engine/clock.ts'

/**
 * Whether the event loop turns in time: a beat that comes late by so much was kept waiting by everything else, and so was
 * every call. What is over the bound is told at once; that it is well again only when a second has passed with beats that
 * were not half as late, so that a daemon on the edge does not come and go with every look.
 */
export interface LoopWatch {
  readonly isLate: boolean
  /** The latest beat of the last second, ms. */
  readonly delayMs: number
  stop(): void
}

export interface LoopWatchOptions {
  readonly clock: Pick<Clock, 'monotonicMs' | 'after'>
  readonly maxDelayMs: number
  readonly onChange: (isLate: boolean, delayMs: number) => void
}

const BEAT_MS = 100
/** A second of them. */
const BEATS = 10
const WELL_SHARE = 0.5

export function watchLoop({ clock, maxDelayMs, onChange }: LoopWatchOptions): LoopWatch {
  const delays: number[] = []
  let isLate = false
  let isStopped = false
  let cancel: () => void = () => undefined

  const change = (next: boolean, delayMs: number) => {
    if (next === isLate) return
    isLate = next
    onChange(isLate, delayMs)
  }
  const beat = (dueMs: number) => {
    if (isStopped) return
    const nowMs = clock.monotonicMs()
    delays.push(Math.max(0, nowMs - dueMs))
    if (delays.length > BEATS) delays.shift()
    const latest = Math.max(...delays)
    if (latest > maxDelayMs) change(true, latest)
    else if (delays.length === BEATS && latest < maxDelayMs * WELL_SHARE) change(false, latest)
    schedule(nowMs)
  }
  const schedule = (nowMs: number) => {
    cancel = clock.after(BEAT_MS, () => beat(nowMs + BEAT_MS))
  }
  schedule(clock.monotonicMs())
  return {
    get isLate() {
      return isLate
    },
    get delayMs() {
      return Math.max(0, ...delays)
    },
    stop: () => {
      isStopped = true
      cancel()
    },
  }
}
