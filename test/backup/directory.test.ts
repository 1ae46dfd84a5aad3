import { chownSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openLmdbStore } from '../../server/store/lmdb.ts'
import { GENESIS } from '../store/history.ts'
import { backupOf, restore, scratch, verify } from '../support/backups.ts'
import { createSet, run } from '../support/engine.ts'

/** Whom a directory can be given to. */
const OWNER = process.getuid?.() === 0 ? 65534 : (process.getuid?.() ?? 0)

async function someBackup(): Promise<Buffer> {
  const { engine } = await run()
  await createSet(engine, 'vm-a')
  return await backupOf(engine)
}

it('what root restores into, and verifies in, a directory of the daemon belongs to the user of the daemon', async () => {
  const dataDir = scratch()
  chownSync(dataDir, OWNER, statSync(dataDir).gid)
  expect(await restore(await someBackup(), dataDir)).toMatchObject({ exitCode: 0 })
  expect(await verify(dataDir)).toMatchObject({ exitCode: 0 })
  const names = readdirSync(dataDir).sort()
  expect(names).toEqual(['data.mdb', 'ioasidd.lock', 'lock.mdb'])
  for (const name of names) expect(statSync(join(dataDir, name)).uid).toBe(OWNER)
})

it('a file of LMDB that cannot be opened is a refusal in words, and no signal', async () => {
  const { dataDir } = await restore(await someBackup())
  rmSync(join(dataDir, 'lock.mdb'), { force: true })
  mkdirSync(join(dataDir, 'lock.mdb'))
  const told = `${join(dataDir, 'lock.mdb')} is no regular file`
  await expect(openLmdbStore({ dataDir, genesis: GENESIS })).rejects.toMatchObject({
    problem: 'IO',
    message: expect.stringContaining(told),
  })
  expect((await verify(dataDir)).output).toContain(told)
})

it('verify makes no data file out of an empty one', async () => {
  const dataDir = scratch()
  writeFileSync(join(dataDir, 'data.mdb'), '')
  expect(await verify(dataDir)).toEqual({ exitCode: 1, output: `ioasidd: ${dataDir} has no data of ioasidd.\n` })
  expect(readdirSync(dataDir)).toEqual(['data.mdb'])
  expect(statSync(join(dataDir, 'data.mdb')).size).toBe(0)
})
