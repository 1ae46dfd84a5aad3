import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Frame, readBackup } from '../../server/store/backup-reader.ts'
import { openLmdbStore } from '../../server/store/lmdb.ts'
import { GENESIS } from '../store/history.ts'
import { backupOf, restore, scratch, verify } from '../support/backups.ts'
import { allocate, command, createSet, makeRevisions, must, request, run } from '../support/engine.ts'

let bytes: Buffer

beforeAll(async () => {
  const { engine } = await run()
  const setId = await createSet(engine, 'vm-a')
  await allocate(engine, setId, 5)
  must(await engine.submit(command.allocate(setId), request('a')))
  await makeRevisions(engine, await createSet(engine, 'vm-b'), 20)
  bytes = await backupOf(engine)
})

async function* inPieces(whole: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < whole.length; from += size) yield whole.subarray(from, from + size)
}

async function frames(whole: Uint8Array, size = 1000): Promise<Frame[]> {
  const found: Frame[] = []
  for await (const frame of readBackup(inPieces(whole, size), 'it')) found.push(frame)
  return found
}

const problemOf = (whole: Uint8Array, size?: number) =>
  frames(whole, size).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : error),
  )

/** Where frames begin, and where the file ends. */
function boundaries(): number[] {
  const found = [bytes.indexOf('\n') + 1]
  for (let at = found[0] ?? 0; at < bytes.length; ) {
    at += 4 + bytes.readUInt32LE(at)
    found.push(at)
  }
  return found
}

/** Sparse in the middle of large frames, every byte where frames meet. */
function positions(): number[] {
  const near = boundaries().flatMap((at) => Array.from({ length: 30 }, (_, index) => at - 15 + index))
  const sparse = Array.from({ length: 100 }, (_, index) => Math.floor((index * bytes.length) / 100))
  return [...new Set([...near, ...sparse])].filter((at) => at >= 0 && at < bytes.length)
}

describe('a backup that is read', () => {
  it('is the same in pieces of any size', async () => {
    const whole = await frames(bytes, bytes.length)
    expect(whole.map(({ kind }) => kind).join('')).toMatch(/^HS+BL+M+$/)
    for (const size of [1, 7, 65_536]) expect(await frames(bytes.subarray(), size)).toEqual(whole)
  }, 60_000)

  it('with a changed byte anywhere is refused', async () => {
    const missed: number[] = []
    for (const at of positions()) {
      const damaged = Buffer.from(bytes)
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8))
      if ((await problemOf(damaged, 1 << 20)) === undefined) missed.push(at)
    }
    expect(missed).toEqual([])
  }, 60_000)

  it('that is cut off anywhere is refused', async () => {
    const missed: number[] = []
    for (const at of positions()) if ((await problemOf(bytes.subarray(0, at), 1 << 20)) === undefined) missed.push(at)
    expect(missed).toEqual([])
  }, 60_000)

  it('says precisely where it is wrong', async () => {
    const at = boundaries()
    const [, second = 0] = at
    const damaged = Buffer.from(bytes)
    damaged[second + 20] = (damaged[second + 20] ?? 0) ^ 1
    const name = 'it is no whole backup'
    expect(await problemOf(damaged)).toBe(`${name}: frame 1 at byte ${second} does not match its checksum`)
    expect(await problemOf(bytes.subarray(0, second + 9))).toBe(`${name}: it is cut off in frame 1 at byte ${second}`)
    expect(await problemOf(bytes.subarray(0, second))).toBe(`${name}: it is cut off in frame 1 at byte ${second}`)
    expect(await problemOf(Buffer.concat([bytes, Buffer.from('x')]))).toBe(
      `${name}: something follows its end at byte ${bytes.length}`,
    )
    const [, , third = 0] = at
    const without = Buffer.concat([bytes.subarray(0, second), bytes.subarray(third)])
    expect(await problemOf(without)).toBe(`${name}: frame 1 at byte ${second} is out of place`)
    const huge = Buffer.from(bytes)
    huge.writeUInt32LE(0xffff_ffff, second)
    expect(await problemOf(huge)).toBe(
      `${name}: frame 1 at byte ${second} is damaged: it says that it has 4294967295 bytes`,
    )
    expect(await problemOf(Buffer.from('#!/bin/sh\n'))).toBe('it is no backup of ioasidd')
    const newer = Buffer.concat([Buffer.from('ioasidd backup 2\n'), bytes.subarray(17)])
    expect(await problemOf(newer)).toBe('it is a backup of format 2, this release reads format 1')
  })
})

