import { spawnSync } from 'node:child_process'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { median } from './median.ts'

/**
 * How long ioasidctl takes to start, against a Node program that only loads grpc-js: `--help`, and a command that has
 * everything loaded and then finds nobody at its endpoint. One after the other in rounds; the median of the rounds' ratios
 * counts. Ends with 1 where one is slower than is wanted.
 */

const MOST = 1.5

const IOASIDCTL = fileURLToPath(new URL('../../ioasidctl/main.js', import.meta.url))
const LOADS_GRPC = ['--input-type=module', '--eval', "import '@grpc/grpc-js'"]
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  'ioasidctl --help': [IOASIDCTL, '--help'],
  'ioasidctl status': [IOASIDCTL, '--endpoint', 'unix:///nobody', '--deadline', '1ms', 'status'],
}

function tookMs(args: readonly string[]): number {
  const startMs = performance.now()
  const { error } = spawnSync(process.execPath, args, { stdio: 'ignore' })
  if (error) throw error
  return performance.now() - startMs
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '31' } } })
const rounds = Array.from({ length: Number(values.rounds) })
console.log(`node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${rounds.length} rounds`)
for (const [name, args] of Object.entries(PROGRAMS)) {
  const measured = rounds.map(() => {
    const grpc = tookMs(LOADS_GRPC)
    return { grpc, ratio: tookMs(args) / grpc }
  })
  const ratio = median(measured.map((round) => round.ratio))
  const grpcMs = median(measured.map(({ grpc }) => grpc))
  console.log(`${name}  ${ratio.toFixed(2)} times the ${grpcMs.toFixed(0)} ms of grpc-js alone (at most ${MOST})`)
  if (ratio > MOST) process.exitCode = 1
}
