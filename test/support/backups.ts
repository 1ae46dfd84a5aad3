import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { CommandEnd } from '../../server/command.ts'
import type { Engine } from '../../server/engine/engine.ts'
import { runRestoreCommand } from '../../server/restore-command.ts'
import { encodeBackup } from '../../server/store/backup-file.ts'
import { openLmdbStore } from '../../server/store/lmdb.ts'
import type { Store } from '../../server/store/store.ts'
import { runVerifyCommand } from '../../server/verify-command.ts'
import { must, type Running, type RunOptions, run } from './engine.ts'

/** Backups of engines in this process, and what is made of them. */

const HOST = { env: {}, isRoot: false, isTerminal: false }
const GENESIS = { spaceId: 'space-a', handleKey: new Uint8Array(32).fill(7) }

/** A new directory, removed after the test. */
export function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'ioasidd-backup-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** The whole file; `between` is called before each piece. */
export async function backupOf(engine: Engine, between: () => unknown = () => undefined): Promise<Buffer> {
  const backup = must(await engine.backup())
  const pieces: Uint8Array[] = []
  for await (const piece of encodeBackup(backup.items, '1.2.3')) {
    pieces.push(piece)
    await between()
  }
  backup.close()
  return Buffer.concat(pieces)
}

/** `ioasidd restore` of these bytes. Default: into a directory that is missing. */
export async function restore(
  bytes: Uint8Array,
  dataDir: string = join(scratch(), 'data'),
): Promise<CommandEnd & { readonly dataDir: string }> {
  const file = join(scratch(), 'backup')
  writeFileSync(file, bytes)
  return { ...(await runRestoreCommand([file, '--data-dir', dataDir], HOST)), dataDir }
}

export function verify(dataDir: string): Promise<CommandEnd> {
  return runVerifyCommand(['--data-dir', dataDir], HOST)
}

/** The store of a directory, closed after the test. */
export async function storeIn(dataDir: string): Promise<Store> {
  const store = await openLmdbStore({ dataDir, genesis: GENESIS })
  onTestFinished(() => store.close())
  return store
}

/** An engine on what these bytes were restored to. */
export async function runRestored(
  bytes: Uint8Array,
  options: RunOptions = {},
): Promise<Running & { readonly dataDir: string }> {
  const { exitCode, output, dataDir } = await restore(bytes)
  if (exitCode !== 0) throw new Error(output)
  return { ...(await run({ ...options, store: await storeIn(dataDir) })), dataDir }
}
