import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { repositoryRoot } from './repository.ts'

/** Real daemons: the built program in a process of its own, by default with an lmdb store in a fresh directory. */

export interface DaemonOptions {
  /** One for each listener. Default: a free port of 127.0.0.1. */
  readonly listen?: readonly string[]
  /** Default: a new directory, removed after the test file. */
  readonly dataDir?: string
  /** Further flags; of a flag that is given twice the last one holds, so `--store memory` works too. */
  readonly args?: readonly string[]
  /** Further variables. Those of the tests' own process that the daemon would read are left out. */
  readonly env?: Readonly<Record<string, string>>
  /** A program with its arguments that runs the daemon: strace, for example. Signals go to the daemon all the same. */
  readonly wrapper?: readonly string[]
}

export interface TestDaemon {
  readonly pid: number
  /** Of the first listener, with the port that was picked; as `--listen`, the SDK and grpc-js take it. */
  readonly address: string
  readonly addresses: readonly string[]
  readonly dataDir: string
  /** What it has written so far. */
  readonly output: { readonly stdout: string; readonly stderr: string }
  /** Resolves when it has ended, however that came. */
  readonly exited: Promise<Exit>
  signal(name: NodeJS.Signals): void
  /** SIGTERM, and waits for the end. */
  stop(): Promise<Exit>
  /** SIGKILL, and waits for the end: the crash of the contract. */
  kill(): Promise<Exit>
  /** Kills it if it runs, and starts another one on the same data at the same addresses, so that clients find it again. */
  restart(changes?: DaemonOptions): Promise<TestDaemon>
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

const MAIN = join(repositoryRoot, 'dist/server/main.js')
const READY_TIMEOUT_MS = 30_000

const running = new Set<Launched>()
const directories = new Set<string>()

afterAll(() => {
  for (const launched of running) send(launched, 'SIGKILL')
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

/** A new directory, removed after the test file. */
export function tempDir(): string {
  const directory = mkdtempSync(join(tmpdir(), 'ioasidd-test-'))
  directories.add(directory)
  return directory
}

/** Starts a daemon and waits until it serves. Rejects, with all that it said, when it ends before that. */
export async function startDaemon(options: DaemonOptions = {}): Promise<TestDaemon> {
  const { listen = ['127.0.0.1:0'], dataDir = join(tempDir(), 'data'), args = [] } = options
  const flags = [...listen.flatMap((address) => ['--listen', address]), '--data-dir', dataDir, ...args]
  const launched = launch(flags, options)
  const addresses = await readyAddresses(launched, listen.length)
  const [address] = addresses
  const pid = pidOf(launched)
  if (address === undefined || pid === undefined) throw new Error('a daemon needs a listener')

  const signal = (name: NodeJS.Signals) => send(launched, name)
  const end = (name: NodeJS.Signals) => {
    signal(name)
    return launched.exited
  }
  return {
    pid,
    address,
    addresses,
    dataDir,
    output: launched.output,
    exited: launched.exited,
    signal,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    restart: async (changes = {}) => {
      await end('SIGKILL')
      return await startDaemon({ ...options, listen: addresses, dataDir, ...changes })
    },
  }
}

/** Runs the program with exactly these flags and waits for its end: for what is refused, and for `--help`. */
export function runDaemon(flags: readonly string[], options: Pick<DaemonOptions, 'env'> = {}): Promise<Exit> {
  return launch(flags, options).exited
}

interface Launched {
  readonly child: ChildProcess
  readonly isWrapped: boolean
  readonly output: { stdout: string; stderr: string }
  readonly exited: Promise<Exit>
}

function launch(flags: readonly string[], { env = {}, wrapper = [] }: DaemonOptions): Launched {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: npm run build makes it`)
  const [command = process.execPath, ...args] = [...wrapper, process.execPath, MAIN, ...flags]
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('IOASIDD_'))
  const child = spawn(command, args, {
    cwd: repositoryRoot,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text
  })
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject)
    // Not `exit`: what it said last may still be in the pipe then.
    child.once('close', (code, signal) => {
      running.delete(launched)
      resolve({ code, signal, ...output })
    })
  })
  const launched = { child, isWrapped: wrapper.length > 0, output, exited }
  running.add(launched)
  return launched
}

/** The daemon's own: killing strace would let the daemon go on. undefined: it has ended. */
function pidOf({ child, isWrapped }: Launched): number | undefined {
  if (!isWrapped || child.pid === undefined) return child.pid
  try {
    const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
    return Number.parseInt(children, 10) || undefined
  } catch {
    return undefined
  }
}

function send(launched: Launched, signal: NodeJS.Signals): void {
  const pid = launched.isWrapped ? pidOf(launched) : undefined
  if (pid === undefined) launched.child.kill(signal)
  else process.kill(pid, signal)
}

/** The addresses of the lines `ready ADDRESS`, when there are as many as listeners. */
async function readyAddresses({ child, output, exited }: Launched, count: number): Promise<readonly string[]> {
  const served = new Promise<readonly string[]>((resolve) => {
    child.stdout?.on('data', () => {
      const found = [...output.stdout.matchAll(/^ready (\S+)\n/gm)].flatMap(([, address]) => address ?? [])
      if (found.length === count) resolve(found)
    })
  })
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(resolve, READY_TIMEOUT_MS, 'late')
  })
  const first = await Promise.race([served, exited.then(() => 'ended' as const), late])
  clearTimeout(timer)
  if (typeof first !== 'string') return first
  if (first === 'late') child.kill('SIGKILL')
  const { code, signal, stderr } = await exited
  const why = first === 'late' ? `in ${READY_TIMEOUT_MS} ms` : `but ended with ${code ?? signal}`
  throw new Error(`the daemon did not get ready ${why}: ${stderr}`)
}
