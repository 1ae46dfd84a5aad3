import type { Command } from 'commander'
import type { IoasidSet } from '../index.ts'
import { MAX_UINT32 } from '../limits.ts'
import { name, notEmpty, uint64, wholeNumber } from './arguments.ts'
import { printAll, printOne, type View } from './output.ts'
import { handleOf, type Io, type SetOptions, setRefOf, takesHandle, takesSet, usage, withClient } from './run.ts'

const nameOf = ({ token, setId }: IoasidSet): string => (token === '' ? `#${setId}` : token)

const setView: View<IoasidSet> = {
  columns: [
    { head: 'ID', cell: (set) => set.setId },
    { head: 'QUOTA', cell: (set) => set.quota },
    { head: 'ALLOCATED', cell: (set) => set.allocated },
    { head: 'PENDING', cell: (set) => set.freePending },
    { head: 'BOUND', cell: (set) => set.bound },
    { head: 'STATE', cell: (set) => set.state },
    { head: 'LEASE', cell: (set) => set.leaseId, isNumber: true, isWide: true },
    { head: 'CREATE_REVISION', cell: (set) => set.createRevision, isWide: true },
    { head: 'OWNER', cell: (set) => set.owner, isWide: true },
    { head: 'TOKEN', cell: (set) => set.token },
  ],
  name: nameOf,
}

/** The one place where a handle is what was asked for. */
const createdView: View<IoasidSet> = {
  columns: [
    { head: 'ID', cell: (set) => set.setId },
    { head: 'QUOTA', cell: (set) => set.quota },
    { head: 'HANDLE', cell: (set) => set.setHandle },
    { head: 'TOKEN', cell: (set) => set.token },
  ],
  name: (set) => set.setHandle,
}

const quota = wholeNumber(0, MAX_UINT32)

export function addSetCommands(program: Command, io: Io): void {
  const set = program.command('set').description('Makes, finds, sizes and ends sets.')
  addCreate(set, io)
  addGet(set, io)
  addList(set, io)
  addAdjust(set, io)
  addDelete(set, io)
}

function addCreate(set: Command, io: Io): void {
  set
    .command('create')
    .description('Makes a set and prints its handle, which is the key to it.')
    .argument('[token]', "the set's public name (default: an anonymous set)", name)
    .option('--quota <n>', 'how many ids to reserve and to limit it to; 0: neither', quota, 0)
    // Never of the environment: a set that ends with a lease is one that was asked for.
    .option('--lease <handle>', 'the lease that it ends with, its ids freed (default: none)', notEmpty)
    .addHelpText(
      'after',
      '\nExamples:\n  ioasidctl set create vm-a --quota 16\n  HANDLE=$(ioasidctl set create vm-a -q)\n' +
        '  ioasidctl set create vm-a --lease $LEASE',
    )
    .action((token: string | undefined, options: { quota: number; lease?: string }, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        // More likely a shell's variable that is not set than the wish for a set without a name.
        if (token === '') usage(command, 'the token is empty; leave it out for an anonymous set.')
        const { set: created } = await client.createSet(
          { token, quota: options.quota, leaseHandle: options.lease },
          call,
        )
        printOne(output, createdView, created)
      }),
    )
}

function addGet(set: Command, io: Io): void {
  takesSet(set.command('get'))
    .description('Shows a set; its handle, where the daemon gives that to who asks, only in JSON and YAML.')
    .addHelpText('after', '\nExamples:\n  ioasidctl set get --token vm-a\n  ioasidctl set get --token vm-a -o json')
    .action((options: SetOptions, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        printOne(output, setView, await client.getSet(setRefOf(io, command, options), call))
      }),
    )
}

function addList(set: Command, io: Io): void {
  set
    .command('list')
    .description('Lists the live sets, draining ones too.')
    .option('--prefix <text>', 'only sets whose token begins with it', name)
    .addHelpText('after', '\nExamples:\n  ioasidctl set list\n  ioasidctl set list --prefix vm- -o jsonl')
    .action((options: { prefix?: string }, command: Command) =>
      withClient(io, command, ({ client, output, call }) =>
        printAll(output, setView, client.listSets({ tokenPrefix: options.prefix }, call)),
      ),
    )
}

function addAdjust(set: Command, io: Io): void {
  takesHandle(set.command('adjust'))
    .description('Gives a set another quota.')
    .requiredOption('--quota <n>', 'how many ids to reserve and to limit it to; 0: neither', quota)
    .addHelpText('after', '\nExamples:\n  ioasidctl set adjust --set-handle $HANDLE --quota 32')
    .action((options: SetOptions & { quota: number }, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        const setHandle = handleOf(io, command, options)
        const { set: adjusted } = await client.adjustQuota({ setHandle, quota: options.quota }, call)
        printOne(output, setView, adjusted)
      }),
    )
}

function addDelete(set: Command, io: Io): void {
  takesHandle(set.command('delete'))
    .description('Ends a set. DRAINING in the answer: holders still clean up some of its ids.')
    .option('--force', 'free its ids too, instead of refusing a set that has any')
    .option('--set-id <n>', 'with --force: the set by its number, for an operator', uint64)
    .addHelpText(
      'after',
      '\nExamples:\n  ioasidctl set delete --set-handle $HANDLE --force\n  ioasidctl set delete --set-id 5 --force',
    )
    .action((options: SetOptions & { force?: true; setId?: bigint }, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        const { force, setId, setHandle } = options
        if (setId !== undefined && setHandle !== undefined) usage(command, 'give --set-handle or --set-id, not both.')
        if (setId !== undefined && !force) usage(command, '--set-id deletes a set with all its ids: give --force too.')
        const { set: ended } =
          setId === undefined
            ? await client.deleteSet({ setHandle: handleOf(io, command, options), force }, call)
            : await client.forceDeleteSet({ setId }, call)
        printOne(output, setView, ended)
      }),
    )
}
