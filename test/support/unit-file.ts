import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from './repository.ts'

/** What a unit of systemd says, so that what tests run cannot drift from it. */
export interface UnitFile {
  readonly path: string
  readonly text: string
  /** Every value of a setting, in order. */
  values(setting: string): readonly string[]
}

export function readUnit(name: string): UnitFile {
  const path = join(repositoryRoot, 'server/systemd', name)
  const text = readFileSync(path, 'utf8')
  const settings = [...text.matchAll(/^(\w+)=(.*)$/gm)]
  return {
    path,
    text,
    values: (setting) => settings.flatMap(([, name, value = '']) => (name === setting ? value : [])),
  }
}

/** Where the units expect Node and the package. */
export const NODE = '/usr/bin/node'
export const PACKAGE = '/usr/lib/ioasidd/node_modules/ioasidd'

/** The command of ExecStart with its arguments, with Node and the package where they are here. */
export function execStart(unit: UnitFile, at: { readonly node: string; readonly package: string }): readonly string[] {
  const [line = ''] = unit.values('ExecStart')
  return line.split(' ').map((word) => {
    if (word === NODE) return at.node
    return word.startsWith(`${PACKAGE}/`) ? join(at.package, word.slice(PACKAGE.length)) : word
  })
}

/** Its variables. */
export function environment(unit: UnitFile): Readonly<Record<string, string>> {
  const pairs = unit.values('Environment').flatMap((line) => line.split(' '))
  return Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s).slice(0, 2)))
}
