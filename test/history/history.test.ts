import { expect, test } from 'vitest'
import { runAndCheck } from './run-and-check.ts'

// It says what clients ask; when that arrives, it cannot say. SEED=… takes another one.
const SEED = Number(process.env['SEED'] ?? 20)
const SECONDS = 12
const KILLS = 3

test('one order of the changes explains whatever concurrent clients were told, over kills and stopped clients', async () => {
  const { violations, history, faults } = await runAndCheck({ seed: SEED, seconds: SECONDS, kills: KILLS })
  expect(violations.slice(0, 10)).toEqual([])
  // A machine that is busy with other things makes fewer of them.
  expect(history.revision).toBeGreaterThan(20)
  expect(faults.stops).toBeGreaterThan(0)
})
