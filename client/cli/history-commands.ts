import type { Command } from 'commander'
import type { Binding, Life, Moment } from '../index.ts'
import { id, moment, uint64 } from './arguments.ts'
import { nothingFound } from './failure.ts'
import { isData, type Output, printAll, printFacts, shown, type View } from './output.ts'
import { type Io, withClient } from './run.ts'

/** Who had an id when, and how long that is known. */

/** A life, or one of its bindings, in a table. */
interface Line {
  readonly what: 'life' | 'binding'
  readonly from: Moment
  readonly to: Moment | undefined
  readonly spid: number | undefined
  /** The identities whose requests were its beginning and its end; empty: not known. */
  readonly fromBy: string
  readonly toBy: string
  readonly life: Life
}

const setName = ({ token, setId }: Life): string => token || `#${setId}`
const nameOf = ({ life }: Line): string => setName(life)

const lineView = (time: (moment: Moment) => string): View<Line> => ({
  columns: [
    { head: 'WHAT', cell: ({ what }) => what },
    { head: 'FROM', cell: ({ from }) => time(from) },
    { head: 'TO', cell: ({ to }) => to && time(to) },
    { head: 'REVISION', cell: ({ from }) => from.revision, isWide: true },
    { head: 'SPID', cell: ({ spid }) => spid, isNumber: true },
    { head: 'ENDED_BY', cell: ({ what, life }) => (what === 'life' ? life.endedBy : undefined) },
    { head: 'SET', cell: ({ life }) => life.setId, isWide: true },
    { head: 'FROM_BY', cell: ({ fromBy }) => fromBy, isWide: true },
    { head: 'TO_BY', cell: ({ toBy }) => toBy, isWide: true },
    { head: 'TOKEN', cell: nameOf },
  ],
  name: nameOf,
})

const exact = ({ time }: Moment): string => time.toISOString()
/** Two of them to the millisecond leave no room on a line of 80. */
const toTheSecond = (moment: Moment): string => exact(moment).replace(/\.\d+/, '')

export function addHistoryCommands(program: Command, io: Io): void {
  program
    .command('history')
    .description(
      'Shows who had an id when, newest first, as far as it is on record. With -o wide and with --at it says by whom it was ' +
        'allocated, freed, bound and unbound, where that is known.',
    )
    .argument('<ioasid>', 'the id', id)
    .option('--at <time>', 'only who had it then: 2026-11-22T14:05:00Z, or 14:05, the last one that has been', moment)
    .addHelpText(
      'after',
      '\nExamples:\n  ioasidctl history 4711\n  ioasidctl history 4711 --at 14:05\n  ioasidctl history 4711 -o json',
    )
    .action((ioasid: number, { at }: { at?: (nowMs: number) => number }, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        const lives = client.getHistory(ioasid, call)
        if (at === undefined) return await print(output, lives)
        const atMs = at(io.nowMs())
        const found: Life[] = []
        for await (const life of lives) if (isAt(life, atMs)) found.push(only(life, atMs))
        if (found.length === 0)
          nothingFound(`nobody is on record for IOASID ${ioasid} at ${new Date(atMs).toISOString()}.`)
        await print(output, each(found))
        if (output.format === 'table' || output.format === 'wide') output.write(found.map(explainBy).join(''))
      }),
    )

  program
    .command('compact')
    .description('Drops the history at or below a revision; watching can then begin no earlier.')
    .argument('<revision>', 'the last one to drop', uint64)
    .addHelpText('after', '\nExamples:\n  ioasidctl compact 100000')
    .action((revision: bigint, _options: object, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        const compacted = await client.compact(revision, call)
        printFacts(output, String(compacted.compactRevision), { ...compacted })
      }),
    )
}

async function print(output: Output, lives: AsyncIterable<Life>): Promise<void> {
  const { format } = output
  if (isData(format)) return await printAll(output, { columns: [], name: () => '' }, lives)
  await printAll(output, lineView(format === 'wide' ? exact : toTheSecond), linesOf(lives, format === 'name'))
}

async function* linesOf(lives: AsyncIterable<Life>, onlyLives: boolean): AsyncGenerator<Line> {
  for await (const life of lives) {
    const { allocatedBy, freedBy, bindings } = life
    yield { what: 'life', from: life.from, to: life.to, spid: undefined, fromBy: allocatedBy, toBy: freedBy, life }
    for (const { spid, from, to, boundBy, unboundBy } of onlyLives ? [] : bindings) {
      yield { what: 'binding', from, to, spid, fromBy: boundBy, toBy: unboundBy, life }
    }
  }
}

/** By whom, a line for a life and each of its bindings; nothing of what nobody knows. */
function explainBy(life: Life): string {
  const { allocatedBy, freedBy, bindings } = life
  const name = setName(life)
  return [
    lineBy(name, { 'allocated by': allocatedBy, 'freed by': freedBy }),
    ...bindings.map(({ spid, boundBy, unboundBy }) => {
      return lineBy(`${name}, SPID ${spid}`, { 'bound by': boundBy, 'unbound by': unboundBy })
    }),
  ].join('')
}

function lineBy(what: string, by: Readonly<Record<string, string>>): string {
  const parts = Object.entries(by).filter(([, identity]) => identity !== '')
  return parts.length === 0 ? '' : `${what}: ${shown(parts.map((part) => part.join(' ')).join(', '))}\n`
}

async function* each(lives: readonly Life[]): AsyncGenerator<Life> {
  yield* lives
}

/** A whole second is all of it: as the table shows it, that is when what has begun within it has begun. */
function isAt({ from, to }: Life | Binding, atMs: number): boolean {
  const untilMs = atMs % 1000 === 0 ? atMs + 999 : atMs
  return from.time.getTime() <= untilMs && (to === undefined || atMs < to.time.getTime())
}

function only(life: Life, atMs: number): Life {
  return { ...life, bindings: life.bindings.filter((binding) => isAt(binding, atMs)) }
}
