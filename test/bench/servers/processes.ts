import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What the benches start and make; whatever ends this process ends and removes it too. */

const children = new Set<ChildProcess>()
const directories = new Set<string>()
const READY_MS = 20_000

process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

/** For who starts and stops it himself. */
export function endWithThisProcess(child: ChildProcess): void {
  children.add(child)
  child.once('close', () => children.delete(child))
}

/** On the disk where startBenchDaemon has its data, so that both wait for the same one. */
export function benchDirectory(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'ioasidd-bench-'))
  directories.add(path)
  const remove = (): void => {
    directories.delete(path)
    rmSync(path, { recursive: true, force: true })
  }
  return { path, remove }
}

export interface Reference {
  /** What it had said when it was ready. */
  readonly output: string
  readonly pid: number
  /** Ends it with SIGKILL: nothing that it kept is wanted. */
  readonly stop: () => Promise<void>
}

/**
 * A program that serves as a reference, in a process of its own; resolves when `isReady` holds of what it said on standard
 * output and standard error, and rejects with that where it ends or takes longer than 20 s.
 */
export async function startReference(
  command: string,
  args: readonly string[],
  isReady: (output: string) => boolean,
): Promise<Reference> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  endWithThisProcess(child)
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  let output = ''
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string): void => reject(new Error(`${command} ${why}; it said: ${output.slice(-2_000)}`))
      const timer = setTimeout(() => fail(`was not ready within ${READY_MS / 1_000} s`), READY_MS)
      const hear = (text: string): void => {
        // Whoever talks for minutes is not kept.
        output = (output + text).slice(-65_536)
        if (!isReady(output)) return
        clearTimeout(timer)
        resolve()
      }
      child.stdout.setEncoding('utf8').on('data', hear)
      child.stderr.setEncoding('utf8').on('data', hear)
      child.once('error', (error) => fail(`could not be started (${error.message})`))
      child.once('close', (code, signal) => {
        clearTimeout(timer)
        fail(`ended with ${code ?? signal} before it was ready`)
      })
    })
  } catch (error) {
    await stop()
    throw error
  }
  return { output, pid: child.pid ?? 0, stop }
}

/** Free a moment ago: who starts a program on them must be ready for another one to have been faster. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))),
  )
  const ports = servers.map((server) => {
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('a TCP server has no port')
    return address.port
  })
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
