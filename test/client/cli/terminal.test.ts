import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { terminalOf } from '../../../client/cli/terminal.ts'

const screen = (columns: number, rows: number) => Object.assign(new EventEmitter(), { columns, rows })

describe('a terminal', () => {
  it('has the size that it says, as it is now', () => {
    const stream = screen(200, 60)
    const { size } = terminalOf(stream)
    expect(size()).toEqual({ columns: 200, rows: 60 })
    stream.rows = 10
    expect(size()).toEqual({ columns: 200, rows: 10 })
  })

  it('that knows no size is taken for one of 80 columns and 24 rows', () => {
    expect(terminalOf(screen(0, 0)).size()).toEqual({ columns: 80, rows: 24 })
    expect(terminalOf(screen(132, 0)).size()).toEqual({ columns: 132, rows: 24 })
  })

  it('waits until it has another size, or the signal is aborted, and leaves no listener behind', async () => {
    const stream = screen(80, 24)
    const terminal = terminalOf(stream)
    const { signal } = new AbortController()
    const resized = terminal.wait(60_000, signal)
    stream.emit('resize')
    await resized
    await terminal.wait(60_000, AbortSignal.abort())
    await terminal.wait(1, signal)
    expect(stream.listenerCount('resize')).toBe(0)
  })
})