describe('a restore of a damaged file', () => {
  it('leaves nothing that a daemon would start from, and can be tried again', async () => {
    const damaged = Buffer.from(bytes)
    damaged[damaged.length - 5] = (damaged[damaged.length - 5] ?? 0) ^ 1
    for (const whole of [damaged, bytes.subarray(0, bytes.length - 10), Buffer.alloc(0)]) {
      const { exitCode, output, dataDir } = await restore(whole)
      expect(exitCode).toBe(1)
      expect(output).toMatch(/^ioasidd: \S+\/backup is no (whole )?backup/)
      expect(existsSync(join(dataDir, 'data.mdb'))).toBe(false)
      const why = `${dataDir} has a restore that did not come to its end: restore into it again, or remove it`
      await expect(openLmdbStore({ dataDir, genesis: GENESIS })).rejects.toThrow(why)
      expect(await verify(dataDir)).toEqual({ exitCode: 1, output: `ioasidd: ${why}.\n` })
      expect(await restore(bytes, dataDir)).toMatchObject({ exitCode: 0 })
      expect(readdirSync(dataDir).sort()).toEqual(['data.mdb', 'ioasidd.lock'])
      expect(await verify(dataDir)).toMatchObject({ exitCode: 0 })
    }
  })

  it('whose frames are whole but do not fit each other is refused', async () => {
    const { encodeBackup } = await import('../../server/store/backup-file.ts')
    const { engine } = await run()
    await createSet(engine, 'vm-a')
    const backup = must(await engine.backup())
    const items = async function* () {
      for await (const item of backup.items) {
        if (item.kind !== 'entries') yield item
      }
    }
    const pieces: Uint8Array[] = []
    for await (const piece of encodeBackup(items(), '1')) pieces.push(piece)
    expect(await restore(Buffer.concat(pieces))).toMatchObject({
      exitCode: 1,
      output: expect.stringContaining('is no whole backup: its log ends at 0, not at 1.'),
    })
  })

  it('that is not there is found out before anything is made', async () => {
    const { runRestoreCommand } = await import('../../server/restore-command.ts')
    const dataDir = join(scratch(), 'data')
    const host = { env: {}, isRoot: false, isTerminal: false }
    expect(await runRestoreCommand(['/no/such/file', '--data-dir', dataDir], host)).toEqual({
      exitCode: 1,
      output: "ioasidd: ENOENT: no such file or directory, open '/no/such/file'.\n",
    })
    expect(existsSync(dataDir)).toBe(false)
  })

  it('into a directory of something else leaves that alone', async () => {
    const dataDir = scratch()
    writeFileSync(join(dataDir, 'notes.txt'), 'mine')
    expect(await restore(bytes, dataDir)).toMatchObject({
      exitCode: 1,
      output: expect.stringContaining('is not empty ("notes.txt")'),
    })
    expect(readdirSync(dataDir)).toEqual(['notes.txt'])
  })
})

describe('the commands', () => {
  it.each([
    [['--help'], 0, /^Usage: ioasidd restore \[options\] <FILE>\n/],
    [[], 2, /^ioasidd: missing required argument 'FILE'\. See ioasidd restore --help\.\n$/],
    [['a', 'b'], 2, /^ioasidd: too many arguments/],
    [['a', '--frobnicate'], 2, /^ioasidd: unknown option '--frobnicate'/],
  ])('say what they take: restore %j', async (argv, exitCode, output) => {
    const { runRestoreCommand } = await import('../../server/restore-command.ts')
    const end = await runRestoreCommand(argv, { env: {}, isRoot: false, isTerminal: false })
    expect(end).toEqual({ exitCode, output: expect.stringMatching(output) })
  })
})
