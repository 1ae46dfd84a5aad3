import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { startDaemon, tempDir } from '../support/daemon.ts'
import { shellBlock } from '../support/readme.ts'
import { repositoryRoot } from '../support/repository.ts'

/** The package as a user gets it: packed, installed in an empty project without what is optional, and used there. */

const run = promisify(execFile)

// It starts npm and a compiler.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 240_000 })

let project: string
/** Every file of the package, relative to it. */
let files: readonly string[]
let address: string

beforeAll(async () => {
  const directory = tempDir()
  // As the README says it, but for the directory.
  const [pack = '', install = ''] = shellBlock('npm pack').replaceAll('/tmp', directory).split('\n')
  // What the build has made: the scripts would build again.
  const { stdout } = await run('bash', ['-euc', `${pack} --ignore-scripts --json`], { cwd: repositoryRoot })
  const [packed] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }]
  files = packed.files.map(({ path }) => path).sort()
  project = join(directory, 'project')
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{ "name": "empty", "private": true }')
  const quiet = '--prefer-offline --no-audit --no-fund --ignore-scripts'
  await run('bash', ['-euc', `${install} ${quiet}`], { cwd: project })
  address = (await startDaemon({ args: ['--store', 'memory'] })).address
})

const read = (path: string): string => readFileSync(join(project, 'node_modules/ioasidd', path), 'utf8')

