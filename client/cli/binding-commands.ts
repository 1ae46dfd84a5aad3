import type { Command } from 'commander'
import { id, name, spid } from './arguments.ts'
import { addDataCommands } from './data-commands.ts'
import { printOne, type View } from './output.ts'
import { handleOf, type Io, type SetOptions, takesHandle, withClient } from './run.ts'

interface Bound {
  readonly ioasid: number
  readonly spid: number
  readonly device: string
  readonly revision: bigint
}

const nameOf = ({ ioasid }: { readonly ioasid: number }): string => String(ioasid)

const attachedView: View<Bound> = {
  columns: [
    { head: 'IOASID', cell: (bound) => bound.ioasid },
    { head: 'SPID', cell: (bound) => bound.spid },
    { head: 'REVISION', cell: (bound) => bound.revision },
    { head: 'DEVICE', cell: (bound) => bound.device },
  ],
  name: nameOf,
}

const detachedView: View<Omit<Bound, 'spid'>> = {
  columns: [
    { head: 'IOASID', cell: (bound) => bound.ioasid },
    { head: 'REVISION', cell: (bound) => bound.revision },
    { head: 'DEVICE', cell: (bound) => bound.device },
  ],
  name: nameOf,
}

/** What is attached to an id: SPIDs, and private data. */
export function addBindingCommands(program: Command, io: Io): void {
  addAttach(program, io)
  addDetach(program, io)
  addDataCommands(program, io)
}

function addAttach(program: Command, io: Io): void {
  takesHandle(program.command('attach'))
    .description('Binds an id of a set to a SPID (guest PASID) for a device.')
    .argument('<ioasid>', 'the id', id)
    .requiredOption('--spid <spid>', 'the SPID', spid)
    .option('--device <name>', 'the device that binds it (default: the unnamed one)', name)
    .addHelpText(
      'after',
      '\nExamples:\n  ioasidctl attach 7 --spid 101\n  ioasidctl attach 7 --spid 101 --device 0000:3b:00.0',
    )
    .action((ioasid: number, options: SetOptions & { spid: number; device?: string }, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        const { spid: wanted, device = '' } = options
        const setHandle = handleOf(io, command, options)
        const { revision } = await client.attachSpid({ setHandle, ioasid, spid: wanted, device }, call)
        printOne(output, attachedView, { ioasid, spid: wanted, device, revision })
      }),
    )
}

function addDetach(program: Command, io: Io): void {
  takesHandle(program.command('detach'))
    .description("Ends a device's binding of an id.")
    .argument('<ioasid>', 'the id', id)
    .option('--device <name>', 'the device that unbinds it (default: the unnamed one)', name)
    .addHelpText('after', '\nExamples:\n  ioasidctl detach 7\n  ioasidctl detach 7 --device 0000:3b:00.0')
    .action((ioasid: number, options: SetOptions & { device?: string }, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        const { device = '' } = options
        const { revision } = await client.detachSpid(
          { setHandle: handleOf(io, command, options), ioasid, device },
          call,
        )
        printOne(output, detachedView, { ioasid, device, revision })
      }),
    )
}
