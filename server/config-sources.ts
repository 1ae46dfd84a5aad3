import { readCommandLine, type Usage } from './command-line.ts'
import { type ConfigFile, parseConfigFile, readText } from './config-file.ts'
import {
  FILE_FLAG,
  type Flag,
  type Flags,
  type Given,
  type Host,
  placeOf,
  problemOf,
  type UsageError,
  usageError,
  type ValuesOf,
} from './config-flags.ts'

/** The sources of a configuration: the command line before the environment before the file before the default. */

export type Sources<Table extends Flags> =
  | {
      readonly kind: 'values'
      readonly values: ValuesOf<Table>
      readonly settings: Settings
      /** '': there is none. */
      readonly file: string
      readonly switches: ReadonlySet<string>
      /** Variables that look like those of a flag, and are none. */
      readonly unknownVariables: readonly string[]
    }
  /** `--help` or `--version`: print it and end. */
  | { readonly kind: 'text'; readonly text: string }
  | UsageError

/** Each flag of the table by its name, in its order. */
export type Settings = ReadonlyMap<string, Setting>

export interface Setting extends Given {
  readonly value: unknown
}

export function readSources<Table extends Flags>(
  table: Table,
  usage: Usage,
  argv: readonly string[],
  host: Host,
): Sources<Table> {
  const line = readCommandLine(table, usage, argv)
  if (line.kind !== 'given') return line
  const { path, file } = readFile(table, line.given, host)
  const problems: string[] = [...file.problems]
  const settings = new Map<string, Setting>()
  for (const [name, flag] of Object.entries(table)) {
    const given = onLine(name, line.given) ?? inEnvironment(name, flag, host) ?? file.settings.get(name)
    const effective = given ?? byDefault(flag, host)
    if (effective === undefined) problems.push(`--${name} has no default here: it takes ${flag.kind.allowed}.`)
    else {
      const problem = problemOf(name, flag, effective)
      if (problem === undefined) settings.set(name, { ...effective, value: flag.read(effective.texts) })
      else problems.push(problem)
    }
  }
  const [first, ...more] = problems
  if (first !== undefined) return usageError(first, ...more)
  return {
    kind: 'values',
    // Every flag of the table was read by its own `read`, which the compiler cannot follow through the loop.
    values: Object.fromEntries([...settings].map(([name, { value }]) => [name, value])) as ValuesOf<Table>,
    settings,
    file: path,
    switches: new Set(Object.keys(usage.switches ?? {}).filter((name) => line.given.has(name))),
    unknownVariables: unknownVariables(table, host),
  }
}

const NO_FILE: ConfigFile = { settings: new Map(), problems: [] }

function readFile(table: Flags, given: ReadonlyMap<string, readonly string[]>, host: Host) {
  const flag = table[FILE_FLAG]
  const named = flag && (onLine(FILE_FLAG, given) ?? inEnvironment(FILE_FLAG, flag, host))
  const path = named?.texts.at(-1) ?? ''
  // A name that no file can have is refused with the other values.
  if (named === undefined || path === '' || flag?.read(named.texts) === undefined) return { path: '', file: NO_FILE }
  const read = readText(path)
  if ('text' in read) return { path, file: parseConfigFile(path, read.text, table) }
  const problem = `${placeOf(FILE_FLAG, named.origin)} does not take '${path}': it ${read.problem}.`
  return { path, file: { ...NO_FILE, problems: [problem] } }
}

const ENV_PREFIX = 'IOASIDD_'

export function variableOf(name: string): string {
  return ENV_PREFIX + name.toUpperCase().replaceAll('-', '_')
}

function onLine(name: string, given: ReadonlyMap<string, readonly string[]>): Given | undefined {
  const texts = given.get(name)
  return texts && { texts, origin: { kind: 'flag' } }
}

function inEnvironment(name: string, flag: Flag<unknown>, { env }: Host): Given | undefined {
  const variable = variableOf(name)
  const text = env[variable] ?? ''
  // An empty variable is one that somebody wanted to be rid of.
  return text === '' ? undefined : { texts: split(flag, text), origin: { kind: 'variable', variable } }
}

function byDefault(flag: Flag<unknown>, host: Host): Given | undefined {
  const text = typeof flag.fallback === 'string' ? flag.fallback : flag.fallback.of(host)
  return text === undefined ? undefined : { texts: split(flag, text), origin: { kind: 'default' } }
}

/** As the environment has a list, and a default. */
export function split({ isList }: Flag<unknown>, text: string): readonly string[] {
  if (!isList) return [text]
  return text === '' ? [] : text.split(',').map((part) => part.trim())
}

/** Warned of and not refused: an orchestrator may set variables of its own for a service of this name. */
function unknownVariables(table: Flags, { env }: Host): readonly string[] {
  const known = new Set(Object.keys(table).map(variableOf))
  return Object.keys(env).filter((name) => name.startsWith(ENV_PREFIX) && !known.has(name))
}
