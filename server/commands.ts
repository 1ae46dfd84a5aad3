import type { Command, CommandEnd } from './command.ts'
import { type Host, quoted } from './config-flags.ts'

/** The commands of ioasidd beside the daemon itself. What a command needs is loaded when it is called. */

interface Entry {
  readonly summary: string
  load(): Promise<Command>
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  config: {
    summary: 'check, print or default: what a configuration comes to',
    load: async () => (await import('./config-command.ts')).runConfigCommand,
  },
  restore: {
    summary: 'makes a data directory of a backup',
    load: async () => (await import('./restore-command.ts')).runRestoreCommand,
  },
  verify: {
    summary: 'reads a whole data directory and says what is wrong with it',
    load: async () => (await import('./verify-command.ts')).runVerifyCommand,
  },
}

/** Names with what each does, for `--help`. */
export const COMMAND_SUMMARIES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(COMMANDS).map(([name, { summary }]) => [name, summary]),
)

/** undefined: no command is named, so it is the daemon that is meant. */
export async function runCommand(argv: readonly string[], host: Host): Promise<CommandEnd | undefined> {
  const [name, ...rest] = argv
  if (name === undefined || name.startsWith('-')) return undefined
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (entry !== undefined) return await (await entry.load())(rest, host)
  const names = Object.keys(COMMANDS).join(', ')
  const output = `ioasidd: there is no command ${quoted(name)}: it takes ${names}, or flags alone for the daemon.\n`
  return { exitCode: 2, output }
}
