import type { ValueKind } from './config-values.ts'
import type { HandedSocket } from './socket-activation.ts'

/** What a flag is, for whoever reads, prints or lists them. */

/** A flag of the daemon; also the environment variable and the key of the file of its name. The README lists them all. */
export interface Flag<Value> {
  /** The heading in `--help`. */
  readonly group: string
  readonly kind: ValueKind<unknown>
  /** As an operator would write it; '' is none. */
  readonly fallback: string | Fallback
  readonly help: string
  /** Given more than once it is a list, which in the environment is separated by commas and in the file a list of YAML. */
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

/** What a configuration depends on beside the command line and the file. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly isRoot: boolean
  /** Whether standard error is a terminal. */
  readonly isTerminal: boolean
  /** What `fd://` stands for. undefined: it is not known here, since nothing is started. */
  readonly handedOver?: readonly HandedSocket[]
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

/** The flag that names the file, and so is no key of it. */
export const FILE_FLAG = 'config'

/** Where a value is from. */
export type Origin =
  | { readonly kind: 'flag' | 'default' }
  | { readonly kind: 'variable'; readonly variable: string }
  | { readonly kind: 'file'; readonly path: string; readonly line: number }

/** What one source says of one flag. */
export interface Given {
  /** As they were written; of a flag that is no list the last one holds. */
  readonly texts: readonly string[]
  readonly origin: Origin
}

/** How a sentence about a value begins: with the place where it can be changed. */
export function placeOf(name: string, origin: Origin): string {
  switch (origin.kind) {
    case 'flag':
      return `--${name}`
    case 'variable':
      return origin.variable
    case 'file':
      return `${origin.path}:${origin.line}: ${name}`
    case 'default':
      return `the default of --${name}`
  }
}

/** What is wrong with a value, in a sentence. undefined: nothing is. */
export function problemOf(name: string, flag: Flag<unknown>, { texts, origin }: Given): string | undefined {
  if (flag.read(texts) !== undefined) return undefined
  const wrong = texts.find((text) => flag.kind.parse(text) === undefined) ?? texts.at(-1) ?? ''
  return `${placeOf(name, origin)} does not take ${quoted(wrong)}: it takes ${flag.kind.allowed}.`
}

const MAX_QUOTED = 200

/** A text of somebody else in a line of ours. */
export function quoted(text: string): string {
  const whole = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text
  return `'${whole.replace(/\p{Cc}/gu, (char) => JSON.stringify(char).slice(1, -1))}'`
}

export interface UsageError {
  readonly kind: 'usage'
  /** The first of the problems: names the flag, its value and what is allowed. */
  readonly sentence: string
  /** All that were found, a sentence each. */
  readonly problems: readonly string[]
}

export function usageError(sentence: string, ...more: readonly string[]): UsageError {
  return { kind: 'usage', sentence, problems: [sentence, ...more] }
}
