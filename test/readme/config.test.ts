import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { loadConfig } from '../../server/config.ts'
import { runConfigCommand } from '../../server/config-command.ts'
import { covers } from '../../server/core/caller.ts'
import { FLAGS } from '../../server/flags.ts'
import { parsePolicy } from '../../server/policy-file.ts'
import { tempDir } from '../support/daemon.ts'
import { blocks, shellBlock } from '../support/readme.ts'
import { repositoryRoot } from '../support/repository.ts'
import { LIMITS } from '../support/rights.ts'

const run = promisify(execFile)
const HOST = { env: {}, isRoot: true, isTerminal: false } as const

/** The README's example as a file. */
function exampleFile(): string {
  const [example = ''] = blocks('yaml')
  const path = join(tempDir(), 'ioasidd.yaml')
  writeFileSync(path, example)
  return path
}

test('the configuration file of the README is accepted, and means what it says', () => {
  const path = exampleFile()
  const loaded = loadConfig(['--config', path], HOST)
  if (loaded.kind !== 'config') throw new Error(JSON.stringify(loaded))
  expect(loaded.config).toMatchObject({
    listeners: [{ isAdmin: true }, { isAdmin: false, address: { text: '127.0.0.1:7600' } }],
    dataDir: '/var/lib/ioasidd',
    space: {
      capacity: 1_048_576,
      reserved: [
        [0, 0],
        [5, 9],
      ],
      reuseDelayMs: 500,
    },
    log: { level: 'info' },
  })
})

test('the policy of the README is accepted, and means what it says', async () => {
  const [, text = '', ...others] = blocks('yaml')
  expect(others).toEqual([])
  const path = join(tempDir(), 'policy.yaml')
  writeFileSync(path, text, { mode: 0o600 })
  const checked = await runConfigCommand(['check', '--policy-file', path], HOST)
  expect(checked).toEqual({ exitCode: 0, output: 'ok: no file\n' })
  writeFileSync(path, text.replace('own:', 'owns:'))
  const refused = await runConfigCommand(['check', '--policy-file', path], HOST)
  expect(refused).toMatchObject({ exitCode: 2, output: expect.stringContaining("line 4: a grant has no key 'owns'") })

  const policy = parsePolicy(text, LIMITS)
  if ('problems' in policy) throw new Error(policy.problems.join(' '))
  const vmm = policy.rightsOf('spiffe://host.example/vmm/a')
  expect(['vm-a', 'vm-a/7', 'vm-ab'].map((token) => covers(vmm.own, token))).toEqual([true, true, false])
  expect(policy.rightsOf('uid:64055')).toMatchObject({ subscribe: { isAll: true }, administer: false })
  expect(policy.rightsOf('dns:ops.example').administer).toBe(true)
})

test('the commands of the README about the file do what it says', async () => {
  const path = exampleFile()
  const block = shellBlock('ioasidd config').replaceAll('ioasidd.yaml', path)
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('IOASIDD_')))
  const options = { cwd: repositoryRoot, env }
  // Where no shell is above it, from cron say, bash takes a socket on its standard input for rsh and would read its own file.
  const { stdout, stderr } = await run('bash', ['--norc', '-euc', `shopt -s expand_aliases\n${block}`], options)
  expect(stderr).toBe('')
  const [defaults = '', printed = ''] = stdout.split(`ok: ${path}\n`)
  for (const name of Object.keys(FLAGS).filter((key) => key !== 'config')) {
    expect(defaults, name).toMatch(new RegExp(`^(# )?${name}: `, 'm'))
  }
  expect(printed).toMatch(/^reuse-delay: 500ms +# \S+\/ioasidd\.yaml:9$/m)
  expect(printed).toMatch(/^ring: 16MiB +# default$/m)
})
