import { parseArgs } from 'node:util'
import { fuzz } from './fuzz.ts'
import { measure } from './measure.ts'
import { startTarget } from './target.ts'

/**
 * `npm run hostile -- --seed N --requests N`: so many bad requests against a real daemon, each checked; prints what they
 * were answered with. `npm run hostile -- --measure`: what others notice of attacks. Exit code 1 when a rule was broken.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    requests: { type: 'string', default: '10000' },
    measure: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    window: { type: 'string', default: '2000' },
    only: { type: 'string', default: '' },
  },
})
const [seed, requests] = [Number(values.seed), Number(values.requests)]
const [rounds, windowMs] = [Number(values.rounds), Number(values.window)]
if (![seed, requests, rounds, windowMs].every((value) => Number.isInteger(value) && value >= 0)) {
  console.error(
    'usage: npm run hostile -- [--seed N] [--requests N] | --measure [--rounds N] [--window MS] [--only NAME]',
  )
  process.exit(2)
}

const isFine = values.measure ? await measure({ seed, rounds, windowMs, only: values.only }) : await runFuzz()
process.exit(isFine ? 0 : 1)

async function runFuzz(): Promise<boolean> {
  console.log(`seed ${seed}`)
  // No lease ends by itself: then the revision moves only where a request was answered with OK.
  const target = await startTarget({ args: ['--lease-ttl-min', '1h', '--lease-ttl-max', '48h'] })
  const startMs = performance.now()
  const report = await fuzz(target, seed, requests, (done) => console.log(`${done} …`))
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0)
  for (const [name, count] of [...report.outcomes].sort()) console.log(`${String(count).padStart(6)} ${name}`)
  const { changes, reconnects, problems } = report
  console.log(
    `${report.requests} requests in ${seconds} s, ${changes} changed something, ${reconnects} connections ended; ` +
      `peak ${Math.round(target.peakRssBytes() / 2 ** 20)} MiB; ${problems.length} problems`,
  )
  for (const problem of problems) console.error(problem)
  const code = await target.stop()
  if (code !== 0) console.error(`the daemon ended with ${code}`)
  return problems.length === 0 && code === 0
}
