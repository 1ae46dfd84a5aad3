import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Message, type Wire } from '../support/wire.ts'

/**
 * The real daemon, that hostile peers are let loose on: the built program in a process of its own. Commands start it too,
 * so it knows nothing of vitest (test/support/daemon.ts does).
 */
export interface Target {
  readonly pid: number
  readonly host: string
  readonly port: number
  /** As grpc-js takes it. */
  readonly address: string
  /** A well-behaved client on a connection of its own. */
  readonly wire: Wire
  /** Whether the process is there. */
  isAlive(): boolean
  /** Lines of its log at `error` or above: bugs. */
  complaints(): readonly string[]
  rssBytes(): number
  /** The highest that rssBytes would ever have been. */
  peakRssBytes(): number
  fds(): number
  /** Which `npm run hostile` and tests ask after each attack. Rejects when it is not answered. */
  status(): Promise<Message>
  /** Waits until everything that peers had opened is closed again: so many descriptors at most. */
  settled(fds: number, timeoutMs?: number): Promise<void>
  stop(): Promise<number | null>
}

export interface TargetOptions {
  readonly args?: readonly string[]
  /** Descriptors that the process may have. */
  readonly maxFds?: number
}

const MAIN = new URL('../../dist/server/main.js', import.meta.url)
/** The same, seen from dist/test/hostile. */
const MAIN_OF_BUILT = new URL('../../server/main.js', import.meta.url)
const READY_TIMEOUT_MS = 30_000

export async function startTarget({ args = [], maxFds }: TargetOptions = {}): Promise<Target> {
  const directory = mkdtempSync(join(tmpdir(), 'ioasidd-hostile-'))
  const main = import.meta.url.includes('/dist/') ? MAIN_OF_BUILT : MAIN
  const limit = maxFds === undefined ? [] : ['prlimit', `--nofile=${maxFds}`]
  const [command = process.execPath, ...rest] = [...limit, process.execPath, main.pathname]
  const flags = ['--listen', '127.0.0.1:0', '--data-dir', join(directory, 'data'), '--log-format', 'json', ...args]
  const child = spawn(command, [...rest, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  const complaints: string[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    const lines = (output.stderr + text).split('\n')
    output.stderr = lines.pop() ?? ''
    complaints.push(...lines.filter((line) => !/"level":"(debug|info|warn)"/.test(line)))
  })
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const killed = () => child.kill('SIGKILL')
  process.once('exit', killed)
  const ready = async () => {
    for (let waited = 0; waited < READY_TIMEOUT_MS && child.exitCode === null; waited += 10) {
      const [, found] = /^ready (\S+)\n/m.exec(output.stdout) ?? []
      if (found !== undefined) return found
      await sleep(10)
    }
    child.kill('SIGKILL')
    throw new Error(`the daemon did not get ready: ${complaints.join('\n')}${output.stderr}`)
  }
  const address = await ready()
  const { hostname, port } = new URL(`tcp://${address}`)
  const wire = connect(address)
  const pid = child.pid ?? 0
  // Each service has a connection, which is there from now on: its descriptor counts before an attack as after it.
  await wire.call('ioasid.v1.AdminService', 'GetStatus', {})
  await wire.call('ioasid.v1.SetService', 'ListSets', {})
  await wire.call('ioasid.v1.LeaseService', 'ListLeases', {})
  await wire.call('ioasid.v1.IoasidService', 'GetIoasid', { ioasid: 1 }).catch(() => undefined)
  const fds = () => readdirSync(`/proc/${pid}/fd`).length
  return {
    pid,
    host: hostname,
    port: Number(port),
    address,
    wire,
    isAlive: () => child.exitCode === null && child.signalCode === null,
    complaints: () => [...complaints],
    rssBytes: () => memory(pid, 'VmRSS'),
    peakRssBytes: () => memory(pid, 'VmHWM'),
    fds,
    status: () => wire.call('ioasid.v1.AdminService', 'GetStatus', {}),
    settled: async (most, timeoutMs = 10_000) => {
      for (let waited = 0; fds() > most; waited += 20) {
        if (waited >= timeoutMs) throw new Error(`${fds()} descriptors are open, and not ${most}`)
        await sleep(20)
      }
    },
    stop: async () => {
      wire.close()
      child.kill('SIGTERM')
      const timer = setTimeout(killed, 10_000)
      const code = await exited
      clearTimeout(timer)
      process.off('exit', killed)
      rmSync(directory, { recursive: true, force: true })
      return code
    },
  }
}

const KIB = 1024

function memory(pid: number, field: string): number {
  const [, kib = '0'] =
    new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) * KIB
}
