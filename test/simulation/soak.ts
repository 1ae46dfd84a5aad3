import { expect } from 'vitest'
import type { Happening } from './coverage.ts'
import { createTally, runMany } from './many.ts'

/** How many runs a test file makes, of which there are two: 10,000 in less than two minutes of two cores. */
export const RUNS = 5000

/** Happens in nearly every run, or is as rare as what it takes. */
const RARE: Partial<Record<Happening, number>> = {
  'kept away by its reuse delay': 10,
  'crash while starting': 10,
  'start refused by the data': 5,
  'id reclaimed by a release': 10,
}
const OFTEN = 30

/** Runs of consecutive seeds, all without a report; and everything that is to happen in a simulation happened. */
export async function soak(first: number): Promise<void> {
  const tally = createTally()
  const failure = await runMany({ first, stride: 1 }, tally, () => tally.figures.runs < RUNS)
  expect(failure).toBeUndefined()
  const tooRare = [...tally.figures.counts].filter(([what, times]) => times < (RARE[what] ?? OFTEN))
  expect(tooRare).toEqual([])
}
