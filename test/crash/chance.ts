/** A whole number, 0 … limit-1. */
export type Below = (limit: number) => number

/**
 * Chance of its own for one of many actors: what one of them draws, and when, changes nothing for the others. The same
 * seed and name give the same numbers.
 */
export function chanceOf(seed: number, name: string): Below {
  let state = seed >>> 0
  for (const letter of name) state = Math.imul(state ^ (letter.codePointAt(0) ?? 0), 0x0100_0193) >>> 0
  return (limit) => {
    // Mulberry32, as in support/chance.ts.
    state = (state + 0x6d2b_79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
}

/** One of them; undefined of none. */
export function oneOf<Item>(below: Below, items: readonly Item[]): Item | undefined {
  return items[below(items.length || 1)]
}
