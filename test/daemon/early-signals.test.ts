import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { runDaemon } from '../support/daemon.ts'
import { repositoryRoot } from '../support/repository.ts'

const MAIN = join(repositoryRoot, 'dist/server/main.js')

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** Says that start.ts is asked for, and lets it wait until a byte comes: so main.ts is as far as it gets by itself. */
const HOOKS = `
import { readSync, writeSync } from 'node:fs'
export async function load(url, context, next) {
  if (url.endsWith('/server/start.js')) {
    writeSync(1, 'loading\\n')
    readSync(0, Buffer.alloc(1))
  }
  return next(url, context)
}
`
const dataUrl = (text: string) => `data:text/javascript,${encodeURIComponent(text)}`
const REGISTER = dataUrl(`import { register } from 'node:module'; register(${JSON.stringify(dataUrl(HOOKS))})`)

/** The daemon, or a command, that has its handlers and waits to be loaded. */
async function startLoading(...flags: string[]) {
  const child = spawn(process.execPath, ['--import', REGISTER, MAIN, ...flags])
  children.push(child)
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (piece) => {
    output.stdout += piece
  })
  child.stderr.on('data', (piece) => {
    output.stderr += piece
  })
  const closed = once(child, 'close')
  await expect.poll(() => output.stdout, { timeout: 20_000 }).toContain('loading')
  return { child, output, closed, load: () => child.stdin.write('x') }
}

/** While a hook of its loader waits Node 24 looks after no signal, so that early ones come when the daemon serves. */
const looksAfterSignals = Number.parseInt(process.versions.node, 10) < 24

const DAEMON = ['--listen', '127.0.0.1:0', '--store', 'memory']

test('before anything is loaded SIGHUP asks for a reload once it serves, and SIGUSR1 opens no inspector', async () => {
  const { child, output, closed, load } = await startLoading(...DAEMON)
  for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGHUP', 'SIGUSR1'] as const) child.kill(signal)
  // Long enough for an inspector to open, which it does in a thread of its own.
  await sleep(200)
  load()
  await expect.poll(() => output.stderr, { timeout: 20_000 }).toContain('"reloaded"')
  child.kill('SIGTERM')
  expect(await closed).toEqual([0, null])
  expect(output.stdout).toMatch(/^loading\nready \S+\n$/)
  // Late, the second comes while the first is carried out, and may ask for one more.
  expect(output.stderr.match(/"reloaded"/g)?.length).toBeLessThanOrEqual(looksAfterSignals ? 1 : 2)
  expect(output.stderr).not.toContain('Debugger')
})

test.each(['SIGTERM', 'SIGINT'] as const)('before anything is loaded %s ends it with 0', async (signal) => {
  const { child, output, closed, load } = await startLoading(...DAEMON)
  child.kill(signal)
  // The thread that waits to load has to end first.
  load()
  expect(await closed).toEqual([0, null])
  if (looksAfterSignals) expect(output).toEqual({ stdout: 'loading\n', stderr: '' })
  else expect(output.stdout).toMatch(/^loading\n(ready \S+\n)?$/)
})

test('a command ends by signals as programs do', async () => {
  const { child, closed } = await startLoading('config', 'check')
  child.kill('SIGINT')
  expect(await closed).toEqual([null, 'SIGINT'])
  expect(await runDaemon(['config', 'default'])).toMatchObject({ code: 0, stderr: '' })
})
