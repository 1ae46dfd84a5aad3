import { parseArgs } from 'node:util'
import { checkHistory } from './check.ts'
import { figuresOf } from './figures.ts'
import { runClients } from './run.ts'

/**
 * `npm run history -- [--seed N] [--seconds S] [--kills K]`: clients in several processes before a real daemon that is
 * killed K times; prints the figures. Exit code 1 when the history breaks a rule, with the first of them.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    seconds: { type: 'string', default: '60' },
    kills: { type: 'string', default: '20' },
  },
})
const [seed, seconds, kills] = [Number(values.seed), Number(values.seconds), Number(values.kills)]
if (!Number.isInteger(seed) || !(seconds > 0) || !Number.isInteger(kills) || kills < 0) {
  console.error('usage: npm run history -- [--seed N] [--seconds S] [--kills K]')
  process.exit(2)
}

console.log(`seed ${seed}`)
const ran = await runClients({ seed, seconds, kills })
console.log(figuresOf(ran))
const startMs = performance.now()
const violations = checkHistory(ran.history)
console.log(`checked in ${((performance.now() - startMs) / 1_000).toFixed(1)} s`)
for (const { rule, what } of violations.slice(0, 20)) console.error(`${rule}: ${what}`)
if (violations.length > 0) console.error(`${violations.length} violations, seed ${seed}`)
process.exitCode = violations.length > 0 ? 1 : 0
