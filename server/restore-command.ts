import { open } from 'node:fs/promises'
import type { Command } from './command.ts'
import { type DataCommand, runDataCommand } from './data-command.ts'
import { systemChance, systemClock } from './engine/clock.ts'
import { CLOCK_MARK, readNumber } from './engine/open-space.ts'
import { restoredMark } from './engine/restored.ts'
import { createMarkCheck } from './engine/verify-marks.ts'
import { notWhole, readBackup } from './store/backup-reader.ts'
import { type Ended, restoreInto } from './store/kv-restore.ts'
import { verifyKv } from './store/kv-verify.ts'
import { restoreLmdb } from './store/lmdb.ts'
import type { Mark } from './store/store.ts'

const COMMAND: DataCommand = {
  name: 'restore',
  description:
    'Makes an empty or missing directory one that a daemon starts from, of what AdminService.Backup wrote. ' +
    'All of the file is checked first; until it is done no daemon starts there.',
  argument: { name: 'FILE', help: 'the backup; - is standard input' },
  after: `Example: ioasidd restore ioasidd.backup --data-dir /var/lib/ioasidd
The restored space has another space id: consumers start from a snapshot. It knows nothing of what came after the backup,
so start it only where the users of the space were stopped. Ids that are free in it rest for --reuse-delay first.
Exit codes: 0 restored, 1 the file or the directory is no good, 2 usage.`,
}

/** `ioasidd restore FILE --data-dir DIR`. */
export const runRestoreCommand: Command = (argv, host) =>
  runDataCommand(COMMAND, argv, host, async ({ dataDir, argument }) => {
    const name = argument === '-' ? 'standard input' : argument
    const spaceId = systemChance.name()
    const { header, found } = await withInput(argument, (source) =>
      restoreLmdb(dataDir, async (kv) => {
        const restored = await restoreInto(kv, readBackup(source, name), { spaceId, name, marksOf })
        // What is whole may still be wrong: it is looked at as a start would find it.
        const { problems, found } = verifyKv(kv, createMarkCheck())
        const [problem] = problems
        if (problem !== undefined) throw notWhole(name, problem)
        return { ...restored, found }
      }),
    )
    const { revision, sets, leases, allocated } = found
    const made = new Date(header.wallMs).toISOString()
    const output = `restored revision ${revision} of space ${header.spaceId}, backed up ${made}, into ${dataDir}
${sets} sets, ${leases} leases, ${allocated} ids, history after revision ${found.compactRevision}
it is space ${spaceId} now: consumers start from a snapshot, and set handles and lease handles go on working
${name} holds the key of all handles, as ${dataDir} does: keep it secret (mode 0600)
`
    return { exitCode: 0, output }
  })

/** A file that cannot be read is found out before anything is made. */
async function withInput<Result>(path: string, work: (source: AsyncIterable<Uint8Array>) => Promise<Result>) {
  if (path === '-') return await work(process.stdin)
  const file = await open(path)
  try {
    return await work(file.createReadStream({ autoClose: false }))
  } finally {
    await file.close()
  }
}

/** Serving time goes on from here. */
function marksOf({ lastSetId, lastLeaseId, servingMs, marks }: Ended): readonly Mark[] {
  const clock = marks.get(CLOCK_MARK)
  const restoredMs = Math.max(servingMs, clock === undefined ? 0 : readNumber(clock))
  return [restoredMark({ servingMs: restoredMs, lastSetId, lastLeaseId }, systemClock.wallMs())]
}
