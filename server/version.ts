import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The package's version; package.json is one directory up from the source, two from what is built of it. */
export const VERSION: string = readVersion()

function readVersion(): string {
  const file = ['../package.json', '../../package.json']
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path))
  if (file === undefined) throw new Error('package.json is not where it belongs')
  return JSON.parse(readFileSync(file, 'utf8')).version
}
