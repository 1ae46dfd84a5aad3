import { Command, CommanderError, Option } from 'commander'
import type { ValueKind } from './config-values.ts'

/** A flag of the daemon; also the environment variable of its name. The reference in the README lists them all. */
export interface Flag<Value> {
  /** The heading in `--help`. */
  readonly group: string
  readonly kind: ValueKind<unknown>
  /** As an operator would write it; '' is none. */
  readonly fallback: string | Fallback
  readonly help: string
  /** Given more than once it is a list, which in the environment is separated by commas. */
  readonly isList: boolean
  /** A switch takes no value on the command line: naming it is `true`. */
  readonly isSwitch: boolean
  /** Of all texts that were given. undefined: one of them is not allowed. */
  read(texts: readonly string[]): Value | undefined
}

/** A default that depends on where the daemon runs. */
export interface Fallback {
  readonly text: string
  of(host: Host): string | undefined
}

/** What a configuration depends on beside the command line. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly isRoot: boolean
  /** Whether standard error is a terminal. */
  readonly isTerminal: boolean
}

export type Flags = Readonly<Record<string, Flag<unknown>>>

export type ValuesOf<Table extends Flags> = {
  readonly [Name in keyof Table]: Table[Name] extends Flag<infer Value> ? Value : never
}

export function flag<Value>(
  group: string,
  kind: ValueKind<Value>,
  fallback: string | Fallback,
  help: string,
): Flag<Value> {
  // Of several the last one holds: a wrapper script that is told otherwise can simply add its own.
  const read = (texts: readonly string[]) => kind.parse(texts.at(-1) ?? '')
  return { group, kind, fallback, help, isList: false, isSwitch: kind.placeholder === '', read }
}

export function listFlag<Value>(
  group: string,
  kind: ValueKind<Value>,
  fallback: string | Fallback,
  help: string,
): Flag<readonly Value[]> {
  const read = (texts: readonly string[]) => {
    const values = texts.map((text) => kind.parse(text)).filter((value) => value !== undefined)
    return values.length === texts.length ? values : undefined
  }
  return { group, kind, fallback, help, isList: true, isSwitch: false, read }
}

export type Sources<Table extends Flags> =
  | { readonly kind: 'values'; readonly values: ValuesOf<Table>; readonly warnings: readonly string[] }
  /** `--help` or `--version`: print it and end. */
  | { readonly kind: 'text'; readonly text: string }
  | UsageError

export interface UsageError {
  readonly kind: 'usage'
  /** Names the flag, its value and what is allowed. */
  readonly sentence: string
}

export function usageError(sentence: string): UsageError {
  return { kind: 'usage', sentence }
}

/** Reads all flags: the command line before the environment before the default. */
export function readSources<Table extends Flags>(
  table: Table,
  program: { readonly name: string; readonly version: string; readonly description: string },
  argv: readonly string[],
  host: Host,
): Sources<Table> {
  const line = readCommandLine(table, program, argv)
  if (line.kind !== 'given') return line
  const values: Record<string, unknown> = {}
  for (const [name, flag] of Object.entries(table)) {
    const { texts, origin } = textsOf(name, flag, line.given, host)
    if (texts === undefined) return usageError(`--${name} has no default here: it takes ${flag.kind.allowed}.`)
    const value = flag.read(texts)
    if (value === undefined) {
      const wrong = texts.find((text) => flag.kind.parse(text) === undefined) ?? texts.at(-1) ?? ''
      return usageError(`${origin} does not take '${wrong}': it takes ${flag.kind.allowed}.`)
    }
    values[name] = value
  }
  // Every flag of the table was read by its own `read`, which the compiler cannot follow through the loop.
  return { kind: 'values', values: values as ValuesOf<Table>, warnings: unknownVariables(table, host) }
}

const ENV_PREFIX = 'IOASIDD_'

function variableOf(name: string): string {
  return ENV_PREFIX + name.toUpperCase().replaceAll('-', '_')
}

function textsOf(name: string, flag: Flag<unknown>, given: ReadonlyMap<string, readonly string[]>, host: Host) {
  const onLine = given.get(name)
  if (onLine !== undefined) return { texts: onLine, origin: `--${name}` }
  const variable = variableOf(name)
  const inEnv = host.env[variable] ?? ''
  // An empty variable is one that somebody wanted to be rid of.
  if (inEnv !== '') return { texts: split(flag, inEnv), origin: variable }
  const fallback = typeof flag.fallback === 'string' ? flag.fallback : flag.fallback.of(host)
  return { texts: fallback === undefined ? undefined : split(flag, fallback), origin: `the default of --${name}` }
}

function split({ isList }: Flag<unknown>, text: string): readonly string[] {
  if (!isList) return [text]
  return text === '' ? [] : text.split(',').map((part) => part.trim())
}

/** Warned of and not refused: an orchestrator may set variables of its own for a service of this name. */
function unknownVariables(table: Flags, { env }: Host): readonly string[] {
  const known = new Set(Object.keys(table).map(variableOf))
  return Object.keys(env).filter((name) => name.startsWith(ENV_PREFIX) && !known.has(name))
}

type CommandLine =
  | { readonly kind: 'given'; readonly given: ReadonlyMap<string, readonly string[]> }
  | { readonly kind: 'text'; readonly text: string }
  | UsageError

function readCommandLine(
  table: Flags,
  program: { readonly name: string; readonly version: string; readonly description: string },
  argv: readonly string[],
): CommandLine {
  const given = new Map<string, string[]>()
  const written: string[] = []
  const command = new Command(program.name)
    .description(program.description)
    .usage('[flags]')
    .exitOverride()
    .configureHelp({ helpWidth: 100 })
    .configureOutput({ writeOut: (text) => written.push(text), writeErr: () => undefined })
    .addHelpText('after', `\nEach flag is also a variable: --data-dir is ${variableOf('data-dir')}.`)
  for (const [name, flag] of Object.entries(table)) command.addOption(optionOf(name, flag, given))
  command
    .optionsGroup('Other:')
    .version(`${program.name} ${program.version}`, '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
  try {
    command.parse(argv, { from: 'user' })
    return { kind: 'given', given }
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause
    if (cause.exitCode === 0) return { kind: 'text', text: written.join('') }
    const sentence = cause.message.replace(/^error: /, '').replace(/\.?\s*$/, '')
    return usageError(`${sentence.replaceAll('\n', ' ')}. See --help.`)
  }
}

function optionOf(name: string, flag: Flag<unknown>, given: Map<string, string[]>): Option {
  const fallback = typeof flag.fallback === 'string' ? flag.fallback : flag.fallback.text
  const isQuiet = flag.isSwitch || fallback === ''
  const help = `${flag.help}${flag.isList ? ' (repeatable)' : ''}${isQuiet ? '' : ` (default: ${fallback})`}`
  const option = new Option(flag.isSwitch ? `--${name}` : `--${name} <${flag.kind.placeholder}>`, help)
  // Kept here and not by commander, which takes --no-admin for the opposite of --admin.
  const keep = (text: string) => given.set(name, [...(given.get(name) ?? []), text])
  return option.helpGroup(`${flag.group}:`).preset('true').argParser(keep)
}
