import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { launchFlags } from '../support/launch.ts'
import { repositoryRoot } from '../support/repository.ts'

const flags = launchFlags(join(repositoryRoot, 'dist/server/main.js'))

test('npm start tells Node what the installed program tells it', () => {
  expect(packageJson.scripts.start).toBe(`exec node ${flags.join(' ')} dist/server/main.js`)
})

test('Node begins with as large a young generation as the daemon asks for', () => {
  const program =
    "console.log(v8.getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size)"
  const bytes = (before: readonly string[]) => Number(execFileSync(process.execPath, [...before, '-e', program]))
  expect(bytes(flags)).toBeGreaterThanOrEqual(16 << 20)
  expect(bytes([])).toBeLessThan(16 << 20)
})
