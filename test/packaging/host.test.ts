import { execFile, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readlinkSync, realpathSync, symlinkSync } from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { tempDir } from '../support/daemon.ts'
import { pack } from '../support/packed.ts'
import { fenced } from '../support/readme.ts'
import { repositoryRoot } from '../support/repository.ts'
import { environment, execStart, NODE, PACKAGE, readUnit } from '../support/unit-file.ts'

/** The layout of a host, made below a directory by the commands of the operators' page, and run from there. */

const run = promisify(execFile)
// It starts npm, which installs everything.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 })

const page = readFileSync(join(repositoryRoot, 'server/README.md'), 'utf8')
const section = page.slice(page.indexOf('\n## On a host\n'))
const [install = '', enable = ''] = fenced(section, 'sh')
const at = (path: string) => join(root, path)
let root: string

beforeAll(async () => {
  const directory = tempDir()
  root = join(directory, 'root')
  mkdirSync(root)
  pack(directory)
  // The registry is asked for what the cache does not have.
  const env = { ...process.env, DESTDIR: root, npm_config_prefer_offline: 'true', npm_config_audit: 'false' }
  await run('bash', ['-euc', install], { cwd: directory, env })
  mkdirSync(at('usr/bin'), { recursive: true })
  symlinkSync(realpathSync(process.execPath), at(NODE))
})

describe('the layout of a host', () => {
  it('has what the page says that it has', () => {
    const [, table = ''] = /^\| path \| what \|\n\|---\|---\|\n((?:\|.*\n)+)/m.exec(section) ?? []
    const rows = table
      .trim()
      .split('\n')
      .map((row) => row.split('|')[1] ?? '')
    const paths = rows.flatMap((row) => [...row.matchAll(/`(\/[^`]+)`/g)].map(([, path = '']) => path))
    // The last two are made when the units are started.
    expect(paths.filter((path) => !existsSync(at(path)))).toEqual(['/var/lib/ioasidd', '/run/ioasidd/ioasidd.sock'])
    expect(paths.length).toBeGreaterThan(6)
  })

  it('has units that systemd takes, with the user and the groups that they name', () => {
    // Below the directory, and nowhere else: both tools are told so.
    execFileSync('systemd-sysusers', [`--root=${root}`], { stdio: 'pipe' })
    expect(readFileSync(at('etc/passwd'), 'utf8')).toMatch(/^ioasidd:.*:\/var\/lib\/ioasidd:\/usr\/sbin\/nologin$/m)
    expect(readFileSync(at('etc/group'), 'utf8')).toMatch(/^ioasidd-clients:/m)
    const [command = ''] = enable.split('\n').filter((line) => line.startsWith('systemctl enable --now '))
    const units = command.replace('systemctl enable --now ', '').split(' ')
    execFileSync('systemctl', [`--root=${root}`, 'enable', ...units], { stdio: 'pipe' })
    for (const link of ['sockets.target.wants/ioasidd.socket', 'multi-user.target.wants/ioasidd.service']) {
      expect(readlinkSync(at(`etc/systemd/system/${link}`))).toBe(`/usr/lib/systemd/system/${basename(link)}`)
    }
  })

  it('runs: the service as its unit starts it, and the tool', async () => {
    const service = readUnit('ioasidd.service')
    const socket = join(tempDir(), 'ioasidd.sock')
    const variables = {
      ...environment(service),
      IOASIDD_LISTEN: `unix://${socket}`,
      IOASIDD_DATA_DIR: at('var/lib/ioasidd'),
    }
    const [node = '', ...args] = execStart(service, { node: at(NODE), package: at(PACKAGE) })
    const daemon = spawn(node, args, { env: variables, stdio: ['ignore', 'pipe', 'ignore'] })
    onTestFinished(() => void daemon.kill('SIGKILL'))
    let said = ''
    daemon.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const ended = new Promise((resolve) => daemon.once('close', resolve))
    await expect.poll(() => said, { timeout: 30_000 }).toBe(`ready unix://${socket}\n`)
    const env = { PATH: `${at('usr/bin')}:/usr/bin:/bin`, IOASIDCTL_ENDPOINT: `unix://${socket}` }
    expect((await run(at('usr/bin/ioasidctl'), ['health'], { env })).stdout).toBe('status  SERVING\n')
    daemon.kill('SIGTERM')
    expect(await ended).toBe(0)
  })
})
