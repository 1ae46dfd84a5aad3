import { join } from 'node:path'
import { expect, test } from 'vitest'
import { connect, IoasidError } from '../../client/index.ts'
import { DATA_FILE } from '../../server/store/data-dir.ts'
import { startDaemon, tempDir } from '../support/daemon.ts'

/** Every call by which LMDB writes: a page by pwrite64, several at once by writev, its meta page by a synced pwrite64. */
const FAULTS = ['fdatasync', 'pwrite64', 'writev'].flatMap((call) => [
  { call, error: 'EIO', advice: 'look after the disk' },
  { call, error: 'ENOSPC', advice: 'make room on the disk' },
])

/**
 * lmdb-js 3.5.6 writes what it says of a failed write into a buffer that is too small (mdb_page_flush in mdb.c); now and then
 * the C library notices, and ends the process before the daemon has had its last word. What was answered must be there even
 * then; the last word in one of so many runs.
 */
const RUNS = 4

/** Injected after the daemon has started: how many such calls a start makes is not the test's business. */
test.each(FAULTS)(
  'a $call that fails with $error is never answered with success, and ends the daemon with a last word',
  async ({ call, error, advice }) => {
    const ends: (number | null)[] = []
    while (ends.at(-1) !== 1 && ends.length < RUNS) {
      const { code, stderr } = await endsByFault(call, error)
      ends.push(code)
      if (code !== null) expect(stderr.trimEnd().split('\n').at(-1)).toContain(advice)
    }
    expect(ends.at(-1), ends.join()).toBe(1)
  },
)

/** How the daemon ended that was told of such a failure; nothing that it answered is missing after a restart. */
async function endsByFault(call: string, error: string) {
  const dataDir = join(tempDir(), 'data')
  const faulty = await startDaemon({
    dataDir,
    wrapper: [
      'strace',
      '-f',
      '-qq',
      '-o',
      '/dev/null',
      // Nowhere else: sockets are written to by writev, too.
      '-P',
      join(dataDir, DATA_FILE),
      '-e',
      `trace=${call}`,
      '-e',
      `inject=${call}:error=${error}:when=60+`,
    ],
  })
  const client = connect({ endpoint: faulty.address, deadlineMs: 5_000, retry: { maxAttempts: 1 } })
  const { set } = await client.createSet({ token: 'vm', quota: 10_000 })
  const answered: number[] = []
  let refusal: unknown
  while (refusal === undefined && answered.length < 10_000) {
    try {
      answered.push(...(await client.allocate({ setHandle: set.setHandle })).ioasids)
    } catch (cause) {
      refusal = cause
    }
  }
  expect(refusal).toBeInstanceOf(IoasidError)
  const { code, stderr } = await faulty.exited

  const healthy = await startDaemon({ dataDir, listen: faulty.addresses })
  const kept: number[] = []
  for await (const { ioasid } of client.listIoasids({ token: 'vm' })) kept.push(ioasid)
  expect(kept).toEqual(expect.arrayContaining(answered))
  // The one that failed may have been kept or not; nothing else may be there.
  expect(kept.length - answered.length).toBeLessThanOrEqual(1)
  await client.close()
  await healthy.stop()
  return { code, stderr }
}
