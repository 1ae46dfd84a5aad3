import { execFile, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { expect, onTestFinished } from 'vitest'
import { startDaemon } from '../support/daemon.ts'
import { shellBlock } from '../support/readme.ts'
import { repositoryRoot } from '../support/repository.ts'

/** A VMM and a consumer in a language that is compiled; both say the same in each. */

const run = promisify(execFile)

/** For `beforeAll`: a compiler that shares two cores with other tests may take its time. */
export const COMPILE_MS = 300_000

/** What the README says of a language, but for the directory: how both programs are built, and how a VMM is run. */
function quickStart(folder: string, out: string): { readonly make: string; readonly vmm: string } {
  const lines = shellBlock(`interop/${folder}/Makefile`).trim().replaceAll(`stubs-${folder}`, out).split('\n')
  const [make = '', vmm = ''] = lines.slice(-2)
  return { make, vmm }
}

export async function compile(folder: string, out: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
  const command = `${quickStart(folder, out).make} --silent --jobs=2`
  await run('bash', ['-euc', command], { cwd: repositoryRoot, env: { ...process.env, ...env } })
}

/** What it says, line by line, until the test ends. */
function startConsumer(program: string, address: string, token: string): readonly string[] {
  const child = spawn(program, [address, token], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const said: string[] = []
  createInterface(child.stdout).on('line', (line) => said.push(line))
  return said
}

/** Both programs with a daemon that is killed and started again. */
export async function bindAndFollow(folder: string, out: string): Promise<void> {
  let daemon = await startDaemon()
  const said = startConsumer(join(out, 'consumer'), daemon.address, 'vm-a')
  await expect.poll(() => said[0], { timeout: 20_000 }).toBe('ready 0')
  const { stdout } = await run(join(out, 'vmm'), [daemon.address, 'vm-a', '101'])
  expect(stdout).toBe('bound 101 1 3\nrefused 8 QUOTA_EXCEEDED limit=1 used=1\n')
  await expect.poll(() => said.at(-1), { timeout: 20_000 }).toBe('table 101=1')

  daemon = await daemon.restart()
  await expect.poll(() => said.at(-1), { timeout: 20_000 }).toMatch(/^resumed /)
  const next = await run(join(out, 'vmm'), [daemon.address, 'other', '7'])
  expect(next.stdout).toContain('bound 7 2 ')
  // Another VM's is none of its business, and nothing was told twice.
  expect(said.filter((line) => line.startsWith('table'))).toEqual(['table 101=1'])

  const { vmm } = quickStart(folder, out)
  const last = await run('bash', ['-euc', vmm.replace('127.0.0.1:PORT', daemon.address)])
  expect(last.stdout).toContain('bound 101 3 ')
  await daemon.stop()
}
