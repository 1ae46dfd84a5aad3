import { Command, CommanderError, Option } from 'commander'
import { type Flag, type Flags, type UsageError, usageError } from './config-flags.ts'

/** The words behind the program's name. Only this file knows commander. */

/** What `--help` says beside the flags. */
export interface Usage {
  /** With its subcommand, if it is one. */
  readonly name: string
  readonly version: string
  readonly description: string
  /** Commands by name, with what each does. */
  readonly commands?: Readonly<Record<string, string>>
  /** Switches of this command alone, with what each does; never a variable or a key of the file. */
  readonly switches?: Readonly<Record<string, string>>
  /** What follows the flags. */
  readonly after?: string
  /** The flags are taken but not listed: another `--help` does. */
  readonly isBrief?: boolean
}

export type CommandLine =
  | {
      readonly kind: 'given'
      /** By the name of a flag or a switch, in the order of the words. */
      readonly given: ReadonlyMap<string, readonly string[]>
    }
  /** `--help` or `--version`: print it and end. */
  | { readonly kind: 'text'; readonly text: string }
  | UsageError

export function readCommandLine(table: Flags, usage: Usage, argv: readonly string[]): CommandLine {
  const given = new Map<string, string[]>()
  const written: string[] = []
  const command = new Command(usage.name)
    .description(usage.description)
    .usage('[flags]')
    .exitOverride()
    .configureHelp({ helpWidth: 100 })
    .configureOutput({ writeOut: (text) => written.push(text), writeErr: () => undefined })
    .addHelpText('after', afterText(usage))
  // Kept here and not by commander, which takes --no-admin for the opposite of --admin.
  const keep = (name: string) => (text: string) => given.set(name, [...(given.get(name) ?? []), text])
  for (const [name, help] of Object.entries(usage.switches ?? {})) {
    command.addOption(new Option(`--${name}`, help).preset('true').argParser(keep(name)))
  }
  for (const [name, flag] of Object.entries(table)) {
    command.addOption(optionOf(name, flag, keep(name)).hideHelp(usage.isBrief === true))
  }
  command
    .optionsGroup('Other:')
    .version(`ioasidd ${usage.version}`, '--version', 'print the version')
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

function optionOf(name: string, flag: Flag<unknown>, keep: (text: string) => unknown): Option {
  const fallback = typeof flag.fallback === 'string' ? flag.fallback : flag.fallback.text
  const isQuiet = flag.isSwitch || fallback === ''
  const help = `${flag.help}${flag.isList ? ' (repeatable)' : ''}${isQuiet ? '' : ` (default: ${fallback})`}`
  const option = new Option(flag.isSwitch ? `--${name}` : `--${name} <${flag.kind.placeholder}>`, help)
  return option.helpGroup(`${flag.group}:`).preset('true').argParser(keep)
}

function afterText({ name, commands = {}, after = '' }: Usage): string {
  const lines = Object.entries(commands).map(([command, what]) => `  ${command.padEnd(10)} ${what}`)
  const told = `Commands, each with its own --help:\n${lines.join('\n')}\n\nA command comes first: ${name} COMMAND [flags]\n`
  return `${lines.length === 0 ? '' : `\n${told}`}${after === '' ? '' : `\n${after}`}`
}
