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
    // Without the call that failed, and the path once more.
    const why = String(error instanceof Error ? error.message : error).replace(/, \w+(?: '.*')?$/s, '')
    return refuse(`${source}: '${path}' cannot be read: ${why}.`)
  }
}
