import { expect, it } from 'vitest'
import { watchLoop } from '../../server/observability/event-loop.ts'

/** A clock whose timers come as late as they are told to. */
function start(maxDelayMs = 1000) {
  let nowMs = 5000
  let due: { readonly atMs: number; readonly callback: () => void } | undefined
  const clock = {
    monotonicMs: () => nowMs,
    after: (ms: number, callback: () => void) => {
      due = { atMs: nowMs + ms, callback }
      return () => {
        due = undefined
      }
    },
  }
  const changes: boolean[] = []
  const watch = watchLoop({ clock, maxDelayMs, onChange: (isLate) => changes.push(isLate) })
  /** So many beats, each late by so much. */
  const beat = (lateMs: number, times = 1) => {
    for (let time = 0; time < times; time++) {
      const timer = due
      if (timer === undefined) throw new Error('nothing is due')
      nowMs = timer.atMs + lateMs
      timer.callback()
    }
  }
  return { watch, changes, beat, isDue: () => due !== undefined }
}

it('a loop that turns in time is never late', () => {
  const { watch, changes, beat } = start()
  beat(999, 50)
  expect({ changes, isLate: watch.isLate, delayMs: watch.delayMs }).toEqual({
    changes: [],
    isLate: false,
    delayMs: 999,
  })
})

it('one beat that is late by more than the bound is told at once', () => {
  const { watch, changes, beat } = start()
  beat(1001)
  expect(changes).toEqual([true])
  expect(watch.delayMs).toBe(1001)
})

it('it is in time again when for a second no beat was half as late as the bound', () => {
  const { changes, beat } = start()
  beat(2000)
  beat(0, 9)
  expect(changes).toEqual([true])
  beat(0)
  expect(changes).toEqual([true, false])
})

it('on the edge it does not come and go', () => {
  const { changes, beat } = start()
  for (let round = 0; round < 20; round++) {
    beat(1100)
    beat(600, 9)
  }
  expect(changes).toEqual([true])
  beat(499, 10)
  expect(changes).toEqual([true, false])
})

it('stopped, it waits for nothing', () => {
  const { watch, isDue } = start()
  watch.stop()
  expect(isDue()).toBe(false)
})
