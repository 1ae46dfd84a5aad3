import { execFile } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Client, connect } from '../../../client/index.ts'
import { median } from '../median.ts'
import { inRounds } from '../rounds.ts'
import type { Bench, Effort, Result, Row } from '../row.ts'
import { type BenchDaemon, startBenchDaemon } from '../servers/daemon.ts'
import { benchDirectory } from '../servers/processes.ts'
import { concurrently, fill } from './filling.ts'

const SETS = 10_000
const IDS_OF_SET = 100
const IDS = SETS * IDS_OF_SET
/** One for each id and for each set, as large as the columns of an id in a snapshot. */
const RECORDS = IDS + SETS
const RECORD_BYTES = 52
/** A snapshot is written before it would be more. */
const TAIL_REVISIONS = 40_000
const MOST = 2

/** A beat of the daemon's upkeep lasts at most a second: by then it has begun with the snapshot that is due. */
const BEAT_MS = 1_500

const RECORDS_PROGRAM = fileURLToPath(new URL('lmdb-records.js', import.meta.url))
const run = promisify(execFile)

/** What a start finds: nothing; the log of all; a snapshot of all; and after a kill one with as long a log as there may be. */
const KINDS = ['empty', 'log', 'snapshot', 'killed'] as const
type Kind = (typeof KINDS)[number]
type Round = Readonly<Record<Kind | 'lmdb', number>>

export const restartBench: Bench = {
  name: 'restart',
  about:
    'from spawn to ready with 1,000,000 ids in 10,000 sets, less that of an empty daemon, against as many records from LMDB',
  needs: [],
  run: runRestart,
}

async function runRestart({ rounds, say }: Effort): Promise<Result> {
  const directory = benchDirectory()
  try {
    const records = join(directory.path, 'records')
    const dirs = dirsIn(directory.path)
    say(`restart: writing ${IDS} ids and as many records`)
    await run(process.execPath, [RECORDS_PROGRAM, 'write', records, String(RECORDS), String(RECORD_BYTES)])
    await prepare(dirs)

    const start = (kind: Kind) => () => timeStart(dirs[kind], kind === 'empty' ? 0 : IDS, kind === 'killed')
    const variants = {
      empty: start('empty'),
      log: start('log'),
      snapshot: start('snapshot'),
      killed: start('killed'),
      lmdb: () => timeRead(records),
    }
    say('restart: warming')
    for (const variant of Object.values(variants)) await variant()
    say(`restart: ${rounds} rounds`)
    return { rows: rowsOf(await inRounds(rounds, variants)) }
  } finally {
    directory.remove()
  }
}

function dirsIn(directory: string): Readonly<Record<Kind, string>> {
  const dirs = KINDS.map((kind) => [kind, join(directory, kind)])
  return Object.fromEntries(dirs) as Record<Kind, string>
}

async function prepare(dirs: Readonly<Record<Kind, string>>): Promise<void> {
  await served(dirs.empty, [], async (client) => void (await client.getStatus()))
  await served(dirs.log, [], async (client) => {
    await fill(client, { sets: SETS, idsOfSet: IDS_OF_SET, idsAtOnce: IDS_OF_SET })
  })
  cpSync(dirs.log, dirs.snapshot, { recursive: true })
  await served(dirs.snapshot, ['--snapshot-every', '1'], () => setTimeout(BEAT_MS))
  cpSync(dirs.snapshot, dirs.killed, { recursive: true })
  await served(dirs.killed, [], async (client, { pid }) => {
    await churn(client, TAIL_REVISIONS)
    process.kill(pid, 'SIGKILL')
  })
}

async function served(
  dataDir: string,
  args: readonly string[],
  use: (client: Client, daemon: BenchDaemon) => Promise<void>,
): Promise<void> {
  const daemon = await startBenchDaemon(['--data-dir', dataDir, ...args])
  const client = connect({ endpoint: daemon.address })
  try {
    await use(client, daemon)
  } finally {
    await client.close()
    await daemon.stop()
  }
}

/** Changes that cancel each other out. */
async function churn(client: Client, revisions: number): Promise<void> {
  const { set } = await client.createSet()
  const { setHandle } = set
  await concurrently(Math.floor(revisions / 2), async () => {
    const { ioasids } = await client.allocate({ setHandle })
    await client.free({ setHandle, ioasids })
  })
}

/** ms from spawn to ready. */
async function timeStart(dataDir: string, ids: number, isKilled: boolean): Promise<number> {
  const startMs = performance.now()
  const daemon = await startBenchDaemon(['--data-dir', dataDir])
  const tookMs = performance.now() - startMs
  const client = connect({ endpoint: daemon.address })
  try {
    const { allocated } = await client.getStatus()
    if (allocated !== ids) throw new Error(`${dataDir}: the daemon has ${allocated} ids instead of ${ids}`)
    return tookMs
  } finally {
    await client.close()
    if (isKilled) process.kill(daemon.pid, 'SIGKILL')
    await daemon.stop()
  }
}

async function timeRead(records: string): Promise<number> {
  const { stdout } = await run(process.execPath, [RECORDS_PROGRAM, 'read', records])
  const [count = 0, tookMs = Number.NaN] = stdout.split(' ').map(Number)
  if (count !== RECORDS) throw new Error(`lmdb has ${count} records instead of ${RECORDS}`)
  return tookMs
}

function rowsOf(rounds: readonly Round[]): readonly Row[] {
  const of = (pick: (round: Round) => number) => median(rounds.map(pick))
  const row = (kind: Exclude<Kind, 'empty'>, name: string): Row => ({
    name,
    unit: 'times reading as many records from lmdb',
    ...(kind === 'killed' ? {} : { target: { kind: 'at most', value: MOST } }),
    rounds: rounds.map((round) => (round[kind] - round.empty) / round.lmdb),
    figures: {
      'spawn to ready, ms': of((round) => round[kind]),
      'the same, empty, ms': of(({ empty }) => empty),
      [`lmdb, ${RECORDS} records, ms`]: of(({ lmdb }) => lmdb),
    },
  })
  return [
    row('log', 'restart, log alone'),
    row('snapshot', 'restart, snapshot'),
    row('killed', `restart, snapshot and ${TAIL_REVISIONS} revisions, killed`),
  ]
}
