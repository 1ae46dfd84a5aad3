import { Command, CommanderError, Option } from 'commander'
import { duration, notEmpty, repeated } from './arguments.ts'
import { addBackupCommands } from './backup-commands.ts'
import { addBindingCommands } from './binding-commands.ts'
import { addCheckCommand } from './check-command.ts'
import { addCompletionCommand } from './completion-command.ts'
import { EXIT, report, reportUsage } from './failure.ts'
import { addHealthCommand } from './health-command.ts'
import { addHelpCommand } from './help-command.ts'
import { addHistoryCommands } from './history-commands.ts'
import { addIoasidCommands } from './ioasid-commands.ts'
import { addLeaseCommands } from './lease-commands.ts'
import { FORMATS, type Format, isData } from './output.ts'
import { addReferenceCommands } from './reference-commands.ts'
import type { Io } from './run.ts'
import { addSetCommands } from './set-commands.ts'
import { addStatusCommands } from './status-commands.ts'
import { addTopCommand } from './top-command.ts'
import { readVersion } from './version.ts'
import { addWatchCommand } from './watch-command.ts'

const AFTER_HELP = `
Numbers are decimal, or hexadecimal with 0x. In JSON numbers of 64 bits are
strings, private data is hexadecimal.

Environment:
  IOASIDCTL_ENDPOINT      where the daemon listens, unless --endpoint is given
  IOASIDCTL_CACERT        the files of TLS, unless --cacert, --cert or --key
  IOASIDCTL_CERT          is given; left aside with a Unix socket
  IOASIDCTL_KEY
  IOASIDCTL_SET_HANDLE    the set, unless --set-handle or --token is given
  IOASIDCTL_LEASE_HANDLE  the lease, unless --lease is given

Exit codes:
  0 ok, 1 refused, 2 usage, 3 not found, 4 unreachable or timeout,
  5 unhealthy, 6 exhausted, 7 denied, 130 interrupted

Examples:
  export IOASIDCTL_SET_HANDLE=$(ioasidctl set create vm-a --quota 16 -q)
  ioasidctl alloc --count 2
  ioasidctl attach 1 --spid 101
  ioasidctl watch --token vm-a --snapshot
`

/** The whole of ioasidctl: arguments (without node and script) in, exit code out. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const format = formatOf(argv)
  const program = makeProgram(io, format)
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return io.interrupted.aborted ? EXIT.interrupted : EXIT.ok
  } catch (error) {
    if (io.interrupted.aborted) return EXIT.interrupted
    return error instanceof CommanderError ? reportUsage(io, error, format) : report(io, error, format)
  }
}

const addOutput = (command: Command): Command =>
  command
    .addOption(new Option('-o, --output <format>', 'how to print, by default a table').choices(FORMATS))
    .option('-q, --quiet', 'print names alone, unless -o says how, and no remarks')

/** How errors are to be told, read before anything else: what is wrong may stand before it. */
function formatOf(argv: readonly string[]): Format {
  const reader = addOutput(new Command()).helpOption(false).allowUnknownOption().exitOverride()
  try {
    reader.configureOutput({ writeErr: () => {} }).parseOptions([...argv])
    return reader.opts<{ readonly output?: Format }>().output ?? 'table'
  } catch {
    return 'table'
  }
}

function makeProgram(io: Io, format: Format): Command {
  const program = new Command('ioasidctl')
    .description('Asks ioasidd, the daemon that owns the PASIDs (IOASIDs) of a host, and tells it what to do.')
    .version(`ioasidctl ${readVersion()}`, '-V, --version', 'print the version')
    .option('--endpoint <address>', 'where the daemon listens: unix:///path, tcp://host:port; repeatable', repeated)
    .option('--cacert <file>', 'TLS: certificates of the CAs that the daemon may have its own of, PEM', notEmpty)
    .option('--cert <file>', "TLS: the client's certificate, PEM; goes with --key", notEmpty)
    .option('--key <file>', "TLS: the key of the client's certificate, PEM", notEmpty)
    .option('--server-name <name>', "TLS: the name in the daemon's certificate, if not the endpoint's host", notEmpty)
  addOutput(program)
    .option('--no-headers', 'tables without their first line')
    .addOption(
      new Option('--deadline <duration>', 'how long to try: 500ms, 5s, 1m').argParser(duration).default(10_000, '10s'),
    )
    .configureHelp({ showGlobalOptions: true })
    // For programs a wrong use is told as whatever else goes wrong: when it is known to be all.
    .configureOutput({ writeOut: io.out, writeErr: isData(format) ? () => {} : io.err })
    // Commands that are made from here on inherit these settings.
    .exitOverride()
    .addHelpText('after', AFTER_HELP)
  addSetCommands(program, io)
  addIoasidCommands(program, io)
  addBindingCommands(program, io)
  addReferenceCommands(program, io)
  addLeaseCommands(program, io)
  addWatchCommand(program, io)
  addHistoryCommands(program, io)
  addBackupCommands(program, io)
  addStatusCommands(program, io)
  addHealthCommand(program, io)
  addTopCommand(program, io)
  addCheckCommand(program, io)
  addCompletionCommand(program, io)
  addHelpCommand(program)
  return program
}
