import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openLmdbStore } from '../../server/store/lmdb.ts'
import type { Store } from '../../server/store/store.ts'
import { GENESIS, plainEntries, read } from './history.ts'
import { buildPlainJs, type PlainJs } from './plain-js.ts'

/** What only a process of its own can show: a lock that dies with its holder, and system calls that fail (strace). */
const HOLD = new URL('./programs/hold.ts', import.meta.url)
const APPEND = new URL('./programs/append.ts', import.meta.url)

let built: PlainJs
let root: string
let dataDir: string
beforeAll(() => {
  built = buildPlainJs()
  root = mkdtempSync(join(tmpdir(), 'ioasidd-store-'))
})
afterAll(() => {
  built.remove()
  rmSync(root, { recursive: true })
})
beforeEach(() => {
  dataDir = mkdtempSync(join(root, 'data-'))
})

const openHere = () => openLmdbStore({ dataDir, genesis: GENESIS })

async function inStore<Result>(work: (store: Store) => Promise<Result>): Promise<Result> {
  const store = await openHere()
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

test('a second process is kept out, and let in when the first is killed', async () => {
  const holder = spawn(process.execPath, [built.pathOf(HOLD), dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(holder, 'exit')
  await once(holder.stdout, 'data')
  const problem = await openHere().catch((error: unknown) => error)
  expect(problem).toMatchObject({
    problem: 'LOCKED',
    message: expect.stringMatching(new RegExp(`in use by process ${holder.pid}, started 20\\S+Z: stop`)),
  })
  holder.kill('SIGKILL')
  await ended
  await inStore((store) => read(store))
})

describe('a write that fails', () => {
  const PRESENT = 3
  beforeEach(async () => {
    await inStore(async (store) => {
      await read(store)
      await store.append({ entries: plainEntries(1, PRESENT), marks: [] })
    })
  })

  interface Outcome {
    /** What was said of each append. */
    readonly lines: readonly string[]
    readonly durable: number
  }

  /** Appends up to 5 entries in a process in which a system call fails. */
  const appendWith = (thread: 'now' | 'off', fault: string): Outcome => {
    const program = [process.execPath, built.pathOf(APPEND), dataDir, thread, '5']
    const calls = 'trace=fdatasync,pwrite64,pwritev,writev'
    const strace = ['-f', '-qq', '-o', '/dev/null', '-e', calls, '-e', `inject=${fault}`]
    const { stdout, error } = spawnSync('strace', [...strace, ...program], { encoding: 'utf8' })
    if (error !== undefined) throw new Error('this test needs strace: apt-get install strace', { cause: error })
    const lines = stdout.trimEnd().split('\n').slice(1)
    return { lines, durable: lines.filter((line) => line.endsWith(' durable')).length }
  }

  /** What a next start finds. */
  const found = () => inStore(async (store) => (await read(store)).entries.length)

  test.each([
    ['now', 'fdatasync:error=EIO', 'IO', 'Input/output error'],
    ['off', 'fdatasync:error=EIO', 'IO', 'Input/output error'],
    ['now', 'fdatasync:error=ENOSPC', 'FULL', 'No space left on device'],
    ['off', 'fdatasync:error=EDQUOT', 'FULL', 'Disk quota exceeded'],
  ] as const)('(%s, %s) is %s, and nothing is appended after it', async (thread, fault, problem, reason) => {
    const { lines } = appendWith(thread, fault)
    expect(lines).toHaveLength(3)
    const [first, second, last] = lines
    expect(first).toBe(`4 ${problem} writing to ${dataDir} failed: ${reason}; ${adviceFor(problem)} and start again`)
    expect(second).toBe(first)
    expect(last).toBe('closed')
    expect(await found()).toBe(PRESENT)
  })

  // A commit writes pages, syncs, and then writes the meta page through a descriptor that syncs: pwrite64 is both. Where a
  // page cannot be written lmdb-js may end the process (mustHaveRoom in data-dir.ts), but never says that it was.
  test.each([
    ['now', 'fdatasync', 2],
    ['now', 'pwrite64', 3],
    ['off', 'pwrite64', 3],
  ] as const)('(%s, %s) at any point is never taken for one that did not', async (thread, call, points) => {
    for (let nth = 1; nth <= points; nth++) {
      const before = await found()
      const { durable, lines } = appendWith(thread, `${call}:error=EIO:when=${nth}`)
      expect(lines.join('\n')).not.toMatch(/unhandled|bug/)
      expect(await found(), `${call} ${nth}: ${lines.join(', ')}`).toBe(before + durable)
    }
  })
})

function adviceFor(problem: 'IO' | 'FULL'): string {
  return problem === 'FULL' ? 'make room on the disk' : 'look after the disk'
}
