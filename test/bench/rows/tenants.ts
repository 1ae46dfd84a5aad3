import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { connect } from '../../../client/index.ts'
import { rowOf } from '../figures.ts'
import { type LoadFigures, openLoader } from '../load/load.ts'
import { inRounds } from '../rounds.ts'
import type { Bench, Effort, Result, Row } from '../row.ts'
import { type AtEnd, inScope } from '../scope.ts'
import { startBenchDaemon } from '../servers/daemon.ts'
import { allocateLoad, ROOMY } from '../servers/daemon-set.ts'
import type { Flooded } from '../servers/flooder.ts'
import { type LineWorker, startLineWorker } from '../servers/line-worker.ts'
import { benchDirectory } from '../servers/processes.ts'
import { WARM_MS } from './allocating.ts'

/**
 * What one tenant notices of another that asks for more than it may have. They are two users of this host on one Unix
 * socket, and a policy lets each have sets of its own. B makes one call after the other; A is at its limit of requests a
 * second, waits when it is told to (polite) or never (hostile); and B alone is the reference.
 */

/** Beside the built bench. */
const FLOODER = fileURLToPath(new URL('../servers/flooder.js', import.meta.url))
/** `nobody`. */
const OTHER_UID = 65_534
/** A second's requests may be made at once, and are not what is measured. */
const BURST_MS = 1_500

interface Round extends LoadFigures {
  /** What came of A, from before its burst on. */
  readonly flooded: Flooded
}

async function startTenants(atEnd: AtEnd) {
  const directory = benchDirectory()
  atEnd(directory.remove)
  // Who is no root has to get to the socket, which is for root's group.
  chmodSync(directory.path, 0o711)
  const [socket, policy] = [join(directory.path, 'bench.sock'), join(directory.path, 'policy.yaml')]
  const grants = [`{ to: 'uid:0', own: [loaded], administer: true }`, `{ to: 'uid:${OTHER_UID}', own: [flooder] }`]
  writeFileSync(policy, `version: 1\ngrants:\n${grants.map((grant) => `  - ${grant}\n`).join('')}`)
  const daemon = await startBenchDaemon([...ROOMY, '--listen', `unix://${socket}`, '--policy-file', policy])
  atEnd(daemon.stop)
  const client = connect({ endpoint: `unix://${socket}`, coalesce: false, deadlineMs: 60_000 })
  atEnd(() => client.close())
  const { setHandle } = (await client.createSet({ token: 'loaded' })).set
  const loader = await openLoader(`unix://${socket}`, 1)
  atEnd(loader.close)
  const flooder = startLineWorker(process.execPath, [FLOODER, socket, String(OTHER_UID)])
  atEnd(flooder.stop)
  const load = async (forMs: number) => {
    const figures = await loader.run(allocateLoad(setHandle, 1), 1, { ms: forMs })
    await client.freeAll({ setHandle })
    return figures
  }
  return { flooder, load }
}

async function beside(flooder: LineWorker, how: 'polite' | 'hostile' | 'idle', load: () => Promise<LoadFigures>) {
  if (how !== 'idle') {
    await flooder.ask(how)
    await delay(BURST_MS)
  }
  const figures = await load()
  const flooded = JSON.parse(await flooder.ask('idle')) as Flooded
  return { ...figures, flooded } satisfies Round
}

function rowBeside(how: 'polite' | 'hostile', rounds: readonly Readonly<Record<typeof how | 'alone', Round>>[]): Row {
  return rowOf(
    { name: `tenants ${how}`, unit: 'times B alone, calls/s', target: { kind: 'at least', value: 0.8 } },
    rounds,
    (round) => round[how].perSecond / round.alone.perSecond,
    (round) => ({
      'beside A, calls/s': round[how].perSecond,
      'alone, calls/s': round.alone.perSecond,
      'beside A, p99 ms': round[how].p99Ms,
      'alone, p99 ms': round.alone.p99Ms,
      'A, answers': round[how].flooded.answered,
      'A, refusals': round[how].flooded.refused,
      'A, cut off': round[how].flooded.cutOff,
    }),
  )
}

async function run({ rounds, roundMs }: Effort): Promise<Result> {
  if (process.getuid?.() !== 0) throw new Error('tenants are two users of this host, and only root can be both')
  return await inScope(async (atEnd) => {
    const { flooder, load } = await startTenants(atEnd)
    await load(WARM_MS)
    const measured = await inRounds(rounds, {
      alone: () => beside(flooder, 'idle', () => load(roundMs)),
      polite: () => beside(flooder, 'polite', () => load(roundMs)),
      hostile: () => beside(flooder, 'hostile', () => load(roundMs)),
    })
    return { rows: [rowBeside('polite', measured), rowBeside('hostile', measured)] }
  })
}

export const tenantsBench: Bench = {
  name: 'tenants',
  about: 'Allocate of one tenant, one in flight, while another is over its limit, against itself alone; takes root',
  needs: [],
  run,
}
