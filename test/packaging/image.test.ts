import { execFile, execFileSync, spawn } from 'node:child_process'
import {
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { tempDir } from '../support/daemon.ts'
import { launchFlags } from '../support/launch.ts'
import { copyProductionPackages, pack } from '../support/packed.ts'
import { repositoryRoot } from '../support/repository.ts'
import { argumentsOf, type Copy, commandOf, copies, environmentOf, stages } from './dockerfile.ts'

/**
 * The image without an engine: the tree that the Dockerfile describes, by its own COPY lines, with Node's shared libraries in
 * the place of the base; its commands run there under chroot, by the user that it names, or by nobody of consequence.
 */

const run = promisify(execFile)

// It packs, compiles and copies a whole program.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const [build = [], image = []] = stages(readFileSync(join(repositoryRoot, 'server/packaging/Dockerfile'), 'utf8'))
const environment = environmentOf(image)
const [user = ''] = argumentsOf(image, 'USER')
const entryPoint = commandOf(argumentsOf(image, 'ENTRYPOINT')[0] ?? '')
const healthCheck = commandOf(argumentsOf(image, 'HEALTHCHECK')[0] ?? '')

const TIMEOUT_MS = 30_000
let root: string

beforeAll(() => {
  root = join(tempDir(), 'root')
  const built = join(tempDir(), 'built')
  mkdirSync(join(built, 'empty'), { recursive: true })
  mkdirSync(join(built, 'opt/ioasidd'), { recursive: true })
  execFileSync('tar', ['-xzf', pack(built), '--strip-components=1', '-C', join(built, 'opt/ioasidd')])
  copyProductionPackages(join(built, 'opt/ioasidd'))
  for (const copy of copies(image)) place(copy, built)
  for (const library of librariesOf([process.execPath, ...addons(root)])) copyTo(library, join(root, library))
})

/** Of the stage that builds: what it is said to have made, and Node. */
function place({ from, owner, sources, target }: Copy, built: string): void {
  expect(from).toBe('build')
  for (const source of sources) {
    const to = join(root, target)
    if (source === '/usr/local/bin/node') copyTo(realpathSync(process.execPath), to)
    else cpSync(join(built, source), to, { recursive: true })
    const [uid, gid] = (owner ?? '0:0').split(':').map(Number)
    if (process.getuid?.() === 0) chownSync(to, uid ?? 0, gid ?? 0)
  }
}

function copyTo(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true })
  copyFileSync(from, to)
}

function addons(directory: string): readonly string[] {
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  // Those for musl would need its library.
  return paths.filter((path) => path.endsWith('.node') && !path.includes('musl')).map((path) => join(directory, path))
}

function librariesOf(programs: readonly string[]): readonly string[] {
  const listing = programs.map((program) => execFileSync('ldd', [program], { encoding: 'utf8' })).join('')
  return [...new Set([...listing.matchAll(/(?:=> |^\t)(\/\S+) \(/gm)].map(([, path = '']) => path))]
}

/** The command of an image, as a container would run it. Without root a namespace of one's own takes root's place. */
function inImage(command: readonly string[]): readonly [string, readonly string[]] {
  if (process.getuid?.() === 0) return ['/usr/sbin/chroot', [`--userspec=${user}`, root, ...command]]
  return ['/usr/bin/unshare', ['--user', '--map-root-user', '/usr/sbin/chroot', root, ...command]]
}

describe('the image', () => {
  it('is run by a user that is not root, by commands that need no shell', () => {
    expect(user).toMatch(/^[1-9]\d*:[1-9]\d*$/)
    expect(entryPoint.slice(1, -1)).toEqual(launchFlags(join(repositoryRoot, 'dist/server/main.js')))
    expect(existsSync(join(root, 'bin/sh'))).toBe(false)
    expect(argumentsOf(image, 'RUN')).toEqual([])
  })

  it('serves, is found healthy by its own check, and ends when it is told to', async () => {
    const [command, args] = inImage(entryPoint)
    const daemon = spawn(command, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
    onTestFinished(() => void daemon.kill('SIGKILL'))
    let said = ''
    for (const stream of [daemon.stdout, daemon.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text
      })
    }
    const ended = new Promise((resolve) => daemon.once('close', resolve))
    await expect.poll(() => said, { timeout: TIMEOUT_MS }).toContain(`ready ${environment['IOASIDD_LISTEN']}\n`)
    const [check, ...rest] = inImage(healthCheck)
    expect(await run(check, ...rest, { env: environment })).toMatchObject({ stdout: 'status  SERVING\n' })
    expect(statSync(join(root, environment['IOASIDD_DATA_DIR'] ?? '')).mode & 0o777).toBe(0o700)
    daemon.kill('SIGTERM')
    expect(await ended).toBe(0)
    const [again, ...others] = inImage(healthCheck)
    await expect(run(again, ...others, { env: environment })).rejects.toMatchObject({ code: 4 })
  })
})

describe('the stage that builds it', () => {
  const context = copies(build).flatMap(({ from, sources }) => (from === undefined ? sources : []))

  it('has all that the build needs, and the context nothing else', () => {
    const ignore = readFileSync(join(repositoryRoot, '.dockerignore'), 'utf8').split('\n')
    const kept = ignore.filter((line) => line.startsWith('!')).map((line) => line.slice(1))
    expect(ignore.filter((line) => line !== '' && !line.startsWith('#'))[0]).toBe('*')
    expect(kept.sort()).toEqual([...new Set(context)].sort())
  })

  it('makes the package that a checkout makes', async () => {
    const checkout = tempDir()
    for (const path of new Set(context)) {
      const isContext = (from: string) => !/\/(node_modules|proto\/gen)$/.test(from)
      cpSync(join(repositoryRoot, path), join(checkout, path), { recursive: true, filter: isContext })
    }
    symlinkSync(realpathSync(join(repositoryRoot, 'node_modules')), join(checkout, 'node_modules'))
    const [command = ''] = argumentsOf(build, 'RUN').filter((line) => line.startsWith('npm pack'))
    const directory = tempDir()
    await run('bash', ['-euc', command.replace('/tmp', directory)], { cwd: checkout })
    const [name = ''] = readdirSync(directory)
    const filesOf = (tarball: string) => execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).split('\n').sort()
    expect(filesOf(join(directory, name))).toEqual(filesOf(pack(tempDir())))
  })
})
