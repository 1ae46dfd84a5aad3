import { type Command, Option } from 'commander'
import { duration, wholeNumber } from './arguments.ts'
import { printFacts } from './output.ts'
import { type Io, type Session, withClient } from './run.ts'

/** What it leaves behind when it is killed ends by itself after this. */
const LEASE_MS = 30_000

interface PerfOptions {
  /** In ms. */
  readonly duration: number
  readonly callers: number
}

export function addCheckCommand(program: Command, io: Io): void {
  const check = program.command('check').description('Measures the daemon.')
  check
    .command('perf')
    .description(
      'Allocates and frees ids for a while, in a set of its own that is gone afterwards, and says how fast that was. ' +
        'Each of it is a change on disk: what else the daemon does will notice, and its history grows by as much.',
    )
    .addOption(new Option('--duration <duration>', 'how long: 500ms, 5s, 1m').argParser(duration).default(5000, '5s'))
    .option('--callers <n>', 'how many at the same time', wholeNumber(1, 1000), 16)
    .addHelpText(
      'after',
      '\nExamples:\n  ioasidctl check perf\n  ioasidctl check perf --duration 30s --callers 64 -o json',
    )
    .action((options: PerfOptions, command: Command) =>
      withClient(io, command, async (session) => {
        const { client, call, output } = session
        const lease = await client.openLease({ ttlMs: LEASE_MS, name: 'ioasidctl check perf' })
        try {
          const { set } = await client.createSet({ leaseHandle: lease.handle }, call)
          const measured = await measure(io, session, set.setHandle, options)
          printFacts(output, String(measured.changesPerSecond), { ...measured })
        } finally {
          // With it goes the set, with the set its ids.
          await lease.revoke()
        }
      }),
    )
}

async function measure(io: Io, { client }: Session, setHandle: string, { duration: durationMs, callers }: PerfOptions) {
  const tookMs: number[] = []
  const startMs = io.monotonicMs()
  const isOver = () => io.interrupted.aborted || io.monotonicMs() - startMs >= durationMs
  const timed = async <Answer>(change: Promise<Answer>): Promise<Answer> => {
    const sentMs = io.monotonicMs()
    const answer = await change
    tookMs.push(io.monotonicMs() - sentMs)
    return answer
  }
  // Without the signal of the command: it would be listened to by all of them, and each call is over in no time.
  const caller = async () => {
    while (!isOver()) {
      const { ioasids } = await timed(client.allocate({ setHandle }))
      await timed(client.free({ setHandle, ioasids }))
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  const elapsedMs = io.monotonicMs() - startMs
  tookMs.sort((a, b) => a - b)
  const at = (share: number) => round(tookMs[Math.min(tookMs.length - 1, Math.floor(tookMs.length * share))] ?? 0)
  return {
    callers,
    changes: tookMs.length,
    seconds: round(elapsedMs / 1000),
    changesPerSecond: Math.round((tookMs.length * 1000) / elapsedMs),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
  }
}

const round = (value: number): number => Math.round(value * 100) / 100
