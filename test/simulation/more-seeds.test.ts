import { describe, it } from 'vitest'
import { RUNS, soak } from './soak.ts'

/** The other half, so that both cores have something to do. */
describe('the simulated daemon', () => {
  it(`keeps every promise in the runs of seeds 1,000,001 to ${1_000_000 + RUNS}`, () => soak(1_000_001), 600_000)
})
