import { createCoverage, type Happening } from './coverage.ts'
import { drawPlan } from './plan.ts'
import { run } from './run.ts'
import { tell } from './shrink.ts'

/** What many runs come to. */
export interface Figures {
  runs: number
  steps: number
  callbacks: number
  revisions: number
  readonly counts: ReadonlyMap<Happening, number>
}

export interface Tally {
  readonly figures: Figures
  add(figures: Figures): void
}

export function createTally(): Tally {
  const { counts, count } = createCoverage()
  const figures: Figures = { runs: 0, steps: 0, callbacks: 0, revisions: 0, counts }
  return {
    figures,
    add: (more) => {
      figures.runs += more.runs
      figures.steps += more.steps
      figures.callbacks += more.callbacks
      figures.revisions += more.revisions
      for (const [what, times] of more.counts) count(what, times)
    },
  }
}

export function printFigures({ runs, steps, callbacks, revisions, counts }: Figures, seconds: number): string {
  const rate = Math.round(runs / seconds)
  const head = `${runs} runs in ${seconds.toFixed(1)} s (${rate}/s): ${steps} steps, ${callbacks} callbacks, ${revisions} revisions`
  return [head, ...[...counts].map(([what, times]) => `${String(times).padStart(10)}  ${what}`)].join('\n')
}

export interface Seeds {
  readonly first: number
  readonly stride: number
}

/** Seed after seed, as long as there is more to do; the story of the first that fails. */
export async function runMany(
  { first, stride }: Seeds,
  tally: Tally,
  goesOn: () => boolean,
): Promise<string | undefined> {
  for (let seed = first; goesOn(); seed += stride) {
    const plan = drawPlan(seed)
    const { violation, coverage, callbacks, revisions } = await run(plan)
    tally.add({ runs: 1, steps: plan.steps.length, callbacks, revisions, counts: coverage })
    if (violation !== undefined) return await tell(plan)
    // Whoever runs this wants to be heard, too.
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  return undefined
}
