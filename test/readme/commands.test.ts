import { execFile, spawn } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { startDaemon, tempDir } from '../support/daemon.ts'
import { blocks, shellBlock } from '../support/readme.ts'
import { repositoryRoot } from '../support/repository.ts'

const run = promisify(execFile)

/** In a shell of its own, at the top of the checkout. Aliases are for terminals unless it is told otherwise. */
async function shell(script: string, env: Record<string, string>): Promise<string> {
  const options = { cwd: repositoryRoot, env: { ...process.env, ...env } }
  const { stdout } = await run('bash', ['-euc', `shopt -s expand_aliases\n${script}`], options)
  return stdout
}

/** Starts a command of the README and waits for its `ready` line; answers with it. */
async function startsServing(command: string, env: Record<string, string>): Promise<string> {
  const child = spawn('bash', ['-c', `exec ${command}`], { cwd: repositoryRoot, env: { ...process.env, ...env } })
  let output = ''
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const address = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (data) => {
      output += data
      const [, ready] = /^ready (\S+)$/m.exec(output) ?? []
      if (ready !== undefined) resolve(ready)
    })
    child.once('close', () => reject(new Error(`ended: ${output}`)))
  })
  child.kill('SIGTERM')
  await ended
  return address
}

test('every command of the README is run by a test', () => {
  // npm ci and npm test are what CI calls; the others are run here, in test/client/pack, test/examples and test/interop.
  const known = [
    'npm ci && npm start',
    'npm start -- --listen',
    'ioasidctl watch',
    'ioasidctl -q set create',
    'npm run example\n',
    'npm run example -- life-cycle',
    'npm pack',
    'protoc -I',
    'interop/cpp/Makefile',
    'interop/go/Makefile',
    'npx buf curl',
    'backup save',
    'ioasidd config',
  ]
  expect(blocks('sh').map((block) => known.filter((text) => block.includes(text)))).toEqual(known.map((text) => [text]))
})

// It builds first, beside the compilers of other tests.
const BUILD_MS = 180_000

test('npm start serves on the embedded store where the surroundings say', { timeout: BUILD_MS }, async () => {
  const directory = tempDir()
  expect(shellBlock('npm ci && npm start')).toContain('npm start ')
  const socket = `unix://${join(directory, 'ioasidd.sock')}`
  const env = { IOASIDD_LISTEN: socket, IOASIDD_DATA_DIR: join(directory, 'data') }
  expect(await startsServing('npm start', env)).toBe(socket)
})

test('npm start passes flags on', { timeout: BUILD_MS }, async () => {
  const command = shellBlock('npm start -- --listen').replace('DIR', join(tempDir(), 'data')).trim()
  expect(await startsServing(command, {})).toMatch(/^127\.0\.0\.1:\d+$/)
})

test('the first allocation and the first notification look as the README shows them', async () => {
  const daemon = await startDaemon()
  const env = { IOASIDCTL_ENDPOINT: daemon.address }
  const watching = shell(shellBlock('ioasidctl watch'), env)
  // It watches from now on: the set is made when it does.
  await expect
    .poll(async () => JSON.parse(await shell(`${alias()}\nioasidctl -o json status`, env)).subscriptions)
    .toBe(1)
  const owner = await shell(shellBlock('ioasidctl -q set create'), env)
  const [list = '', notifications = ''] = blocks('').slice(1)
  expect(owner.endsWith(list)).toBe(true)
  expect(await watching).toBe(notifications)
  await daemon.stop()
})

function alias(): string {
  return shellBlock('ioasidctl watch').split('\n')[0] ?? ''
}

test('a backup is saved, inspected and restored, and what was restored is whole', async () => {
  const daemon = await startDaemon()
  const [file, directory] = [join(tempDir(), 'backup'), join(tempDir(), 'data')]
  const script = shellBlock('backup save').replaceAll('FILE', file).replaceAll('DIR', directory)
  const said = await shell(script, { IOASIDCTL_ENDPOINT: daemon.address })
  expect(said).toContain('restored revision 0 of space ')
  expect(said).toContain(`${directory}: nothing is wrong: `)
  await daemon.stop()
})
