import { parseArgs } from 'node:util'
import { checkRecords, runAndCheck } from './run-and-check.ts'

/**
 * `npm run history -- [--seed N] [--seconds S] [--kills K]`: clients in several processes before a real daemon that is
 * killed K times; prints the figures. Exit code 1 when the history breaks a rule, with the first of them, and with where
 * the records and the daemon's data are kept: `npm run history -- --records DIRECTORY` checks them once more.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    seconds: { type: 'string', default: '60' },
    kills: { type: 'string', default: '20' },
    records: { type: 'string' },
  },
})
const [seed, seconds, kills] = [Number(values.seed), Number(values.seconds), Number(values.kills)]
if (!Number.isInteger(seed) || !(seconds > 0) || !Number.isInteger(kills) || kills < 0) {
  console.error('usage: npm run history -- [--seed N] [--seconds S] [--kills K] | --records DIRECTORY')
  process.exit(2)
}

const { records } = values
const { violations } = await (records === undefined ? runAndCheck({ seed, seconds, kills }) : checkRecords(records))
for (const { rule, what } of violations.slice(0, 20)) console.error(`${rule}: ${what}`)
if (violations.length > 0) console.error(`${violations.length} violations`)
process.exitCode = violations.length > 0 ? 1 : 0
