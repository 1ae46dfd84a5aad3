import type { Command } from 'commander'
import { usage } from './run.ts'

/** In place of commander's own, which looks at the first word alone. */
export function addHelpCommand(program: Command): void {
  program
    .command('help')
    .description('Prints the help of a command.')
    .argument('[command...]', 'its words; none: ioasidctl itself')
    .addHelpText('after', '\nExamples:\n  ioasidctl help alloc\n  ioasidctl help set create')
    .action((words: readonly string[], _options: object, command: Command) => {
      let found = program
      for (const word of words) {
        const next = found.commands.find((sub) => sub.name() === word)
        if (next === undefined) usage(command, `unknown command '${word}'`)
        found = next
      }
      found.help()
    })
}
