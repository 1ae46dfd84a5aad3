import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** The tests that a mutant of the core must fail: those of the core alone, since they are quick. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/mutation/core-tests.ts'],
    isolate: false,
    testTimeout: 120_000,
    env: { PART_OF_RUNS: process.env['PART_OF_RUNS'] ?? '0.1' },
  },
})