/** What a file imports of the package itself. */
function imports(path: string): string[] {
  // From the beginning of a line, or awaited: what a bundle has in its comments imports nothing.
  const found = [
    ...read(path).matchAll(/^(?:(?:import|export)\b.*?\bfrom |import |.*\bawait import\()['"](\.{1,2}\/[^'"]+)['"]/gm),
  ]
  return found.map(([, name = '']) => join(dirname(path), name))
}

/** What is reached from a file, itself included. */
function reached(from: string, toFile: (imported: string) => string): string[] {
  const seen = new Set([from])
  for (const path of seen) for (const imported of imports(path)) seen.add(toFile(imported))
  return [...seen].sort()
}

describe('the package', () => {
  it('holds what its programs reach, the declarations of the public names with their sources, and the protocol', () => {
    const inSdk = (path: string) => /^dist\/client\/[^/]+\.js$/.test(path)
    const sdk = reached('dist/client/index.js', (imported) => imported)
    // Of types alone an empty script is left, which nobody imports.
    const isEmpty = (path: string) => /^(\/\*\*? .* \*\/\n)?export \{\};\n\/\/# sourceMappingURL=.*$/s.test(read(path))
    expect(files.filter((path) => inSdk(path) && !isEmpty(path))).toEqual(sdk.filter(inSdk))
    for (const program of ['dist/ioasidctl/main.js', 'dist/server/main.js']) {
      expect(files).toEqual(expect.arrayContaining(reached(program, (imported) => imported)))
    }

    const types = reached('dist/client/index.d.ts', (imported) => imported.replace(/\.ts$/, '.d.ts'))
    const sources = types.map((path) => path.replace(/^dist\//, '').replace(/\.d\.ts$/, '.ts'))
    const maps = types.map((path) => `${path}.map`)
    expect(files.filter((path) => path.endsWith('.ts') || path.endsWith('.map'))).toEqual(
      [...types, ...maps, ...sources].sort(),
    )
    for (const map of maps) {
      const [source = ''] = (JSON.parse(read(map)) as { sources: string[] }).sources
      expect(sources).toContain(join(dirname(map), source))
    }

    const rest = files.filter((path) => !/\.(js|ts|map|proto)$/.test(path))
    const pages = ['README.md', 'client/README.md', 'proto/README.md', 'server/README.md']
    const units = ['default', 'service', 'socket', 'sysusers'].map((kind) => `server/systemd/ioasidd.${kind}`)
    const forOperators = ['README.md', 'alerts.yaml', 'dashboard.json'].map((name) => `server/observability/${name}`)
    expect(rest).toEqual(
      ['LICENSE', ...pages, ...units, ...forOperators, 'dist/proto/gen/descriptor-set.binpb', 'package.json'].sort(),
    )
    expect(files.filter((path) => path.startsWith('test/') || path.includes('examples/'))).toEqual([])
  })

  it('brings nothing but what the client imports, where what is optional is left out', () => {
    expect(Object.keys(packageJson.dependencies).sort()).toEqual([
      '@grpc/grpc-js',
      // Of ioasidctl, which is the client, too.
      'commander',
      'protobufjs',
      'yaml',
    ])
    // grpc-js brings one of its own.
    const daemonOnly = Object.keys(packageJson.optionalDependencies).filter((name) => name !== '@grpc/proto-loader')
    const installed = readdirSync(join(project, 'node_modules'))
    for (const name of daemonOnly) expect(installed).not.toContain(name)
  })
})

const PROGRAM = `
  const client = connect({ endpoint: process.argv[2] })
  const { set } = await client.createSet({ quota: 4 })
  const { ioasids } = await client.allocate({ setHandle: set.setHandle, count: 2 })
  const error = await client.allocate({ setHandle: set.setHandle, count: 3 }).catch((thrown) => thrown)
  console.log(ioasids.length, error instanceof IoasidError, error.reason)
  await client.close()
`

async function node(name: string, program: string): Promise<string> {
  writeFileSync(join(project, name), program)
  const { stdout, stderr } = await run(process.execPath, [name, address], { cwd: project })
  // No warning either.
  expect(stderr).toBe('')
  return stdout
}

describe('installed from its tarball it', () => {
  it('is imported by an ES module', async () => {
    const program = `import { connect, IoasidError } from 'ioasidd'\n${PROGRAM}`
    expect(await node('program.mjs', program)).toBe('2 true QUOTA_EXCEEDED\n')
  })

  it('is required by a CommonJS module, and is the same there', async () => {
    const program = `const { connect, IoasidError } = require('ioasidd')
      async function main() {
        ${PROGRAM}
        console.log((await import('ioasidd')).IoasidError === IoasidError)
      }
      main()`
    expect(await node('program.cjs', program)).toBe('2 true QUOTA_EXCEEDED\ntrue\n')
  })

  it('has types for both, which need nothing else', async () => {
    const program = `
      import { connect, IoasidError, type Allocated } from 'ioasidd'
      export async function first(): Promise<number | undefined> {
        await using client = connect({ endpoint: 'host:1' })
        const { ioasids, revision }: Allocated = await client.allocate({ setHandle: 'handle' })
        const isLate: boolean = revision > 3n
        return isLate ? ioasids[0] : undefined
      }
      export const reason = (error: unknown) => error instanceof IoasidError && error.reason
    `
    for (const name of ['types.mts', 'types.cts']) writeFileSync(join(project, name), program)
    const tsc = join(repositoryRoot, 'node_modules/typescript/bin/tsc')
    const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--skipLibCheck', 'false']
    const types = ['--lib', 'es2022,esnext.disposable', '--types', 'node']
    await run(process.execPath, [tsc, ...flags, ...types, 'types.mts', 'types.cts'], { cwd: project }).catch(
      ({ stdout }: { stdout: string }) => expect(stdout).toBe(''),
    )
  })

  it('says what it lacks to be the daemon, where what is optional was left out', async () => {
    const daemon = run(join(project, 'node_modules/.bin/ioasidd'))
    await expect(daemon).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^ioasidd: the package \w+ is missing: install ioasidd without --omit=optional\n$/),
    })
  })

  it('brings ioasidctl', async () => {
    const ioasidctl = join(project, 'node_modules/.bin/ioasidctl')
    const { stdout } = await run(ioasidctl, ['--endpoint', address, '-o', 'json', 'status'])
    expect(JSON.parse(stdout)).toMatchObject({ version: packageJson.version })
  })
})
