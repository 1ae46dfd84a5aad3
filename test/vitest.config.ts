import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** Tests that start processes: a daemon, a compiler, an interpreter of another language. */
const processTests = [
  ...['daemon', 'hostile', 'interop', 'examples', 'packaging', 'readme', 'tenants'].map(
    (folder) => `test/${folder}/**/*.test.ts`,
  ),
  'test/client/pack.test.ts',
  'test/observability/processes/**/*.test.ts',
]

/** Thousands of runs of the whole server above the wire, simulated. */
const simulationTests = ['test/simulation/**/*.test.ts', 'test/planted/**/*.test.ts']

/** Tests that kill daemons under load, again and again, and cut their power. Each says its seed. */
const crashTests = ['test/crash/**/*.test.ts', 'test/power/**/*.test.ts', 'test/history/history.test.ts']

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  cacheDir: 'node_modules/.cache/vitest',
  test: {
    pool: 'forks',
    allowOnly: false,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...processTests, ...crashTests, ...simulationTests],
          testTimeout: 20_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'process',
          include: processTests,
          // A daemon that shares two cores with others may take its time; a test that hangs still ends.
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          // After the unit tests, so that the processes do not compete with them for the cores.
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'simulation',
          include: simulationTests,
          testTimeout: 120_000,
          maxWorkers: 2,
          // By itself, since it takes all that two cores have.
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'crash',
          include: crashTests,
          testTimeout: 180_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
