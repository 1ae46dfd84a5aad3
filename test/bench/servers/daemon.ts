import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { launchFlags } from '../../support/launch.ts'
import { benchDirectory, endWithThisProcess } from './processes.ts'

/** Beside the built bench. */
const MAIN = fileURLToPath(new URL('../../../server/main.js', import.meta.url))

export interface BenchDaemon {
  readonly address: string
  readonly pid: number
  readonly stop: () => Promise<void>
}

/** The built daemon in a process of its own, for a program that is no test. `nodeFlags` are for Node: a preload, say. */
export async function startBenchDaemon(
  args: readonly string[],
  nodeFlags: readonly string[] = [],
): Promise<BenchDaemon> {
  const directory = benchDirectory()
  const flags = [
    ...launchFlags(MAIN),
    ...nodeFlags,
    MAIN,
    '--log-level',
    'error',
    '--listen',
    '127.0.0.1:0',
    '--data-dir',
    join(directory.path, 'data'),
    ...args,
  ]
  const child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] })
  endWithThisProcess(child)
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const address = await new Promise<string>((resolve, reject) => {
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      const [, ready] = /^ready (\S+)\n/m.exec(output) ?? []
      if (ready !== undefined) resolve(ready)
    })
    child.once('close', (code) => reject(new Error(`the daemon ended with ${code} before it was ready`)))
  })
  return {
    address,
    // It has told its address, so it was started.
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill('SIGTERM')
      await ended
      directory.remove()
    },
  }
}
