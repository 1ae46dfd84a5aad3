import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tempDir } from '../support/daemon.ts'
import { productionPackages } from '../support/packed.ts'
import { repositoryRoot } from '../support/repository.ts'

/** What the product brings of others: by the commands that say so. */

const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
const shipped = productionPackages().map(nameOf).sort()
const npmRun = (script: string) => {
  return execFileSync('npm', ['run', '--silent', script], { cwd: repositoryRoot, encoding: 'utf8', stdio: 'pipe' })
}

test('the bill of materials names what the product runs with, and nothing else', () => {
  const { bomFormat, components } = JSON.parse(npmRun('sbom'))
  expect(bomFormat).toBe('CycloneDX')
  const named = components.map(({ group, name }: { group?: string; name: string }) =>
    group ? `${group}/${name}` : name,
  )
  expect(named.sort()).toEqual(shipped)
})

test('every package that the product runs with has a licence that is allowed', () => {
  const lines = npmRun('licences').trim().split('\n')
  expect(lines.map((line) => line.split(' ')[0]).sort()).toEqual(shipped)
})

test('a licence that nobody has looked at is refused by name, and one of a tool does not matter', () => {
  const licences = (packages: object) => {
    const lock = join(tempDir(), 'package-lock.json')
    writeFileSync(lock, JSON.stringify({ packages: { '': {}, ...packages } }))
    const { status, stderr } = spawnSync('node', ['server/packaging/licences.mjs', lock], {
      cwd: repositoryRoot,
      encoding: 'utf8',
    })
    return { status, stderr }
  }
  const good = { version: '1.0.0', license: 'MIT' }
  const tool = { version: '1.0.0', license: 'AGPL-3.0', dev: true }
  expect(licences({ 'node_modules/good': good, 'node_modules/tool': tool })).toEqual({ status: 0, stderr: '' })
  expect(licences({ 'node_modules/good': good, 'node_modules/a/node_modules/@b/bad': { version: '2.0.0' } })).toEqual({
    status: 1,
    stderr: '@b/bad 2.0.0 has the licence none: allowed are 0BSD, Apache-2.0, BSD-2-Clause, BSD-3-Clause, ISC, MIT\n',
  })
  expect(licences({}).status).toBe(1)
})
