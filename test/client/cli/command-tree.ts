import { Command } from 'commander'
import { vi } from 'vitest'
import { once } from './fake-io.ts'

export interface Leaf {
  /** The words that name it. */
  readonly path: string
  readonly command: Command
}

/** What ioasidctl takes: its own options, and every command that does something. */
export async function commandTree(): Promise<{ readonly program: Command; readonly leaves: readonly Leaf[] }> {
  const parse = vi.spyOn(Command.prototype, 'parseAsync')
  await once({}, 'version')
  const [program] = parse.mock.contexts
  parse.mockRestore()
  if (!(program instanceof Command)) throw new Error('ioasidctl was not parsed by commander')
  return { program, leaves: leavesOf(program, '') }
}

function leavesOf(command: Command, path: string): readonly Leaf[] {
  if (command.commands.length === 0) return [{ path, command }]
  return command.commands.flatMap((sub) => leavesOf(sub, `${path} ${sub.name()}`.trim()))
}
