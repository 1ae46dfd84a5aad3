import type { WriteStream } from 'node:tty'
import type { Terminal } from './run.ts'

/** A real terminal. */
export function terminalOf(stream: WriteStream): Terminal {
  return {
    size: () => ({ columns: stream.columns, rows: stream.rows }),
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
