import type { Command } from 'commander'
import { printFacts } from './output.ts'
import { type Globals, type Io, outputOf, withClient } from './run.ts'
import { readVersion } from './version.ts'

export function addStatusCommands(program: Command, io: Io): void {
  program
    .command('status')
    .description('Shows counts, limits and revisions of the daemon, all at one revision.')
    .addHelpText('after', '\nExamples:\n  ioasidctl status\n  ioasidctl status -o json')
    .action((_options: object, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        const status = await client.getStatus(call)
        printFacts(output, status.spaceId, { ...status })
      }),
    )

  program
    .command('version')
    .description('Shows the version of ioasidctl; `status` shows that of the daemon.')
    .addHelpText('after', '\nExamples:\n  ioasidctl version')
    .action((_options: object, command: Command) => {
      const version = readVersion()
      printFacts(outputOf(io, command.optsWithGlobals<Globals>()), version, { version })
    })
}
