import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { createTally, type Figures, printFigures, runMany } from './many.ts'

/**
 * `npm run simulate -- --seed N --minutes M [--runs N] [--threads N]`: runs of the seeds N, N+1, … until the time is over or
 * so many were made; prints the figures. Exit code 1 when a checker reported something, with the story, which its seed
 * gives again.
 */
interface Share {
  readonly seed: number
  readonly stride: number
  readonly runs: number
  readonly ms: number
}

type Done = Figures & { readonly failure: string | undefined }

const USAGE = 'usage: npm run simulate -- [--seed N] [--minutes M] [--runs N] [--threads N]'

async function work({ seed, stride, runs, ms }: Share): Promise<Done> {
  const endMs = performance.now() + ms
  const tally = createTally()
  const failure = await runMany({ first: seed, stride }, tally, () => {
    return tally.figures.runs < runs && performance.now() < endMs
  })
  return { ...tally.figures, failure }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '2' },
      runs: { type: 'string', default: 'Infinity' },
      threads: { type: 'string', default: String(availableParallelism()) },
    },
  })
  const [seed, minutes, runs, wished] = [values.seed, values.minutes, values.runs, values.threads].map(Number)
  if (!(isCount(seed) && isCount(wished) && Number(minutes) > 0 && Number(runs) >= 1)) {
    console.error(USAGE)
    return 2
  }
  const threads = Math.min(wished, Number(runs))
  const startMs = performance.now()
  const shares = Array.from({ length: threads }, (_, index): Share => {
    const own = Math.ceil((Number(runs) - index) / threads)
    return { seed: seed + index, stride: threads, runs: own, ms: Number(minutes) * 60_000 }
  })
  const done = await Promise.all(shares.map(inThread))
  const tally = createTally()
  for (const figures of done) tally.add(figures)
  console.log(printFigures(tally.figures, (performance.now() - startMs) / 1000))
  const failures = done.flatMap(({ failure }) => failure ?? [])
  for (const failure of failures) console.error(failure)
  return failures.length > 0 ? 1 : 0
}

function isCount(value: number | undefined): value is number {
  return value !== undefined && Number.isInteger(value) && value >= 1
}

function inThread(share: Share): Promise<Done> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: share })
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

if (isMainThread) process.exitCode = await main()
else parentPort?.postMessage(await work(workerData))
