import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median } from '../median.ts'
import { CC } from '../programs.ts'
import { inRounds } from '../rounds.ts'
import type { Bench, Effort, Result, Row } from '../row.ts'
import { type LineWorker, startLineWorker } from '../servers/line-worker.ts'
import { benchDirectory } from '../servers/processes.ts'

const CAPACITY = 2 ** 20
/** How many ids of a range are live. The narrow range lies across words and families of the structures. */
const FILLS = {
  empty: { min: 0, max: CAPACITY - 1, live: 64 },
  'half full': { min: 0, max: CAPACITY - 1, live: CAPACITY / 2 },
  '99.99 % full': { min: 0, max: CAPACITY - 1, live: CAPACITY - 105 },
  'narrow range': { min: 524_325, max: 525_348, live: 1_000 },
} as const
type Fill = keyof typeof FILLS
const FILL_NAMES = Object.keys(FILLS) as Fill[]

/** With a queue of half a million ids it takes as many pairs until all that is free has been used. */
const WARM_MS = 1_000
/** Of `roundMs`: there are twelve variants, and a pair takes so little that this is a million of them. */
const ROUND_SHARE = 0.2

const MOST_OF_C = 4
const MOST_RESTED_NS = 300
const MOST_BETWEEN_FILLS = 3

const SOURCE = fileURLToPath(new URL('../../../../test/bench/rows/id-space.c', import.meta.url))
const PAIRS = fileURLToPath(new URL('id-space-pairs.js', import.meta.url))

const VARIANTS = ['lowest', 'rested', 'C'] as const
type Variant = (typeof VARIANTS)[number]
type Name = `${Variant}, ${Fill}`
type Round = Readonly<Record<Name, number>>

export const idSpaceBench: Bench = {
  name: 'id-space',
  about:
    'an id allocated and another freed, in memory: policy lowest against the same in C, rested in ns, at every fill',
  needs: [CC],
  run,
}

async function run(effort: Effort): Promise<Result> {
  const directory = benchDirectory()
  const workers = new Map<Name, LineWorker>()
  try {
    const compiled = join(directory.path, 'id-space')
    execFileSync('cc', ['-O2', SOURCE, '-o', compiled])
    for (const variant of VARIANTS) {
      for (const fill of FILL_NAMES) workers.set(`${variant}, ${fill}`, start(variant, fill, compiled))
    }
    for (const [name, worker] of workers) {
      effort.say(`id-space: warming ${name}`)
      await worker.ask(String(WARM_MS))
    }
    effort.say(`id-space: ${effort.rounds} rounds`)
    const measure = async (worker: LineWorker) => Number(await worker.ask(String(effort.roundMs * ROUND_SHARE)))
    const measures = [...workers].map(([name, worker]) => [name, () => measure(worker)] as const)
    const variants = Object.fromEntries(measures) as Record<Name, () => Promise<number>>
    return { rows: rowsOf(await inRounds(effort.rounds, variants)) }
  } finally {
    await Promise.all([...workers.values()].map((worker) => worker.stop()))
    directory.remove()
  }
}

function start(variant: Variant, fill: Fill, compiled: string): LineWorker {
  const { min, max, live } = FILLS[fill]
  const numbers = [CAPACITY, min, max, live].map(String)
  if (variant === 'C') return startLineWorker(compiled, ['lowest', ...numbers])
  return startLineWorker(process.execPath, [PAIRS, variant, ...numbers])
}

function rowsOf(rounds: readonly Round[]): readonly Row[] {
  const of = (name: Name) => median(rounds.map((round) => round[name]))
  const lowest = FILL_NAMES.map((fill): Row => {
    const [ours, theirs]: [Name, Name] = [`lowest, ${fill}`, `C, ${fill}`]
    return {
      name: `id-space ${ours}`,
      unit: 'times the same in C',
      target: { kind: 'at most', value: MOST_OF_C },
      rounds: rounds.map((round) => round[ours] / round[theirs]),
      figures: { 'lowest, ns a pair': of(ours), 'C, ns a pair': of(theirs) },
    }
  })
  const rested = FILL_NAMES.map((fill): Row => {
    const name: Name = `rested, ${fill}`
    return {
      name: `id-space ${name}`,
      unit: 'ns a pair',
      target: { kind: 'at most', value: MOST_RESTED_NS },
      rounds: rounds.map((round) => round[name]),
      figures: {},
    }
  })
  return [...lowest, ...rested, fillsRow('lowest', rounds), fillsRow('rested', rounds), fillsRow('C', rounds)]
}

function fillsRow(variant: Variant, rounds: readonly Round[]): Row {
  const all = (round: Round) => FILL_NAMES.map((fill) => round[`${variant}, ${fill}`])
  const figures = FILL_NAMES.map((fill) => [
    `${fill}, ns a pair`,
    median(rounds.map((round) => round[`${variant}, ${fill}`])),
  ])
  return {
    name: `id-space ${variant}, fills`,
    unit: 'slowest fill against the fastest',
    // What C does with it is there to be read: it is what the machine's caches make of any such structure.
    ...(variant === 'C' ? {} : { target: { kind: 'at most', value: MOST_BETWEEN_FILLS } }),
    rounds: rounds.map((round) => Math.max(...all(round)) / Math.min(...all(round))),
    figures: Object.fromEntries(figures),
  }
}
