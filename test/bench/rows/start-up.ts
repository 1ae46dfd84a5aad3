import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { rowOf } from '../figures.ts'
import { inRounds } from '../rounds.ts'
import type { Bench } from '../row.ts'

const IOASIDCTL = fileURLToPath(new URL('../../../ioasidctl/main.js', import.meta.url))
const LOADS_GRPC = ['--input-type=module', '--eval', "import '@grpc/grpc-js'"]
const HELP = [IOASIDCTL, '--help']
/** Has everything loaded, and then finds nobody at its endpoint. */
const STATUS = [IOASIDCTL, '--endpoint', 'unix:///nobody', '--deadline', '1ms', 'status']
/** A start is short beside other rounds, and noisier. */
const STARTS_A_ROUND = 3

async function tookMs(args: readonly string[]): Promise<number> {
  const startMs = performance.now()
  const { error } = spawnSync(process.execPath, args, { stdio: 'ignore' })
  if (error) throw error
  return performance.now() - startMs
}

export const startUpBench: Bench = {
  name: 'start-up',
  about: 'how long ioasidctl takes to start, against a Node program that only loads grpc-js',
  needs: [],
  run: async ({ rounds }) => {
    const programs = { grpc: () => tookMs(LOADS_GRPC), help: () => tookMs(HELP), status: () => tookMs(STATUS) }
    // The files come from the disk once.
    await inRounds(1, programs)
    const measured = await inRounds(rounds * STARTS_A_ROUND, programs)
    const row = (name: 'help' | 'status', command: string) =>
      rowOf(
        { name: `start-up ${name}`, unit: 'times loading grpc-js', target: { kind: 'at most', value: 1.5 } },
        measured,
        (round) => round[name] / round.grpc,
        (round) => ({ [`${command}, ms`]: round[name], 'grpc-js, ms': round.grpc }),
      )
    return { rows: [row('help', 'ioasidctl --help'), row('status', 'ioasidctl status')] }
  },
}
