import type { Host } from './config-flags.ts'

/** What a command of ioasidd is, for those who write one; commands.ts lists them. */

export interface CommandEnd {
  readonly exitCode: 0 | 1 | 2
  /** For standard output if the exit code is 0, else for standard error. */
  readonly output: string
}

/** `argv` is what follows the name. Rejects only where there is a bug. */
export type Command = (argv: readonly string[], host: Host) => Promise<CommandEnd>
