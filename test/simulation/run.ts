import { isFailure } from '../../server/core/failure.ts'
import { show } from './checkers/same.ts'
import { type Connections, createConnections } from './connection.ts'
import { createCoverage, type Happening } from './coverage.ts'
import { createDaemon, type Daemon } from './daemon.ts'
import { createDisk } from './disk.ts'
import { performFault } from './fault-acts.ts'
import { createHolders } from './holders.ts'
import type { Host } from './host.ts'
import { withImmediates } from './immediates.ts'
import { createOracle, type Oracle } from './oracle.ts'
import { createOwners } from './owners.ts'
import type { Act, Plan } from './plan.ts'
import { createRandom } from './random.ts'
import type { Checker, Sim } from './sim.ts'
import { createWatchers } from './watchers.ts'
import { createWire } from './wire.ts'
import { createWorld } from './world.ts'

export interface Result {
  readonly violation: Violation | undefined
  readonly coverage: ReadonlyMap<Happening, number>
  readonly callbacks: number
  readonly revisions: number
  /** Only where it was asked for. */
  readonly story: readonly string[]
}

export interface Violation {
  readonly checker: Checker
  readonly sentence: string
}

/** Runs a plan to its end, or to the first report of a checker. */
export async function run(plan: Plan, options: { readonly tells: boolean } = { tells: false }): Promise<Result> {
  const random = createRandom(plan.seed)
  const coverage = createCoverage()
  const story: string[] = []
  let violation: Violation | undefined
  const report = (checker: Checker, sentence: string) => {
    violation ??= { checker, sentence }
  }
  const world = createWorld({
    random,
    look: () => {
      oracle.look(daemon.process)
      return violation !== undefined
    },
    onCircle: () => report('sound', 'callbacks follow callbacks, and time does not go on'),
  })
  const trace = options.tells
    ? (line: () => string) => void story.push(`${(world.nowMs / 1000).toFixed(4)} s  ${line()}`)
    : () => undefined
  const disk = createDisk({
    world,
    coverage,
    onEntry: (entry) => {
      trace(() => `on the disk: ${JSON.stringify(entry)}`)
      oracle.follow(entry)
    },
    onDisorder: (sentence) => report('restart', sentence),
  })
  const latenessMs = () => (random.percent(plan.latePercent) ? random.between(1, 450) : 0)
  const sim: Sim = { world, disk, coverage, report, trace, latenessMs }
  const oracle: Oracle = createOracle(sim, { flags: plan.flags, streams: () => connections.records })
  const wire = createWire(sim, () => daemon, oracle)
  const connections: Connections = createConnections(sim, () => daemon, oracle)
  const daemon: Daemon = createDaemon(sim, {
    onServing: oracle.serves,
    onEnd: (process) => {
      oracle.ends(process)
      wire.broken(process)
      connections.broken(process)
    },
    contradicts: oracle.contradicts,
  })
  let requests = 0
  const newRequestId = () => {
    requests += 1
    return `request-${requests}`
  }
  const host: Host = { ...sim, wire, connections, oracle, daemon, newRequestId }
  const isOver = () => violation !== undefined
  await withImmediates(
    (callback) => void world.after('daemon', 0, callback),
    () => live(host, plan, isOver),
  )
  const revisions = disk.history.length
  return { violation, coverage: coverage.counts, callbacks: world.callbacks, revisions, story }
}

const SECOND_MS = 1000
/** After so long everybody has heard of everything, waves apart. */
const QUIET_MS = 1500

async function live(host: Host, { flags, pace, steps }: Plan, isOver: () => boolean): Promise<void> {
  const { world, daemon, disk, oracle, report, trace } = host
  const owners = createOwners(host)
  const holders = createHolders(host)
  const watchers = createWatchers(host)
  const perform = ({ party, act }: Act) => {
    trace(() => `${party}: ${JSON.stringify({ ...act, flags: undefined })}`)
    switch (party) {
      case 'owner':
        return owners.perform(act)
      case 'holder':
        return holders.perform(act)
      case 'watcher':
        return watchers.perform(act)
      case 'fault':
        return performFault(host, daemon, act)
    }
  }

  disk.setPace(pace)
  daemon.start(flags)
  await world.runFor(50)
  for (const { seed, beforeMs, act } of steps) {
    if (isOver()) return
    world.random.reseed(seed)
    await world.runFor(beforeMs)
    if (!isOver()) perform(act)
  }

  trace(() => 'everything is mended, and everybody reads on')
  disk.heal()
  world.interrupt(Infinity, 0, () => undefined)
  for (let wait = 0; wait < 100 && (world.isSuspended || !daemon.process?.serving); wait++)
    await world.runFor(SECOND_MS)
  if (isOver()) return
  if (!daemon.process?.serving) return report('sound', 'the daemon does not serve, and its disk is well')
  watchers.readOn()
  holders.readOn()
  const told = disk.history.length
  const { teardownTimeoutMs } = daemon.process.flags.limits
  const untilMs = world.nowMs + QUIET_MS + 2 * teardownTimeoutMs
  await world.runFor(SECOND_MS / 4)
  while (world.nowMs < untilMs && !isOver() && !isAllTold(host, told)) await world.runFor(SECOND_MS / 4)
  if (isOver()) return
  checkStreams(host, told)
  owners.lookAtAll()
  checkStatus(host).catch((cause: unknown) => report('sound', `a read throws ${cause}`))
  await world.runFor(50)
  if (isOver()) return

  trace(() => 'and once more from the disk')
  const before = disk.history.length
  daemon.crash(10)
  await world.runFor(SECOND_MS / 5)
  if (isOver()) return
  if (disk.history.length < before) report('restart', 'something is gone')
  owners.lookAtAll()
  await world.runFor(20)
  oracle.answers.catchUp()
}

function isAllTold({ connections, oracle }: Host, upTo: number): boolean {
  return [...connections.records].every((stream) => oracle.streams.missing(stream, upTo) === undefined)
}

/** The numbers of an operator. Nothing happens any more, but for what time brings about. */
async function checkStatus({ daemon, connections, oracle, report }: Host): Promise<void> {
  const { overruns } = oracle.waves
  const { isChanging } = connections
  const subscriptions = connections.records.size
  const status = await daemon.process?.serving?.engine.status()
  if (status === undefined || isFailure(status) || isChanging) return
  const given = show([status.overruns, status.subscriptions])
  if (given !== show([overruns, subscriptions])) {
    report('accounts', `overruns and subscriptions are ${given}, and not ${show([overruns, subscriptions])}`)
  }
}

/** Every stream has told what it was to tell, and belongs to a lease that lives, if it holds. */
function checkStreams({ connections, oracle, report }: Host, upTo: number): void {
  for (const stream of connections.records) {
    const untold = oracle.streams.missing(stream, upTo)
    if (untold !== undefined) {
      const checker = stream.hold === undefined || stream.hold.priority === 'CPU' ? 'stream-complete' : 'waves'
      report(checker, `${stream.name} is not told of revision ${untold}, ever`)
    }
    const lease = stream.hold?.leaseId
    const isAlive = oracle.model.leases.some(({ leaseId, isHeld }) => leaseId === lease && !isHeld)
    if (lease !== undefined && !isAlive) report('lease-end', `${stream.name} is still open, and its lease is over`)
  }
}
