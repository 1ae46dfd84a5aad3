import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { connect } from '../../client/index.ts'
import { startDaemon, tempDir } from '../support/daemon.ts'
import { readUnit } from '../support/unit-file.ts'

/** Of a group as systemd knows it, with those in it. */
function callsOf(group: string): ReadonlySet<string> {
  const listing = execFileSync('systemd-analyze', ['syscall-filter', group], { encoding: 'utf8' })
  const members = [...listing.matchAll(/^ {4}([@\w-]+)$/gm)].flatMap(([, name = '']) => name)
  return new Set(members.flatMap((name) => (name.startsWith('@') ? [...callsOf(name)] : name)))
}

/** What the filter of the service lets through: what its lines allow, less what those that begin with ~ take away. */
function allowed(): ReadonlySet<string> {
  const calls = new Set<string>()
  for (const line of readUnit('ioasidd.service').values('SystemCallFilter')) {
    const isRefusal = line.startsWith('~')
    for (const group of line.replace('~', '').split(' ')) {
      for (const call of callsOf(group)) {
        if (isRefusal) calls.delete(call)
        else calls.add(call)
      }
    }
  }
  return calls
}

// Where no systemd runs nobody else would notice that the service's filter refuses what the daemon needs.
test('the daemon needs no system call that its service refuses', async () => {
  const trace = join(tempDir(), 'trace')
  // V8 asks for memory keys, which the filter refuses, and does without them: it is to be seen doing so.
  const refused = ['-e', 'inject=pkey_alloc:error=EPERM']
  const daemon = await startDaemon({ wrapper: ['strace', '-f', '-qq', '-e', 'trace=all', ...refused, '-o', trace] })
  const client = connect({ endpoint: daemon.address })
  const { set } = await client.createSet({ token: 'vm-a' })
  await client.allocate({ setHandle: set.setHandle, count: 2 })
  await client.getStatus()
  await client.close()
  await daemon.stop()
  const called = new Set([...readFileSync(trace, 'utf8').matchAll(/^\d+ +(\w+)\(/gm)].map(([, name = '']) => name))
  expect(called.size).toBeGreaterThan(30)
  const permitted = allowed()
  expect([...called].filter((name) => !permitted.has(name) && name !== 'pkey_alloc')).toEqual([])
})
