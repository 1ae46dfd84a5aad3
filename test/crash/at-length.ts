import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'

/**
 * Tests that `npm test` runs for a short while, for as long as is wanted:
 *
 *     npm run power-cuts -- [--cuts N] [--seed N]
 *     npm run kills -- [--kills N] [--seed N]
 *
 * From the top of the checkout, as npm does it. The seed is said; it decides all but the kernel's timing. The exit code is that of vitest.
 */
const LONG = new Map([
  ['cuts', { file: 'test/power/power-cuts.test.ts', variable: 'CUTS', count: '500' }],
  ['kills', { file: 'test/crash/holders.test.ts', variable: 'KILLS', count: '200' }],
])

const [what = '', ...args] = process.argv.slice(2)
const long = LONG.get(what)
if (long === undefined) throw new Error(`at-length takes one of ${[...LONG.keys()].join(', ')}`)

function read(count: string): { readonly count: number; readonly seed: number | undefined } | undefined {
  try {
    const { values } = parseArgs({ args, options: { [what]: { type: 'string' }, seed: { type: 'string' } } })
    const counted = Number(values[what] ?? count)
    const seed = values['seed'] === undefined ? undefined : Number(values['seed'])
    const isCount = (value: number) => Number.isSafeInteger(value) && value >= 0
    return counted > 0 && isCount(counted) && isCount(seed ?? 0) ? { count: counted, seed } : undefined
  } catch {
    return undefined
  }
}

const wanted = read(long.count)
if (wanted === undefined) {
  console.error(`usage: [--${what} N] [--seed N]`)
  process.exitCode = 2
} else {
  const { count, seed } = wanted
  const env = { ...process.env, [long.variable]: String(count), ...(seed === undefined ? {} : { SEED: String(seed) }) }
  const vitest = ['vitest', 'run', '--config', 'test/vitest.config.ts', '--project', 'crash', long.file]
  const child = spawn('npx', ['--no-install', ...vitest], { env, stdio: 'inherit' })
  const [code] = await once(child, 'exit')
  process.exitCode = Number(code ?? 1)
}
