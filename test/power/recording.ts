import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, connect } from '../../client/index.ts'
import { DATA_FILE } from '../../server/store/data-dir.ts'
import { chanceOf } from '../crash/chance.ts'
import { type Holder, listen, startHolder } from '../crash/holder.ts'
import { afterNowMs, createLedger, type Ledger } from '../crash/ledger.ts'
import { startTenant } from '../crash/tenant.ts'
import { startDaemon, type TestDaemon, tempDir } from '../support/daemon.ts'
import { readTrace, recorder, type Step } from './trace.ts'

/** Some lives of a daemon on one directory, one after the other, under load: all that it wrote, and all that it said. */
export interface Recording {
  readonly lives: readonly Life[]
  readonly ledger: Ledger
  /** Flags of all of them. */
  readonly flags: readonly string[]
  readonly problems: readonly string[]
}

export interface Life {
  readonly steps: readonly Step[]
  /** ms since 1970: before it started, and after it ended. */
  readonly fromMs: number
  readonly toMs: number
  /** What its file was at its end. */
  readonly data: Buffer
  /** Where the readers of its file stood, as a killed process leaves it. */
  readonly readers: Buffer
}

/** So small that snapshots and compactions happen all the time. */
const FLAGS = ['--capacity', '8192', '--snapshot-every', '60', '--history', '200', '--lease-grace', '1s']
/** On a slow machine a life is longer. */
const ANSWERS_PER_LIFE = 120
/** A disk that takes its time: calls are answered in large groups, and the daemon writes off its main thread. */
const SLOW = ['-e', 'inject=fdatasync:delay_enter=4000']
/** How each life's disk is, and how the life ends. */
const LIVES = [
  { more: [], signal: 'SIGKILL' },
  { more: SLOW, signal: 'SIGKILL' },
  { more: [], signal: 'SIGTERM' },
] as const
const TENANTS = 3

/** Each life is under load for at least `lifeMs`. */
export async function record(seed: number, lifeMs: number): Promise<Recording> {
  const directory = tempDir()
  const dataDir = join(directory, 'data')
  const ledger = createLedger()
  const lives: Life[] = []
  const problems: string[] = []
  let load: Load | undefined
  let listeners: readonly string[] = ['127.0.0.1:0']
  for (const [number, { more, signal }] of LIVES.entries()) {
    const file = join(directory, `life-${number}.strace`)
    const fromMs = Date.now()
    const wrapper = recorder(file, dataDir, more)
    const daemon: TestDaemon = await startDaemon({ dataDir, args: FLAGS, listen: listeners, wrapper })
    listeners = daemon.addresses
    load ??= await startLoad(daemon.address, seed, ledger)
    const wanted = ledger.answers.length + ANSWERS_PER_LIFE
    await sleep(lifeMs)
    while (ledger.answers.length < wanted && load.refusals.length === 0) await sleep(10)
    const readers = readFileSync(join(dataDir, 'lock.mdb'))
    if (signal === 'SIGTERM') problems.push(...(await load.stop()))
    const { code } = await (signal === 'SIGTERM' ? daemon.stop() : daemon.kill())
    if (signal === 'SIGTERM' && code !== 0) problems.push(`the daemon ended with ${code}`)
    const { steps, surprises } = readTrace(readFileSync(file), dataDir)
    problems.push(...surprises)
    lives.push({ steps, fromMs, toMs: Date.now(), data: readFileSync(join(dataDir, DATA_FILE)), readers })
  }
  await load?.close()
  return { lives, ledger, flags: FLAGS, problems }
}

interface Load {
  readonly refusals: readonly string[]
  /** Lets what is under way come to its end; what went wrong meanwhile. */
  stop(): Promise<readonly string[]>
  close(): Promise<void>
}

/** Clients that outlive the daemon's lives: owners, holders, and one who only listens. */
async function startLoad(address: string, seed: number, ledger: Ledger): Promise<Load> {
  const retry = { initialDelayMs: 10, maxDelayMs: 50 }
  const client: Client = connect({ endpoint: address, deadlineMs: 60_000, retry })
  const plain = listen({ client, ledger })
  const priorities = ['CPU', 'IOMMU'] as const
  const starting = priorities.map((priority) =>
    startHolder({ client, ledger, priority, below: chanceOf(seed, priority) }),
  )
  const holders: readonly Holder[] = await Promise.all(starting)
  let isOver = false
  const working = Array.from({ length: TENANTS }, async (_, number) => {
    const token = `vm-${number}`
    const tenant = await startTenant({ client, ledger, token, run: `${seed}`, below: chanceOf(seed, token) })
    await tenant.run(() => isOver)
  })
  const reading = readStatus(client, ledger, () => isOver)
  const refusals: string[] = []
  const over = Promise.all(
    [...working, reading].map((work) => work.catch((error: unknown) => refusals.push(`${error}`))),
  )
  return {
    refusals,
    stop: async () => {
      isOver = true
      await over
      const last = ledger.answers.reduce((most, { revision }) => Math.max(most, revision), 0)
      await plain.reaches(last)
      await Promise.all([plain, ...holders].map((stream) => stream.stop()))
      return [...refusals, ...plain.problems, ...holders.flatMap(({ problems }) => problems)]
    },
    close: () => client.close(),
  }
}

const READ_EVERY_MS = 4

/** A read tells of everything that was decided before it. */
async function readStatus(client: Client, ledger: Ledger, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const { revision } = await client.getStatus()
    ledger.told.push({ atMs: afterNowMs(), revision: Number(revision), lines: [] })
    await sleep(READ_EVERY_MS)
  }
}
