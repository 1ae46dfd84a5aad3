import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '../../client/index.ts'
import { type Chance, createActor, createChance, type Shared, type World } from './actor.ts'
import { type Daemon, startDaemon } from './daemon.ts'
import { dataOf, LIMITS, LOG, recordsOf } from './kept.ts'
import { WORKER } from './places.ts'
import { openRecorder } from './record.ts'
import { openStream } from './subscriber.ts'
import type { WorkerPlan } from './worker.ts'

export interface RunOptions {
  readonly seed: number
  readonly seconds: number
  /** How often the daemon is killed. */
  readonly kills: number
  /** An empty one. */
  readonly directory: string
}

/** What was done to the clients and the daemon, how often. */
export interface Faults {
  readonly kills: number
  readonly stops: number
  readonly killedClients: number
}

const WORKERS = 3
const LEASE_TTL_MS = 600
/** The last answers, and the last leases. */
const END_MS = 30_000

/** Runs clients in processes of their own before a real daemon. Their records and its data stay in the directory. */
export async function runClients({ seed, seconds, kills, directory }: RunOptions): Promise<Faults> {
  const endpoint = `unix://${join(directory, 'socket')}`
  const flags = ['--listen', endpoint, '--data-dir', dataOf(directory), '--capacity', String(LIMITS.capacity)]
  flags.push('--reuse-delay', `${LIMITS.reuseDelayMs}ms`, '--lease-grace', '300ms', '--log-level', 'error')
  flags.push('--teardown-timeout', `${LIMITS.teardownTimeoutMs}ms`)
  const crew = createCrew(directory, endpoint, seed)
  let daemon: Daemon | undefined
  try {
    daemon = await startDaemon(flags)
    const log = followLog(endpoint, recordsOf(directory, LOG))
    for (let index = 0; index < WORKERS; index++) crew.hire()
    const disturbed = crew.disturb(createChance(seed + 1), seconds)
    for (let kill = 0; kill < kills; kill++) {
      await sleep((seconds * 1_000) / (kills + 1))
      await daemon.kill()
      daemon = await startDaemon(flags)
    }
    await sleep((seconds * 1_000) / (kills + 1))
    await disturbed
    await crew.dismiss()
    await log.finish()
    const { stops, killedClients } = crew
    return { kills, stops: stops(), killedClients: killedClients() }
  } finally {
    crew.end()
    await daemon?.kill()
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
  const actor = createActor({ endpoint, recorder, handles, ...alone } satisfies World, LOG, 0)
  const filter = { all: true, tokens: [], setIds: [], types: [] }
  const stream = openStream(actor, { filter, start: 0, hold: undefined })
  let at = 0
  const reading = (async () => {
    for (let item = await stream.next(); item !== undefined; item = await stream.next()) at = item.revision
  })()
  // That it was refused, `finish` says.
  reading.catch(() => undefined)
  return {
    /** Resolves when it has told everything up to now. */
    finish: async (): Promise<void> => {
      const client = connect({ endpoint })
      const { revision } = await client.getStatus()
      await client.close()
      const deadline = Date.now() + END_MS
      while (at < Number(revision)) {
        if (Date.now() > deadline) throw new Error(`the stream of everything stays at ${at} of ${revision}`)
        await Promise.race([sleep(20), reading])
      }
      await stream.subscription.return()
      await reading
      await actor.client.close()
      recorder.close()
    },
  }
}

/** One that has just been killed hears nothing, which is no fault. */
function tell(worker: ChildProcess, message: Shared | 'stop'): void {
  if (worker.connected) worker.send(message, () => undefined)
}

function createCrew(directory: string, endpoint: string, seed: number) {
  let hired = 0
  const workers = new Set<ChildProcess>()
  const failed: string[] = []
  let [stops, killedClients] = [0, 0]

  const hire = (): void => {
    const name = `w${hired++}`
    const limits = { ...LIMITS, leaseTtlMs: LEASE_TTL_MS }
    const who = { owners: 2, holders: 2, watchers: 2 }
    const plan: WorkerPlan = {
      name,
      seed: seed + hired * 100,
      endpoint,
      records: recordsOf(directory, name),
      ...limits,
      ...who,
    }
    const worker = fork(WORKER, [JSON.stringify(plan)], { execArgv: [] })
    workers.add(worker)
    worker.on('message', (known: Shared) => {
      for (const other of workers) if (other !== worker) tell(other, known)
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
    for (const worker of workers) tell(worker, 'stop')
    await Promise.all(ends)
    if (failed.length > 0) throw new Error(failed.join(', '))
  }

  const end = () => {
    for (const worker of workers) worker.kill('SIGKILL')
  }
  return { hire, disturb, dismiss, end, stops: () => stops, killedClients: () => killedClients }
}
