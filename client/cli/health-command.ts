import type { Command } from 'commander'
import { unhealthy } from './failure.ts'
import { printFacts } from './output.ts'
import { type Io, withClient } from './run.ts'

export function addHealthCommand(program: Command, io: Io): void {
  program
    .command('health')
    .description('Asks whether the daemon serves; ends with 5 where it does not, with 4 where nobody answers.')
    .addHelpText(
      'after',
      '\nExamples:\n  ioasidctl health\n  ioasidctl health -q --deadline 1s || systemctl restart ioasidd',
    )
    .action((_options: object, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        const { isServing } = await client.checkHealth(call)
        printFacts(output, isServing ? 'SERVING' : 'NOT_SERVING', { status: isServing ? 'SERVING' : 'NOT_SERVING' })
        if (!isServing) unhealthy('the daemon does not serve: it is starting or shutting down.')
      }),
    )
}
