import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { tempDir } from '../support/daemon.ts'
import { repositoryRoot } from '../support/repository.ts'

const run = promisify(execFile)

test('npm run example tells the guest life cycle, with both tables right after kill -9 of the daemon', async () => {
  const { stdout } = await run('npm', ['run', '--silent', 'example'], { cwd: repositoryRoot, timeout: 60_000 })
  const lines = stdout.split('\n')
  const told = (name: string) =>
    lines.filter((line) => line.startsWith(`${name.padEnd(9)} │ `)).map((line) => line.slice(12))

  // Both guests use PASID 101; the hosts PASIDs differ, and neither consumer hears of the other's.
  const hosts = ['kvm vm-a', 'kvm vm-b'].map((name) => {
    const bound = told(name).flatMap((line) => /^BIND 101→(\d+)/.exec(line)?.[1] ?? [])
    expect(bound).toHaveLength(1)
    return bound[0]
  })
  expect(new Set(hosts).size).toBe(2)

  for (const vm of ['vm-a', 'vm-b']) {
    expect(told(`kvm ${vm}`).filter((line) => line.includes('the daemon is away'))).not.toHaveLength(0)
    const events = told(`kvm ${vm}`).flatMap((line) => /^(BIND|UNBIND) \d+/.exec(line)?.[0] ?? [])
    // Each once, in order, over the daemon's death.
    expect(events.slice(0, 4)).toEqual(['BIND 101', 'BIND 102', 'BIND 103', 'UNBIND 102'])
    expect(events.slice(4).sort()).toEqual(['UNBIND 101', 'UNBIND 103'])
    expect(told('example  ').join('\n')).toContain(`${vm} is right`)
  }
  expect(lines.at(-2)).toBe('Done.')
})

test('the example says why when the daemon does not start, and does not wait for it', async () => {
  // The socket's path is longer than the kernel takes.
  const directory = join(tempDir(), 'x'.repeat(100))
  mkdirSync(directory)
  const options = { env: { ...process.env, TMPDIR: directory }, timeout: 30_000 }
  const failed = run(process.execPath, [join(repositoryRoot, 'dist/client/examples/run.js')], options)
  await expect(failed).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/ioasidd has ended without 'ready'\.\n.*107/s),
  })
})
