import type { Terminal } from './run.ts'

/** What is needed of a tty.WriteStream. */
interface Screen {
  readonly columns: number
  readonly rows: number
  readonly once: (event: 'resize', listener: () => void) => unknown
  readonly off: (event: 'resize', listener: () => void) => unknown
}

/** A real terminal. One that knows no size, as a serial line or a container's, says 0. */
export function terminalOf(stream: Screen): Terminal {
  return {
    size: () => ({ columns: stream.columns || 80, rows: stream.rows || 24 }),
    wait: (ms, signal) =>
      new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer)
          stream.off('resize', done)
          signal.removeEventListener('abort', done)
          resolve()
        }
        const timer = setTimeout(done, ms)
        stream.once('resize', done)
        signal.addEventListener('abort', done)
        if (signal.aborted) done()
      }),
  }
}
