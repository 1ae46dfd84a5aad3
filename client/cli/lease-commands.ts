import { type Command, Option } from 'commander'
import type { Changed, Hold, LeaseInfo } from '../index.ts'
import { anyCase, durationFrom, name as nameText, uint64 } from './arguments.ts'
import { type LeaseOptions, leaseOf, namingTtl, takesLease } from './lease-options.ts'
import { printAll, printOne, type View } from './output.ts'
import { type Io, usage, withClient } from './run.ts'

const leaseView: View<LeaseInfo> = {
  columns: [
    { head: 'ID', cell: (lease) => lease.leaseId },
    { head: 'STATE', cell: (lease) => lease.state },
    { head: 'TTL_MS', cell: (lease) => lease.ttlMs, isWide: true },
    { head: 'REMAINING_MS', cell: (lease) => lease.remainingMs },
    { head: 'ON_EXPIRY', cell: (lease) => lease.onExpiry },
    { head: 'REFERENCES', cell: (lease) => lease.references },
    { head: 'SETS', cell: (lease) => lease.sets },
    { head: 'PRIORITY', cell: ({ hold }) => hold?.priority },
    { head: 'ACKNOWLEDGED', cell: ({ hold }) => hold?.acknowledgedRevision, isNumber: true, isWide: true },
    { head: 'HOLDS', cell: ({ hold }) => hold && holdsOf(hold), isWide: true },
    { head: 'OWNER', cell: (lease) => lease.owner, isWide: true },
    { head: 'NAME', cell: (lease) => lease.name },
  ],
  name: (lease) => String(lease.leaseId),
}

const MAX_NAMES_SHOWN = 3

/** The sets of a hold by token or number; all of its names are in JSON. */
function holdsOf({ all, tokens, setIds }: Hold): string {
  if (all) return 'every set'
  const names = [...tokens, ...setIds.map((setId) => `#${setId}`)]
  const more = names.length - MAX_NAMES_SHOWN
  return `${names.slice(0, MAX_NAMES_SHOWN).join(' ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** As with a set: here the handle is what was asked for. */
const grantedView: View<LeaseInfo> = {
  columns: [
    { head: 'ID', cell: (lease) => lease.leaseId },
    { head: 'TTL_MS', cell: (lease) => lease.ttlMs },
    { head: 'ON_EXPIRY', cell: (lease) => lease.onExpiry },
    { head: 'HANDLE', cell: (lease) => lease.leaseHandle },
    { head: 'NAME', cell: (lease) => lease.name },
  ],
  name: (lease) => lease.leaseHandle,
}

const revokedView: View<Changed> = {
  columns: [{ head: 'REVISION', cell: (changed) => changed.revision }],
  name: (changed) => String(changed.revision),
}

/** The daemon's own bounds are its operator's to set; this is the longest that it can be told to allow. */
const ttl = durationFrom(1, 8760)

export function addLeaseCommands(program: Command, io: Io): void {
  const lease = program.command('lease').description('Grants, renews, ends and shows leases.')
  addGrant(lease, io)
  addKeepAlive(lease, io)
  addRevoke(lease, io)
  addGet(lease, io)
  addList(lease, io)
}

const ON_EXPIRY = ['release', 'hold'] as const

interface GrantOptions {
  /** In ms. */
  readonly ttl: number
  readonly onExpiry: (typeof ON_EXPIRY)[number]
}

function addGrant(lease: Command, io: Io): void {
  lease
    .command('grant')
    .description('Makes a lease and prints its handle, which is the key to it. It counts from now.')
    .argument('[name]', 'a name for people (default: none)', nameText)
    .requiredOption('--ttl <duration>', 'how long it lasts from a renewal: 500ms, 5s, 1m', ttl)
    .addOption(
      new Option('--on-expiry <what>', 'what becomes of its references when it ends by time')
        .choices(ON_EXPIRY)
        .argParser(anyCase(ON_EXPIRY))
        .default('release'),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  ioasidctl lease grant kvm --ttl 30s\n  LEASE=$(ioasidctl lease grant --ttl 1m --on-expiry hold -q)',
    )
    .action((name: string | undefined, { ttl: ttlMs, onExpiry }: GrantOptions, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        const terms = { name, ttlMs, onExpiry: onExpiry === 'hold' ? 'HOLD' : 'RELEASE' } as const
        printOne(output, grantedView, (await namingTtl(client.grantLease(terms, call))).lease)
      }),
    )
}

function addKeepAlive(lease: Command, io: Io): void {
  takesLease(lease.command('keep-alive'))
    .description('Renews a lease, once, for its whole time; one that is HELD lives again.')
    .addHelpText('after', '\nExamples:\n  ioasidctl lease keep-alive --lease $LEASE')
    .action((options: LeaseOptions, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        const { lease: renewed } = await client.keepLeaseAlive({ leaseHandle: leaseOf(io, command, options) }, call)
        printOne(output, leaseView, renewed)
      }),
    )
}

function addRevoke(lease: Command, io: Io): void {
  takesLease(lease.command('revoke'))
    .description('Ends a lease now: drops its references, and deletes its sets with all their ids.')
    .option('--lease-id <n>', 'the lease by its number, for an operator without its handle', uint64)
    .addHelpText(
      'after',
      '\nExamples:\n  ioasidctl lease revoke --lease $LEASE\n  ioasidctl lease revoke --lease-id 12',
    )
    .action((options: LeaseOptions & { leaseId?: bigint }, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        const { lease: handle, leaseId } = options
        if (handle !== undefined && leaseId !== undefined) usage(command, 'give --lease or --lease-id, not both.')
        const revoked =
          leaseId === undefined
            ? client.revokeLease({ leaseHandle: leaseOf(io, command, options) }, call)
            : client.forceRevokeLease({ leaseId }, call)
        printOne(output, revokedView, await revoked)
      }),
    )
}

function addGet(lease: Command, io: Io): void {
  takesLease(lease.command('get'))
    .description('Shows a lease, and does not renew it.')
    .addHelpText('after', '\nExamples:\n  ioasidctl lease get --lease $LEASE -o json')
    .action((options: LeaseOptions, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        printOne(output, leaseView, await client.getLease({ leaseHandle: leaseOf(io, command, options) }, call))
      }),
    )
}

function addList(lease: Command, io: Io): void {
  lease
    .command('list')
    .description('Lists the leases. HELD: its time ran out, and its references wait to be released.')
    .addHelpText('after', '\nExamples:\n  ioasidctl lease list\n  ioasidctl lease list -o jsonl')
    .action((_options: object, command: Command) =>
      withClient(io, command, ({ client, output, call }) =>
        printAll(output, leaseView, client.listLeases(undefined, call)),
      ),
    )
}
