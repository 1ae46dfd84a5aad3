import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { startProgress } from '../../../client/cli/progress.ts'
import { once } from './fake-io.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function started(isTerminal = true) {
  let shown = ''
  const append = (text: string) => {
    shown += text
  }
  const io = {
    progress: isTerminal ? append : undefined,
    monotonicMs: () => performance.now(),
  }
  const end = startProgress(io, 'list')
  return { end, shown: () => shown }
}

it('what takes longer than two seconds says on a terminal that it goes on, and takes the line away at its end', () => {
  const { end, shown } = started()
  vi.advanceTimersByTime(1999)
  expect(shown()).toBe('')
  vi.advanceTimersByTime(1001)
  expect(shown()).toBe('\rlist: 2 s …\x1b[K\rlist: 3 s …\x1b[K')
  end()
  end()
  expect(shown().endsWith('\r\x1b[K')).toBe(true)
  const length = shown().length
  vi.advanceTimersByTime(5000)
  expect(shown()).toHaveLength(length)
})

it('what is over sooner, or has no terminal, says nothing', () => {
  const quick = started()
  vi.advanceTimersByTime(1500)
  quick.end()
  const piped = started(false)
  vi.advanceTimersByTime(10_000)
  piped.end()
  expect(quick.shown() + piped.shown()).toBe('')
})

it('a command that waits for the daemon says so, until it prints', async () => {
  const shown: string[] = []
  const answer = async () => {
    await vi.advanceTimersByTimeAsync(1000)
    return { version: '1', revision: '5', role: 'LEADER' }
  }
  const world = { answer, progress: (text: string) => void shown.push(text), monotonicStepMs: 2500 }
  const { code, out } = await once(world, 'status')
  expect({ code, shown }).toEqual({ code: 0, shown: ['\rstatus: 2 s …\x1b[K', '\r\x1b[K'] })
  expect(out).toContain('revision')
})
