/** Chance that can be had again: the seed is SEED from the environment, or a new one, and is said. */
export interface SeededChance {
  readonly seed: number
  /** A whole number, 0 … limit-1. */
  below(limit: number): number
}

export function seededChance(name: string): SeededChance {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`${name}: SEED=${seed}`)
  let state = seed >>> 0
  return {
    seed,
    below: (limit) => {
      // Mulberry32: small, and good enough to pick moments.
      state = (state + 0x6d2b79f5) >>> 0
      let mixed = Math.imul(state ^ (state >>> 15), state | 1)
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
      return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
    },
  }
}
