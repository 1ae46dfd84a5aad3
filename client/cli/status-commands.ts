import { existsSync, readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { printFacts } from './output.ts'
import { type Globals, type Io, outputOf, withClient } from './run.ts'

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

/** From the package's own file, which is two folders up from the source and three from what is built of it. */
function readVersion(): string {
  const found = ['../../package.json', '../../../package.json']
    .map((path) => new URL(path, import.meta.url))
    .find((url) => existsSync(url))
  if (found === undefined) return 'unknown'
  const { version }: { version?: unknown } = JSON.parse(readFileSync(found, 'utf8'))
  return String(version)
}
