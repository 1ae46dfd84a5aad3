import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '../../client/index.ts'
import { type Chance, createActor, createChance, type World } from './actor.ts'
import { type Daemon, startDaemon } from './daemon.ts'
import { gather, type History, must } from './history.ts'
import { WORKER } from './places.ts'
import { openRecorder, readLines } from './record.ts'
import { openStream } from './subscriber.ts'
import type { WorkerPlan } from './worker.ts'

export interface RunOptions {
  readonly seed: number
  readonly seconds: number
  /** How often the daemon is killed. */
  readonly kills: number
}

export interface Ran {
  readonly history: History
  readonly faults: { readonly kills: number; readonly stops: number; readonly killedClients: number }
}

const WORKERS = 3
const CAPACITY = 48
const REUSE_DELAY_MS = 150
const TEARDOWN_TIMEOUT_MS = 700
const LEASE_TTL_MS = 600
/** The last answers, and the last leases. */
const END_MS = 30_000

/** Runs clients in processes of their own before a real daemon, and gives what they wrote down. */
export async function runClients({ seed, seconds, kills }: RunOptions): Promise<Ran> {
  const directory = mkdtempSync(join(tmpdir(), 'ioasidd-history-'))
  const endpoint = `unix://${join(directory, 'socket')}`
  const flags = ['--listen', endpoint, '--data-dir', join(directory, 'data'), '--capacity', String(CAPACITY)]
  flags.push('--reuse-delay', `${REUSE_DELAY_MS}ms`, '--lease-grace', '300ms', '--log-level', 'error')
  flags.push('--teardown-timeout', `${TEARDOWN_TIMEOUT_MS}ms`)
  const crew = createCrew(directory, endpoint, seed)
  let daemon: Daemon | undefined
  try {
    daemon = await startDaemon(flags)
    const log = followLog(endpoint, crew.fileOf('log'))
    for (let index = 0; index < WORKERS; index++) crew.hire()
    const ticks = [crew.disturb(createChance(seed + 1), seconds)]
    for (let kill = 0; kill < kills; kill++) {
      await sleep((seconds * 1_000) / (kills + 1))
      await daemon.kill()
      daemon = await startDaemon(flags)
    }
    await sleep((seconds * 1_000) / (kills + 1))
    await Promise.all(ticks)
    await crew.dismiss()
    const revision = await log.finish()
    const { operations, streams } = gather(crew.files().flatMap(readLines))
    const history = { operations, streams: streams.map((each) => cutAt(each, revision)) }
    const whole = must(
      history.streams.find(({ id }) => id.startsWith('log')),
      'log',
    )
    const { stops, killedClients } = crew
    return {
      history: {
        ...history,
        log: whole,
        revision,
        capacity: CAPACITY,
        reuseDelayMs: REUSE_DELAY_MS,
        teardownTimeoutMs: TEARDOWN_TIMEOUT_MS,
      },
      faults: { kills, stops: stops(), killedClients: killedClients() },
    }
  } finally {
    crew.end()
    await daemon?.kill()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The stream of everything, from the beginning on, read without a pause. */
function followLog(endpoint: string, records: string) {
  const recorder = openRecorder(records)
  const handles = { sets: new Map(), leases: new Map() }
  const alone = {
    sets: new Set<number>(),
    leases: new Set<number>(),
    lives: [],
    leaseTtlMs: 0,
    isStopping: () => false,
    share: () => undefined,
  }
  const actor = createActor({ endpoint, recorder, handles, ...alone } satisfies World, 'log', 0)
  const filter = { all: true, tokens: [], setIds: [], types: [] }
  const stream = openStream(actor, { filter, start: 0, hold: undefined })
  let at = 0
  const reading = (async () => {
    for (let item = await stream.next(); item !== undefined; item = await stream.next()) at = item.revision
  })()
  return {
    /** When it has told everything up to now; up to where that is. */
    finish: async (): Promise<number> => {
      const client = connect({ endpoint })
      const { revision } = await client.getStatus()
      await client.close()
      const deadline = Date.now() + END_MS
      while (at < Number(revision)) {
        if (Date.now() > deadline) throw new Error(`the stream of everything stays at ${at} of ${revision}`)
        await sleep(20)
      }
      const last = at
      await stream.subscription.return()
      await reading
      await actor.client.close()
      recorder.close()
      return last
    },
  }
}

/** What came later than the last revision is no part of the history. */
function cutAt<S extends History['log']>(stream: S, revision: number): S {
  return { ...stream, items: stream.items.filter(({ item }) => item.revision <= revision) }
}

function createCrew(directory: string, endpoint: string, seed: number) {
  const names: string[] = []
  const workers = new Set<ChildProcess>()
  const failed: string[] = []
  let [stops, killedClients] = [0, 0]
  const fileOf = (name: string) => join(directory, `${name}.jsonl`)

  const hire = (): void => {
    const name = `w${names.length}`
    names.push(name)
    const limits = { capacity: CAPACITY, leaseTtlMs: LEASE_TTL_MS, teardownTimeoutMs: TEARDOWN_TIMEOUT_MS }
    const who = { owners: 2, holders: 2, watchers: 2 }
    const plan: WorkerPlan = {
      name,
      seed: seed + names.length * 100,
      endpoint,
      records: fileOf(name),
      ...limits,
      ...who,
    }
    const worker = fork(WORKER, [JSON.stringify(plan)])
    workers.add(worker)
    worker.on('message', (known) => {
      for (const other of workers) if (other !== worker && other.connected) other.send(known)
    })
    worker.on('close', (code, signal) => {
      workers.delete(worker)
      if (code !== 0 && signal !== 'SIGKILL') failed.push(`${name} ended with ${code ?? signal}`)
    })
  }

  /** Stops one for a while, or kills one and hires another, until the time is over. */
  const disturb = async (chance: Chance, seconds: number): Promise<void> => {
    const endMs = Date.now() + seconds * 1_000
    for (;;) {
      await sleep(300 + chance.below(1_500))
      if (Date.now() > endMs) return
      const worker = [...workers][chance.below(workers.size)]
      if (worker === undefined) continue
      if (chance.isOneIn(5)) {
        worker.kill('SIGKILL')
        killedClients += 1
        hire()
        continue
      }
      worker.kill('SIGSTOP')
      stops += 1
      await sleep(100 + chance.below(1_500))
      worker.kill('SIGCONT')
    }
  }

  const dismiss = async (): Promise<void> => {
    const ends = [...workers].map((worker) => once(worker, 'close', { signal: AbortSignal.timeout(END_MS) }))
    for (const worker of workers) if (worker.connected) worker.send('stop')
    await Promise.all(ends)
    if (failed.length > 0) throw new Error(failed.join(', '))
  }

  const files = () => ['log', ...names].map(fileOf).filter((path) => existsSync(path))
  const end = () => {
    for (const worker of workers) worker.kill('SIGKILL')
  }
  return { hire, disturb, dismiss, files, fileOf, end, stops: () => stops, killedClients: () => killedClients }
}
