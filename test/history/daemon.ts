import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { DAEMON } from './places.ts'

/** A real daemon for a command that is no test: support/daemon.ts wants vitest around it. */
export interface Daemon {
  /** Rejects when it has ended before, which is a fault. */
  readonly kill: () => Promise<void>
}

const READY_TIMEOUT_MS = 30_000

/** Rejects when it does not come to serve. What it has to say goes to standard error. */
export async function startDaemon(flags: readonly string[]): Promise<Daemon> {
  const child = spawn(process.execPath, [DAEMON, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  const end = () => void child.kill('SIGKILL')
  // Whatever ends this process leaves no daemon behind.
  process.once('exit', end)
  await Promise.race([
    once(child.stdout, 'data', { signal: AbortSignal.timeout(READY_TIMEOUT_MS) }),
    ended.then(([code]) => Promise.reject(new Error(`the daemon ended with ${code}`))),
  ])
  return {
    kill: async () => {
      process.off('exit', end)
      if (child.exitCode !== null) throw new Error(`the daemon ended by itself, with ${child.exitCode}`)
      end()
      await ended
    },
  }
}
