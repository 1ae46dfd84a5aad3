import { CommanderError, Command as Parser } from 'commander'
import type { CommandEnd } from './command.ts'
import type { Host } from './config-flags.ts'
import { FLAGS } from './flags.ts'
import { StoreError } from './store/store.ts'

/** Commands that work on a data directory while no daemon has it. */

export interface DataCommand {
  readonly name: string
  readonly description: string
  /** What it takes beside --data-dir, if anything. */
  readonly argument?: { readonly name: string; readonly help: string }
  readonly after: string
}

export interface Given {
  readonly dataDir: string
  readonly argument: string
}

/** Reads its command line, runs it, and makes sentences of what goes wrong. What it resolves to is printed. */
export async function runDataCommand(
  command: DataCommand,
  argv: readonly string[],
  host: Host,
  run: (given: Given) => Promise<CommandEnd>,
): Promise<CommandEnd> {
  const given = readLine(command, argv, host)
  if ('exitCode' in given) return given
  try {
    return await run(given)
  } catch (cause) {
    if (cause instanceof StoreError) return refused(1, `${cause.message}.`)
    const isOfSystem = cause instanceof Error && 'syscall' in cause
    if (!isOfSystem) throw cause
    return refused(1, `${cause.message}.`)
  }
}

function readLine(command: DataCommand, argv: readonly string[], host: Host): Given | CommandEnd {
  const written: string[] = []
  const flag = FLAGS['data-dir']
  const fallback = typeof flag.fallback === 'string' ? flag.fallback : flag.fallback.text
  const parser = new Parser(`ioasidd ${command.name}`)
    .description(command.description)
    .option('--data-dir <DIR>', `${flag.help} (default: $IOASIDD_DATA_DIR, or ${fallback})`)
    .helpOption('-h, --help', 'print this help')
    .exitOverride()
    .configureHelp({ helpWidth: 100 })
    .configureOutput({ writeOut: (text) => written.push(text), writeErr: () => undefined })
    .addHelpText('after', `\n${command.after}`)
  if (command.argument !== undefined) parser.argument(`<${command.argument.name}>`, command.argument.help)
  try {
    parser.parse(argv, { from: 'user' })
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause
    if (cause.exitCode === 0) return { exitCode: 0, output: written.join('') }
    const sentence = cause.message.replace(/^error: /, '').replace(/\.?\s*$/, '')
    return refused(2, `${sentence.replaceAll('\n', ' ')}. See ioasidd ${command.name} --help.`)
  }
  const { dataDir: onLine } = parser.opts<{ dataDir?: string }>()
  const usual = typeof flag.fallback === 'string' ? flag.fallback : flag.fallback.of(host)
  const dataDir = flag.read([onLine ?? (host.env['IOASIDD_DATA_DIR'] || (usual ?? ''))])
  if (dataDir === undefined) return refused(2, `--data-dir takes ${flag.kind.allowed}.`)
  return { dataDir, argument: parser.args[0] ?? '' }
}

function refused(exitCode: 1 | 2, sentence: string): CommandEnd {
  return { exitCode, output: `ioasidd: ${sentence}\n` }
}
