import { existsSync, readFileSync } from 'node:fs'

/** From the package's own file, which is two folders up from the source and from what is built of it. */
export function readVersion(): string {
  const url = new URL('../../package.json', import.meta.url)
  if (!existsSync(url)) return 'unknown'
  const { version }: { version?: unknown } = JSON.parse(readFileSync(url, 'utf8'))
  return String(version)
}
