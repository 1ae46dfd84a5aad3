import { execFile, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDaemon, tempDir } from '../support/daemon.ts'
import { repositoryRoot } from '../support/repository.ts'

const run = promisify(execFile)
const out = join(tempDir(), 'cpp')
const COMPILE_MS = 300_000

beforeAll(async () => {
  const args = ['--silent', '--jobs=2', '--file=test/interop/cpp/Makefile', `OUT=${out}`]
  await run('make', args, { cwd: repositoryRoot })
}, COMPILE_MS)

const children: { kill(signal: 'SIGKILL'): boolean }[] = []
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
})

/** What it says, line by line. */
function startConsumer(address: string, token: string): readonly string[] {
  const child = spawn(join(out, 'consumer'), [address, token], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const said: string[] = []
  createInterface(child.stdout).on('line', (line) => said.push(line))
  return said
}

test('C++ stubs make a set, bind, keep a table from the stream over kill -9, and read the reason of a refusal', async () => {
  let daemon = await startDaemon()
  const said = startConsumer(daemon.address, 'cpp')
  await expect.poll(() => said[0], { timeout: 20_000 }).toBe('ready 0')
  const { stdout } = await run(join(out, 'vmm'), [daemon.address, 'cpp', '101'])
  expect(stdout).toBe('bound 101 1 3\nrefused 8 QUOTA_EXCEEDED limit=1 used=1\n')
  await expect.poll(() => said.at(-1), { timeout: 20_000 }).toBe('table 101=1')

  daemon = await daemon.restart()
  await expect.poll(() => said.at(-1), { timeout: 20_000 }).toMatch(/^resumed /)
  const next = await run(join(out, 'vmm'), [daemon.address, 'other', '7'])
  expect(next.stdout).toContain('bound 7 2 ')
  // Another VM's is none of its business, and nothing was told twice.
  expect(said.filter((line) => line.startsWith('table'))).toEqual(['table 101=1'])
  await daemon.stop()
})
