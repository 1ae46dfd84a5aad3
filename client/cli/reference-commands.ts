import type { Command } from 'commander'
import type { Acquired, Released } from '../index.ts'
import { id, spid } from './arguments.ts'
import { type LeaseOptions, leaseOf, takesLease } from './lease-options.ts'
import { printOne, type View } from './output.ts'
import { type Io, type Session, type SetOptions, setRefOf, takesSet, usage, withClient } from './run.ts'

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
  addAcquire(program, io)
  addRelease(program, io)
}

interface AcquireOptions extends SetOptions, LeaseOptions {
  readonly spid?: number
}

function addAcquire(program: Command, io: Io): void {
  takesLease(takesSet(program.command('acquire')))
    .description('Takes one reference to an id of a set for a lease: it is not handed out again while that is there.')
    .argument('[ioasid]', 'the id', id)
    .option('--spid <spid>', 'its SPID instead: it is found and acquired in one step', spid)
    .addHelpText(
      'after',
      '\nExamples:\n  ioasidctl acquire 7 --token vm-a --lease $LEASE\n' +
        '  ioasidctl acquire --spid 101 --token vm-a --lease $LEASE',
    )
    .action((ioasid: number | undefined, options: AcquireOptions, command: Command) =>
      withClient(io, command, async (session) => {
        printOne(session.output, acquiredView, await acquire(session, io, command, ioasid, options))
      }),
    )
}

async function acquire(
  { client, call }: Session,
  io: Io,
  command: Command,
  ioasid: number | undefined,
  options: AcquireOptions,
): Promise<OfId & Acquired> {
  const { spid: wanted } = options
  if ((ioasid === undefined) === (wanted === undefined)) usage(command, 'give an id, or --spid.')
  const setRef = setRefOf(io, command, options)
  const leaseHandle = leaseOf(io, command, options)
  if (ioasid !== undefined) return { ioasid, ...(await client.acquire({ ...setRef, ioasid, leaseHandle }, call)) }
  const { info, revision } = await client.findBySpid(
    { ...setRef, spid: wanted ?? 0, acquireForLease: leaseHandle },
    call,
  )
  return { ioasid: info.ioasid, references: info.references, revision }
}

function addRelease(program: Command, io: Io): void {
  takesLease(takesSet(program.command('release')))
    .description('Drops one reference that a lease has acquired. Reclaimed: it was the last one of a freed id.')
    .argument('<ioasid>', 'the id', id)
    .addHelpText('after', '\nExamples:\n  ioasidctl release 7 --token vm-a --lease $LEASE')
    .action((ioasid: number, options: SetOptions & LeaseOptions, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        const request = { ...setRefOf(io, command, options), ioasid, leaseHandle: leaseOf(io, command, options) }
        printOne(output, releasedView, { ioasid, ...(await client.release(request, call)) })
      }),
    )
}
