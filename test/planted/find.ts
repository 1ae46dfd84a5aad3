import { drawPlan } from '../simulation/plan.ts'
import { run } from '../simulation/run.ts'

/** `node find.js SEEDS`: the first report of the simulation over the seeds 1 to SEEDS, as JSON; `null` if there is none. */
export interface Found {
  readonly checker: string
  readonly sentence: string
  readonly seed: number
}

async function find(seeds: number): Promise<Found | null> {
  for (let seed = 1; seed <= seeds; seed++) {
    const { violation } = await run(drawPlan(seed))
    if (violation !== undefined) return { ...violation, seed }
  }
  return null
}

console.log(JSON.stringify(await find(Number(process.argv[2]))))
