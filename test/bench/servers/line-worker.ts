import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { endWithThisProcess } from './processes.ts'

/** A program of a bench that answers each line with a line: one question at a time. */
export interface LineWorker {
  /** Rejects when the program ends instead, or takes longer than a minute. */
  ask(line: string): Promise<string>
  /** Ends it; twice is no fault. */
  stop(): Promise<void>
}

const ANSWER_MS = 60_000

export function startLineWorker(program: string, args: readonly string[]): LineWorker {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  endWithThisProcess(child)
  const ended = whenEnded(child)
  // A program that is gone says so itself, or by what is asked of it.
  child.stdin.on('error', () => undefined)
  const lines = createInterface(child.stdout)
  return {
    ask: async (line) => {
      const given = new AbortController()
      const answer = once(lines, 'line', { signal: given.signal })
      const late = setTimeout(() => child.kill('SIGKILL'), ANSWER_MS)
      child.stdin.write(`${line}\n`)
      try {
        const [text] = await Promise.race([answer, ended.then((why) => Promise.reject(new Error(`${program} ${why}`)))])
        return String(text)
      } finally {
        clearTimeout(late)
        given.abort()
        answer.catch(() => undefined)
      }
    },
    stop: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** How it ended; that it could not be started is an end, too. */
function whenEnded(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (cause) => resolve(`could not be started: ${cause.message}`))
    child.once('close', (code, signal) => resolve(`ended with ${signal ?? code} before it answered`))
  })
}
