import { describe, expect, it } from 'vitest'
import { drawPlan, type Plan } from './plan.ts'
import { run } from './run.ts'
import { shrink } from './shrink.ts'

describe('a run of the simulation', () => {
  it('is decided by its seed alone, whatever ran before', async () => {
    for (const seed of [3, 17, 42, 101]) {
      const first = await run(drawPlan(seed), { tells: true })
      await run(drawPlan(seed + 1))
      const second = await run(drawPlan(seed), { tells: true })
      expect(second).toEqual(first)
      expect(first.story.length).toBeGreaterThan(20)
    }
  })

  it('is another one with another seed', async () => {
    const one = await run(drawPlan(1), { tells: true })
    const other = await run(drawPlan(2), { tells: true })
    expect(other.story).not.toEqual(one.story)
  })

  it('goes as it did when steps are left out that had nothing to do with it', async () => {
    const plan = drawPlan(5)
    const without = { ...plan, steps: plan.steps.slice(0, 10) }
    const [whole, shorter] = [await run(plan, { tells: true }), await run(without, { tells: true })]
    const end = shorter.story.findIndex((line) => line.includes('everything is mended'))
    expect(end).toBeGreaterThan(10)
    expect(whole.story.slice(0, end)).toEqual(shorter.story.slice(0, end))
  })

  it('leaves the event loop of others alone', async () => {
    const immediate = globalThis.setImmediate
    await run(drawPlan(7))
    expect(globalThis.setImmediate).toBe(immediate)
  })
})

describe('a story that fails', () => {
  it('is made as short as it can be', async () => {
    const plan = drawPlan(11)
    const culprits = [plan.steps[4], plan.steps[21]]
    const tries: Plan[] = []
    const shrunk = await shrink(plan, async (shorter) => {
      tries.push(shorter)
      return culprits.every((step) => shorter.steps.some((each) => each === step))
    })
    expect(shrunk.steps).toEqual(culprits)
    expect(tries.length).toBeLessThan(100)
  })

  it('is made shorter within a number of tries', async () => {
    let tries = 0
    const plan = drawPlan(11)
    const shrunk = await shrink(plan, async () => ++tries % 2 === 0, 10)
    expect(tries).toBe(10)
    expect(shrunk.steps.length).toBeLessThan(plan.steps.length)
  })
})
