/** Chance that a seed decides. */
export interface Random {
  /** A whole number, 0 … limit-1. */
  below(limit: number): number
  /** A whole number, min … max. */
  between(min: number, max: number): number
  /** True so many times in a hundred. */
  percent(share: number): boolean
  pick<Item>(items: readonly Item[]): Item
  /** Goes on as a generator of that seed would. */
  reseed(seed: number): void
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const below = (limit: number) => {
    // Mulberry32: small, and good enough to pick moments.
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
  return {
    below,
    between: (min, max) => min + below(max - min + 1),
    percent: (share) => below(100) < share,
    pick: (items) => {
      // Nothing may be one of them.
      const [place] = items.slice(below(items.length)).entries()
      if (place === undefined) throw new Error('there is nothing to pick from')
      return place[1]
    },
    reseed: (next) => {
      state = next >>> 0
    },
  }
}

export type Weighted<Item> = readonly (readonly [weight: number, draw: () => Item])[]

/** One of several, each as likely as its weight says. */
export function drawOne<Item>(random: Random, choices: Weighted<Item>): Item {
  const sum = choices.reduce((total, [weight]) => total + weight, 0)
  let place = random.below(sum)
  for (const [weight, draw] of choices) {
    if (place < weight) return draw()
    place -= weight
  }
  throw new Error('there is nothing to draw from')
}
