import type { Clock } from '../../client/clock.ts'

/** Lets everything that waits for nothing but the event loop go on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** A clock that stands until it is told to go on. */
export function manualClock(random = 0.5) {
  let nowMs = 0
  const timers = new Set<{ atMs: number; run: () => void }>()
  const schedule: Clock['schedule'] = (delayMs, run) => {
    const timer = { atMs: nowMs + delayMs, run }
    timers.add(timer)
    return () => timers.delete(timer)
  }
  const clock: Clock = { nowMs: () => nowMs, random: () => random, schedule, scheduleUnref: schedule }
  const next = (untilMs: number) => [...timers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
  return {
    clock,
    /** How many timers are set. */
    timers: () => timers.size,
    /** Time passes in which nothing else runs. */
    block: (byMs: number): void => {
      nowMs += byMs
    },
    async advance(byMs: number): Promise<void> {
      const untilMs = nowMs + byMs
      await settle()
      for (let due = next(untilMs); due !== undefined; due = next(untilMs)) {
        nowMs = Math.max(nowMs, due.atMs)
        timers.delete(due)
        due.run()
        await settle()
      }
      nowMs = Math.max(nowMs, untilMs)
    },
  }
}
