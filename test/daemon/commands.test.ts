import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { runCommand } from '../../server/commands.ts'
import type { Host } from '../../server/config-flags.ts'
import { runDaemon, tempDir } from '../support/daemon.ts'
import { repositoryRoot } from '../support/repository.ts'

const ADA: Host = { env: { HOME: '/home/ada' }, isRoot: false, isTerminal: false }

async function config(words: readonly string[]) {
  const end = await runCommand(['config', ...words], ADA)
  if (end === undefined) throw new Error('no command')
  return end
}

describe('commands', () => {
  it('are refused by naming those that there are', async () => {
    const unknown = await runCommand(['serve'], ADA)
    expect(unknown).toMatchObject({
      exitCode: 2,
      output: expect.stringMatching(
        /^ioasidd: there is no command 'serve': it takes config\b.*, or flags alone for the daemon\.\n$/,
      ),
    })
    expect(await runCommand(['constructor'], ADA)).toMatchObject({ exitCode: 2 })
    const three = 'it takes check, print or default.\n'
    expect(await config(['chekc'])).toEqual({ exitCode: 2, output: `ioasidd: config does not take 'chekc': ${three}` })
    expect(await config([])).toEqual({ exitCode: 2, output: 'ioasidd: config takes check, print or default.\n' })
  })

  it('are none where there are flags or nothing', async () => {
    expect(await runCommand([], ADA)).toBeUndefined()
    expect(await runCommand(['--capacity', '3'], ADA)).toBeUndefined()
  })

  it.each([[['check', '--show-origin']], [['default', '--capacity', '3']], [['default', 'x']], [['print', 'x']]])(
    'refuse what is not theirs: config %j',
    async (words) =>
      expect(await config(words)).toMatchObject({ exitCode: 2, output: expect.stringMatching(/--help\.\n$/) }),
  )

  it.each(['check', 'print', 'default'])('config %s has its own --help, with an example', async (name) => {
    const { exitCode, output } = await config([name, '--help'])
    expect(exitCode).toBe(0)
    expect(output).toMatch(new RegExp(`^Usage: ioasidd config ${name} \\[flags\\]\n`))
    expect(output).toContain(`Example: ioasidd config ${name}`)
    expect((await config(['--help'])).output).toMatch(new RegExp(`^ {2}${name} {2}`, 'm'))
  })
})

describe('the program', () => {
  it('runs a command instead of the daemon, and says on which output how it ended', async () => {
    const path = join(tempDir(), 'ioasidd.yaml')
    writeFileSync(path, 'version: 1\nstore: memory\n')
    const [right, wrong, unknown] = await Promise.all([
      runDaemon(['config', 'check', '--config', path]),
      runDaemon(['config', 'check', '--capacity', '1']),
      runDaemon(['serve']),
    ])
    expect(right).toMatchObject({ code: 0, stdout: `ok: ${path}\n`, stderr: '' })
    expect(wrong).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining("does not take '1'") })
    expect(unknown).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining("there is no command 'serve'"),
    })
  })

  it('lists the commands in --help', async () => {
    expect((await runDaemon(['--help'])).stdout).toMatch(/^Commands, each with its own --help:\n {2}config {2,}\S/m)
  })

  it('says the first thing that is wrong, and how to see the others', async () => {
    const { code, stderr } = await runDaemon(['--capacity', '1', '--history', '0', '--ring', 'x'])
    expect(code).toBe(2)
    expect(stderr).toMatch(/^ioasidd: --history does not.*\. \(ioasidd config check also names 2 more\.\)\n$/)
  })
})

it('a command about the configuration loads nothing of gRPC', async () => {
  const script = `
    import Module from 'node:module'
    import { runCommand } from './dist/server/commands.js'
    const host = { env: { HOME: '/' }, isRoot: false, isTerminal: false }
    const { exitCode } = await runCommand(['config', 'print'], host)
    const loaded = Object.keys(Module._cache)
    console.log(exitCode, loaded.some((path) => path.includes('/yaml/')), loaded.some((path) => /@grpc|lmdb|pino/.test(path)))`
  const options = { cwd: repositoryRoot }
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], options)
  expect(stdout).toBe('0 true false\n')
})
