import { execFile, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDaemon, tempDir } from '../support/daemon.ts'
import { shellBlock } from '../support/readme.ts'
import { repositoryRoot } from '../support/repository.ts'

/** Debian's, whose gRPC packages .ci/run installs; another python3 may stand before it in the path. */
const PYTHON = '/usr/bin/python3'
const run = promisify(execFile)
const stubs = join(tempDir(), 'stubs')
const env = { ...process.env, PYTHONPATH: stubs }
/** As the README says it, but for the directory. */
const quickStart = shellBlock('protoc -I')
  .replace('mkdir -p stubs', `mkdir -p ${stubs}`)
  .replaceAll('=stubs', `=${stubs}`)
const vmmLine = /^PYTHONPATH=.*$/m
const program = (name: string) => join(repositoryRoot, 'test/interop/python', name)

beforeAll(async () => {
  await run('bash', ['-euc', quickStart.replace(vmmLine, '')], { cwd: repositoryRoot })
})

const consumers: ReturnType<typeof startConsumer>[] = []
afterAll(() => {
  for (const { stop } of consumers) stop()
})

function startConsumer(address: string, token: string) {
  const child = spawn(PYTHON, [program('consumer.py'), address, token], { env })
  const said: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => said.push(line))
  createInterface({ input: child.stderr }).on('line', (line) => said.push(line))
  return { said, stop: () => child.kill('SIGKILL') }
}

test('Python stubs make sets, bind, keep a table from the stream over kill -9, and read the reason of a refusal', async () => {
  let daemon = await startDaemon()
  for (const token of ['py-a', 'py-b']) consumers.push(startConsumer(daemon.address, token))
  const [a, b] = consumers.map(({ said }) => said)
  await expect.poll(() => [a, b].map((said) => said?.[0]), { timeout: 20_000 }).toEqual(['ready 0', 'ready 0'])

  const vmm = (token: string) => run(PYTHON, [program('vmm.py'), daemon.address, token, '101'], { env })
  const first = await vmm('py-a')
  expect(first.stdout).toBe('bound 101 1 3\nrefused RESOURCE_EXHAUSTED QUOTA_EXCEEDED limit=1 used=1\n')
  await expect.poll(() => a).toEqual(['ready 0', 'table [(101, 1)]'])

  daemon = await daemon.restart()
  await expect
    .poll(() => [a, b].map((said) => said?.at(-1)?.split(' ')[0]), { timeout: 20_000 })
    .toEqual(['resumed', 'resumed'])
  const second = await vmm('py-b')
  expect(second.stdout).toContain('bound 101 2 ')
  // Each hears of its own VM and of no other.
  await expect.poll(() => b?.at(-1)).toBe('table [(101, 2)]')
  expect(a?.filter((line) => line.startsWith('table'))).toEqual(['table [(101, 1)]'])

  const [command = ''] = vmmLine.exec(quickStart) ?? []
  const third = await run('bash', ['-euc', command.replace('127.0.0.1:PORT', daemon.address)], { cwd: repositoryRoot })
  expect(third.stdout).toContain('bound 101 3 ')
  await daemon.stop()
})
