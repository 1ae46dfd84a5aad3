import { describe, it } from 'vitest'
import { RUNS, soak } from './soak.ts'

describe('the simulated daemon', () => {
  it(`keeps every promise in the runs of seeds 1 to ${RUNS}`, () => soak(1), 600_000)
})
