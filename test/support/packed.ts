import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from './repository.ts'

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly version?: string }>>
}

/** Names, by where they are, of the packages that the product runs with: what `npm ci --omit=dev` installs and more. */
export function productionPackages(): readonly string[] {
  const lock: Lock = JSON.parse(readFileSync(join(repositoryRoot, 'package-lock.json'), 'utf8'))
  return Object.entries(lock.packages).flatMap(([path, { dev }]) => (path === '' || dev === true ? [] : path))
}

/** Packs what the build has made, since the scripts would build again. The tarball is named as npm names it. */
export function pack(directory: string, checkout: string = repositoryRoot): string {
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', directory]
  const [packed] = JSON.parse(execFileSync('npm', args, { cwd: checkout, encoding: 'utf8', stdio: 'pipe' }))
  return join(directory, packed.filename)
}

/** What `npm ci --omit=dev` would install, from what is installed here: nothing is asked of the registry. */
export function copyProductionPackages(directory: string): void {
  for (const path of productionPackages()) {
    const from = join(repositoryRoot, path)
    // Not of this platform.
    if (!existsSync(from)) continue
    mkdirSync(join(directory, path), { recursive: true })
    cpSync(from, join(directory, path), { recursive: true, verbatimSymlinks: true })
  }
}
