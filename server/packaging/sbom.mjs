// `npm run sbom`: the packages that the product runs with, on every platform, as CycloneDX. Not `npm sbom --omit dev` itself,
// since npm 11 then leaves out what a tool of development needs too: commander and yaml, for example.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const read = (name) => JSON.parse(readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8'))
const { devDependencies: _, ...manifest } = read('package.json')
const lock = read('package-lock.json')
const { devDependencies: __, ...root } = lock.packages['']
const shipped = Object.entries(lock.packages).filter(([path, { dev }]) => path !== '' && dev !== true)

const directory = mkdtempSync(join(tmpdir(), 'ioasidd-sbom-'))
try {
  // npm calls the product what its directory is called.
  const product = join(directory, manifest.name)
  mkdirSync(product)
  writeFileSync(join(product, 'package.json'), JSON.stringify(manifest))
  const packages = { '': root, ...Object.fromEntries(shipped) }
  writeFileSync(join(product, 'package-lock.json'), JSON.stringify({ ...lock, packages }))
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--package-lock-only']
  execFileSync('npm', args, { cwd: product, stdio: ['ignore', 'inherit', 'inherit'] })
} finally {
  rmSync(directory, { recursive: true })
}
