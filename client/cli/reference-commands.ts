import type { Command } from 'commander'
import type { Acquired, Released } from '../index.ts'
import { id } from './arguments.ts'
import { type LeaseOptions, leaseOf, takesLease } from './lease-options.ts'
import { printOne, type View } from './output.ts'
import { type Io, type SetOptions, setRefOf, takesSet, withClient } from './run.ts'

interface OfId {
  readonly ioasid: number
}

const nameOf = ({ ioasid }: OfId): string => String(ioasid)

const acquiredView: View<OfId & Acquired> = {
  columns: [
    { head: 'IOASID', cell: (acquired) => acquired.ioasid },
    { head: 'REFERENCES', cell: (acquired) => acquired.references },
    { head: 'REVISION', cell: (acquired) => acquired.revision },
  ],
  name: nameOf,
}

const releasedView: View<OfId & Released> = {
  columns: [
    { head: 'IOASID', cell: (released) => released.ioasid },
    { head: 'REFERENCES', cell: (released) => released.references },
    { head: 'RECLAIMED', cell: (released) => (released.reclaimed ? 'yes' : 'no') },
    { head: 'REVISION', cell: (released) => released.revision },
  ],
  name: nameOf,
}

export function addReferenceCommands(program: Command, io: Io): void {
  takesLease(takesSet(program.command('acquire')))
    .description('Takes one reference to an id of a set for a lease: it is not handed out again while that is there.')
    .argument('<ioasid>', 'the id', id)
    .addHelpText('after', '\nExamples:\n  ioasidctl acquire 7 --token vm-a --lease $LEASE')
    .action((ioasid: number, options: SetOptions & LeaseOptions, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        const request = requestOf(io, command, ioasid, options)
        printOne(output, acquiredView, { ioasid, ...(await client.acquire(request, call)) })
      }),
    )

  takesLease(takesSet(program.command('release')))
    .description('Drops one reference that a lease has acquired. Reclaimed: it was the last one of a freed id.')
    .argument('<ioasid>', 'the id', id)
    .addHelpText('after', '\nExamples:\n  ioasidctl release 7 --token vm-a --lease $LEASE')
    .action((ioasid: number, options: SetOptions & LeaseOptions, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        const request = requestOf(io, command, ioasid, options)
        printOne(output, releasedView, { ioasid, ...(await client.release(request, call)) })
      }),
    )
}

function requestOf(io: Io, command: Command, ioasid: number, options: SetOptions & LeaseOptions) {
  return { ...setRefOf(io, command, options), ioasid, leaseHandle: leaseOf(io, command, options) }
}
