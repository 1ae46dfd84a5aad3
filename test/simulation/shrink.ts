import type { Plan } from './plan.ts'
import { run } from './run.ts'

/**
 * The shortest plan that still fails, found by leaving steps out: halves, quarters, single ones. A bounded number of
 * tries, since each is a run.
 */
export async function shrink(plan: Plan, fails: (plan: Plan) => Promise<boolean>, tries = 400): Promise<Plan> {
  let best = plan
  let left = tries
  for (let size = Math.ceil(best.steps.length / 2); size >= 1; ) {
    let isShorter = false
    for (let from = 0; from < best.steps.length && left > 0; ) {
      const shorter = { ...best, steps: [...best.steps.slice(0, from), ...best.steps.slice(from + size)] }
      left -= 1
      if (await fails(shorter)) {
        best = shorter
        isShorter = true
      } else from += size
    }
    // At single steps until none can be left out.
    if (left === 0 || (size === 1 && !isShorter)) break
    size = Math.max(1, size >> 1)
  }
  return best
}

/** A failing run as a person wants to read it. */
export async function tell(plan: Plan): Promise<string> {
  const { violation } = await run(plan)
  if (violation === undefined) return `seed ${plan.seed} is no failure`
  const { checker } = violation
  const shrunk = await shrink(plan, async (shorter) => (await run(shorter)).violation?.checker === checker)
  const { story, violation: last } = await run(shrunk, { tells: true })
  const { space, limits } = plan.flags
  return [
    `${violation.checker}: ${last?.sentence ?? violation.sentence}`,
    `seed ${plan.seed}: npm run simulate -- --seed ${plan.seed} --runs 1`,
    `flags: ${JSON.stringify({ ...space, ...limits })}`,
    `${shrunk.steps.length} of ${plan.steps.length} steps:`,
    ...story.map((line) => `  ${line}`),
  ].join('\n')
}
