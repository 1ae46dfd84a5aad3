import type { Random } from '../simulation/random.ts'

/** Something by name, with how often it is taken, next to the others of its list. */
export type Weighted<Value> = readonly [name: string, weight: number, value: Value]

const STEPS = 2 ** 30

export function pickWeighted<Value>(random: Random, items: readonly Weighted<Value>[]): Weighted<Value> {
  const total = items.reduce((sum, [, weight]) => sum + weight, 0)
  let left = (random.below(STEPS) / STEPS) * total
  for (const item of items) {
    left -= item[1]
    if (left < 0) return item
  }
  throw new Error('there is nothing to pick from')
}
