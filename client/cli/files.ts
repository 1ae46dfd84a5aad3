import { link, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** Reads the file that a flag or a variable names; `refuse` ends the command with a sentence that names it. */
export async function readGiven(
  readFile: (path: string) => Promise<Uint8Array>,
  source: string,
  path: string,
  refuse: (sentence: string) => never,
): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (error) {
    return refuse(`${source}: '${path}' cannot be read: ${sentenceOf(error)}.`)
  }
}

/** Without the call that failed, and the path once more. */
export function sentenceOf(error: unknown): string {
  return String(error instanceof Error ? error.message : error).replace(/, \w+(?: '.*')?$/s, '')
}

/** A file that is there only when all of it is. */
export interface NewFile {
  readonly write: (bytes: Uint8Array) => Promise<void>
  /** Puts it, on disk, to its place. */
  readonly commit: () => Promise<void>
  /** Leaves nothing behind; after `commit` it does nothing. */
  readonly discard: () => Promise<void>
}

/** For its owner alone. Rejects where the place is taken, unless that is to be replaced. */
export async function createFile(path: string, mayReplace: boolean): Promise<NewFile> {
  if (!mayReplace) await mustBeFree(path)
  const scratch = join(dirname(path), `.${basename(path)}.${process.pid}`)
  const file = await open(scratch, 'wx', 0o600)
  let isOpen = true
  return {
    write: (bytes) => file.writeFile(bytes),
    commit: async () => {
      await file.sync()
      await file.close()
      isOpen = false
      // A link, unlike a rename, takes nobody's place.
      await (mayReplace ? rename(scratch, path) : link(scratch, path))
      await rm(scratch, { force: true })
      await syncDirectory(dirname(path))
    },
    discard: async () => {
      if (isOpen) await file.close()
      isOpen = false
      await rm(scratch, { force: true })
    },
  }
}

async function mustBeFree(path: string): Promise<void> {
  try {
    await (await open(path, 'r')).close()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
  }
  throw new Error('it is there already, and --force would replace it')
}

/** A new name is on disk only then. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
