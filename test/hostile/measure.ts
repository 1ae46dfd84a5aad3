import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { ATTACKERS, type Attacker, NEIGHBOUR } from './attackers.ts'
import { summarise } from './others.ts'
import { startTarget } from './target.ts'
import { createWorld, type World } from './world.ts'

/**
 * What others notice of an attack: their p99 with it, against the p99 without it just before, in rounds that alternate.
 * Without it a neighbour takes the core that an attacker takes: on a machine of two cores daemon, prober and a third
 * process get in each other's way whatever the third one does, which is no matter of the daemon.
 */

export interface MeasureOptions {
  readonly seed: number
  readonly rounds: number
  readonly windowMs: number
  /** Only attacks whose name holds this. */
  readonly only: string
}

/** The rule: others' p99 stays within twice its idle value. */
const MAX_RATIO = 2

/** Prints a line for each attack; true when all kept the rule. */
export async function measure({ seed, rounds, windowMs, only }: MeasureOptions): Promise<boolean> {
  console.log(
    `seed ${seed}, ${rounds} rounds, windows of ${windowMs} ms; p99 of others in ms, with a busy neighbour and under attack`,
  )
  let isKept = true
  for (const attacker of ATTACKERS.filter(({ name }) => name.includes(only))) {
    const measured = await measureOne(attacker, { seed, rounds, windowMs, only })
    const ratios = measured.map(({ idle, attacked }) => attacked / idle)
    const ratio = median(ratios)
    isKept &&= ratio <= MAX_RATIO
    const idle = median(measured.map((round) => round.idle))
    const attacked = median(measured.map((round) => round.attacked))
    const each = ratios.map((value) => value.toFixed(2)).join(' ')
    const verdict = ratio <= MAX_RATIO ? 'kept' : 'BROKEN'
    console.log(
      `${attacker.name}: ${idle.toFixed(1)} -> ${attacked.toFixed(1)}, ratio ${ratio.toFixed(2)} (${each}) ${verdict}`,
    )
  }
  return isKept
}

async function measureOne(attacker: Attacker, { seed, rounds, windowMs }: MeasureOptions) {
  // A daemon for each: what one attack left behind is not the next one's.
  const target = await startTarget()
  const world = await createWorld(target, 'vm')
  await fill(target, world)
  // A set of its own, which nobody is hostile to, with ids that nobody can take away.
  const quota = { token: 'prober', quota: 4 }
  const { set } = await target.wire.call('ioasid.v1.SetService', 'CreateSet', quota)
  const { set_handle: handle } = set as { readonly set_handle: string }
  const prober = fork(new URL('prober.js', import.meta.url), [target.address, handle])
  const measured: { readonly idle: number; readonly attacked: number }[] = []
  try {
    await sleep(1000)
    for (let round = 0; round < rounds; round++) {
      const neighbour = await NEIGHBOUR.start(target, world, seed)
      const idle = await p99(prober, windowMs)
      await neighbour.stop()
      const attack = await attacker.start(target, world, seed + round)
      const attacked = await p99(prober, windowMs)
      await attack.stop()
      measured.push({ idle, attacked })
      await sleep(300)
    }
  } catch (cause) {
    const complaints = target.complaints().join('\n')
    throw new Error(`the daemon ${target.isAlive() ? 'lives' : 'has ended'}; it said:\n${complaints}`, { cause })
  } finally {
    prober.kill()
    await target.stop()
  }
  return measured
}

const PER_ALLOCATE = 1000

async function fill({ wire }: Awaited<ReturnType<typeof startTarget>>, { setHandle: set_handle }: World) {
  for (let round = 0; round < 10; round++) {
    await wire.call('ioasid.v1.IoasidService', 'Allocate', { set_handle, count: PER_ALLOCATE })
  }
}

async function p99(prober: ChildProcess, windowMs: number): Promise<number> {
  await ask(prober)
  await sleep(windowMs)
  return summarise(await ask(prober)).p99Ms
}

async function ask(prober: ChildProcess): Promise<readonly number[]> {
  if (!prober.connected) throw new Error('the prober has ended: a question of it was not answered')
  prober.send('report')
  const [took] = (await once(prober, 'message')) as [readonly number[]]
  return took
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
