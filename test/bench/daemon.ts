import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Beside the built bench. */
const MAIN = fileURLToPath(new URL('../../server/main.js', import.meta.url))

/** The built daemon in a process of its own, for a program that is no test. */
export async function startBenchDaemon(
  args: readonly string[],
): Promise<{ address: string; stop: () => Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'ioasidd-bench-'))
  const flags = [
    MAIN,
    '--log-level',
    'error',
    '--listen',
    '127.0.0.1:0',
    '--data-dir',
    join(directory, 'data'),
    ...args,
  ]
  const child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] })
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
    stop: async () => {
      child.kill('SIGTERM')
      await ended
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
