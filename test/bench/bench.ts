import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { BENCHES } from './benches.ts'
import { isKept } from './figures.ts'
import { type Machine, machineText, thisMachine } from './machine.ts'
import { median } from './median.ts'
import { isThere } from './programs.ts'
import type { Bench, Effort, Plot, Row } from './row.ts'
import { svg } from './svg.ts'
import { table } from './table.ts'

/** What `npm run bench` is: the benches one after the other, their table, and the same as JSON with a picture for each plot. */

const USAGE = `npm run bench -- [NAME ...] [--rounds N] [--ms N] [--json FILE] [--list]
  NAME      which ones; default: all
  --rounds  of each variant (default 9)
  --ms      how long a round of load lasts (default 1000)
  --json    where the figures go, and the plots beside it (default .bench/bench.json)
  --list    says what there is`

interface NotRun {
  readonly name: string
  readonly why: string
}

interface Outcome {
  readonly rows: readonly Row[]
  readonly plots: readonly Plot[]
  readonly notRun: readonly NotRun[]
}

function wholeNumber(flag: string, text: string, most: number): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < 1 || value > most) throw new Error(`--${flag} takes 1 to ${most}, not '${text}'`)
  return value
}

function chosen(names: readonly string[]): readonly Bench[] {
  const unknown = names.filter((name) => !BENCHES.some((bench) => bench.name === name))
  if (unknown.length > 0) throw new Error(`no bench is called ${unknown.join(', ')}. There is:\n${list()}`)
  return names.length === 0 ? BENCHES : BENCHES.filter(({ name }) => names.includes(name))
}

function list(): string {
  const width = Math.max(...BENCHES.map(({ name }) => name.length))
  return BENCHES.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`).join('\n')
}

/** A bench that fails leaves the others their turn: it is a row that is missing. */
async function runAll(benches: readonly Bench[], effort: Effort): Promise<Outcome> {
  const rows: Row[] = []
  const plots: Plot[] = []
  const notRun: NotRun[] = []
  for (const { name, needs, run } of benches) {
    const missing = needs.filter((program) => !isThere(program))
    if (missing.length > 0) {
      notRun.push({ name, why: missing.map((program) => `${program.name} is missing: ${program.install}`).join('; ') })
      continue
    }
    effort.say(`${name} …`)
    try {
      const result = await run(effort)
      rows.push(...result.rows)
      plots.push(...(result.plots ?? []))
    } catch (error) {
      notRun.push({ name, why: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  }
  return { rows, plots, notRun }
}

function write(file: string, machine: Machine, effort: Effort, { rows, plots, notRun }: Outcome): void {
  mkdirSync(dirname(file), { recursive: true })
  const figures = rows.map((row) => ({
    ...row,
    median: median(row.rounds),
    min: Math.min(...row.rounds),
    max: Math.max(...row.rounds),
    kept: isKept(row),
  }))
  const { rounds, roundMs } = effort
  writeFileSync(file, `${JSON.stringify({ machine, rounds, roundMs, rows: figures, plots, notRun }, null, 2)}\n`)
  for (const plot of plots) writeFileSync(join(dirname(file), `${plot.name}.svg`), svg(plot))
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '9' },
      ms: { type: 'string', default: '1000' },
      json: { type: 'string', default: join('.bench', 'bench.json') },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help || values.list) {
    console.log(values.help ? `${USAGE}\n\n${list()}` : list())
    return 0
  }
  const effort: Effort = {
    rounds: wholeNumber('rounds', values.rounds, 1_000),
    roundMs: wholeNumber('ms', values.ms, 10_000),
    say: (line) => console.error(line),
  }
  const benches = chosen(positionals)
  const machine = thisMachine()
  console.log(`${machineText(machine)}\n${effort.rounds} rounds of ${effort.roundMs} ms\n`)
  const outcome = await runAll(benches, effort)
  // A bench may have plots alone.
  if (outcome.rows.length > 0) console.log(table(outcome.rows))
  for (const { name, why } of outcome.notRun) console.log(`\n${name} was not run: ${why}`)
  write(values.json, machine, effort, outcome)
  const plots = outcome.plots.map(({ name }) => `${name}.svg`)
  console.log(`\n${[values.json, ...plots.map((plot) => join(dirname(values.json), plot))].join(' ')}`)
  return outcome.notRun.length > 0 || outcome.rows.some((row) => isKept(row) === false) ? 1 : 0
}

// By exit, so that what was started and made goes with this process (processes.ts).
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))
try {
  process.exitCode = await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 2
}
