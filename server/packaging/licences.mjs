// `npm run licences`: name, version and licence of every package that the product runs with, on every platform, from the
// lock. Fails on a licence that nobody has looked at.
import { readFileSync } from 'node:fs'

/** What allows to ship the packages with the product, under Apache-2.0, and asks for no more than their notices. */
const ALLOWED = new Set(['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT'])

const lockFile = process.argv[2] ?? new URL('../../package-lock.json', import.meta.url)
const { packages } = JSON.parse(readFileSync(lockFile, 'utf8'))
// '' is the product itself.
const shipped = Object.entries(packages).filter(([path, { dev }]) => path !== '' && dev !== true)
let refused = 0
for (const [path, { version, license = 'none' }] of shipped) {
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
  console.log(`${name} ${version} ${license}`)
  if (ALLOWED.has(license)) continue
  refused++
  console.error(`${name} ${version} has the licence ${license}: allowed are ${[...ALLOWED].join(', ')}`)
}
if (shipped.length === 0) console.error('the lock has no package that the product runs with')
process.exitCode = refused > 0 || shipped.length === 0 ? 1 : 0
