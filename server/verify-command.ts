import type { Command } from './command.ts'
import { type DataCommand, runDataCommand } from './data-command.ts'
import { createMarkCheck } from './engine/verify-marks.ts'
import { type Found, verifyKv } from './store/kv-verify.ts'
import { readLmdb } from './store/lmdb.ts'

const COMMAND: DataCommand = {
  name: 'verify',
  description:
    'Reads all that a data directory has, plays its log through, and says all that is wrong, a line each. ' +
    'It changes nothing. The daemon must be stopped.',
  after: `Example: ioasidd verify --data-dir /var/lib/ioasidd
Exit codes: 0 nothing is wrong, 1 something is, or the directory cannot be read, 2 usage.`,
}

/** `ioasidd verify --data-dir DIR`. */
export const runVerifyCommand: Command = (argv, host) =>
  runDataCommand(COMMAND, argv, host, async ({ dataDir }) => {
    const { problems, found } = await readLmdb(dataDir, async (kv) => verifyKv(kv, createMarkCheck()))
    if (problems.length === 0) return { exitCode: 0, output: `${summaryOf(dataDir, found)}\n` }
    const lines = problems.map((problem) => `${dataDir}: ${problem}\n`)
    return { exitCode: 1, output: `${lines.join('')}ioasidd: the data are damaged: restore a backup.\n` }
  })

function summaryOf(dataDir: string, found: Found): string {
  const { spaceId, format, revision, compactRevision, entries, sets, leases, allocated, marks } = found
  const log = `revision ${revision}, ${entries} log entries after ${compactRevision}`
  const space = `${sets} sets, ${leases} leases, ${allocated} ids`
  return `${dataDir}: nothing is wrong: space ${spaceId}, format ${format}, ${log}, ${space}, ${marks} marks`
}
