import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const sources = '{proto,server,client,test}/**/*.ts'

type Cruise = {
  modules: { source: string }[]
  summary: { violations: { from: string; to: string; rule: { name: string } }[] }
}

function cruise(cwd: string): Cruise {
  const config = join(root, '.dependency-cruiser.cjs')
  const args = ['--config', config, '--output-type', 'json', sources]
  const { stdout, stderr } = spawnSync(join(root, 'node_modules/.bin/depcruise'), args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout)
}

function sourceFiles(): string[] {
  return ['proto', 'server', 'client', 'test']
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => {
      const paths = readdirSync(join(root, folder), { encoding: 'utf8', recursive: true })
      return paths.filter((path) => path.endsWith('.ts')).map((path) => `${folder}/${path}`)
    })
    .filter((path) => !path.startsWith('proto/gen/'))
}

// [file, what it imports, the rule that refuses it or undefined]
const cases: [string, string, string | undefined][] = [
  ['server/core/a.ts', './ids.ts', undefined],
  ['server/core/b.ts', 'node:fs', 'core-has-no-io'],
  ['server/core/c.ts', '../../proto/gen/root.ts', 'core-is-pure'],
  ['server/core/d.ts', 'pino', 'core-is-pure'],
  ['server/core/e.ts', '../config.ts', 'core-is-pure'],

  ['server/store/lmdb.ts', 'lmdb', undefined],
  ['server/store/lock.ts', 'koffi', undefined],
  ['server/store/a.ts', 'node:fs', undefined],
  ['server/store/b.ts', '../core/ids.ts', undefined],
  ['server/store/c.ts', 'lmdb', 'lmdb-in-one-file'],
  ['server/store/d.ts', 'koffi', 'lock-in-one-file'],
  ['server/store/e.ts', '../engine/clock.ts', 'store-knows-core-and-its-driver'],

  ['server/engine/clock.ts', 'node:crypto', undefined],
  ['server/engine/handles.ts', 'node:fs', 'engine-computes-only'],
  ['server/engine/a.ts', '../store/store.ts', undefined],
  ['server/engine/b.ts', 'node:crypto', 'engine-has-no-io'],
  ['server/engine/c.ts', '../store/lmdb.ts', 'engine-knows-core-and-the-store-interface'],
  ['server/engine/d.ts', '@grpc/grpc-js', 'engine-knows-core-and-the-store-interface'],
  ['server/engine/e.ts', '../../proto/load.ts', 'engine-knows-core-and-the-store-interface'],

  ['server/rpc/b.ts', '../../proto/load.ts', undefined],
  ['server/rpc/c.ts', '../store/store.ts', 'rpc-knows-engine-and-wire'],
  ['server/rpc/d.ts', '../config.ts', 'rpc-knows-engine-and-wire'],
  ['server/rpc/peer-credentials.ts', 'koffi', undefined],
  ['server/rpc/k.ts', 'koffi', 'credentials-in-one-file'],

  ['server/observability/exposition.ts', 'prom-client', undefined],
  ['server/observability/a.ts', '../engine/clock.ts', undefined],
  ['server/observability/b.ts', 'prom-client', 'prom-client-in-one-file'],
  ['server/observability/c.ts', '../store/lmdb.ts', 'observability-looks-on'],
  ['server/observability/d.ts', '@opentelemetry/api', 'opentelemetry-in-one-file'],
  ['server/rpc/e.ts', '../observability/a.ts', 'observed-from-outside'],

  ['server/main.ts', './store/lmdb.ts', 'signals-come-first'],
  ['server/g.ts', './store/lmdb.ts', undefined],
  ['server/a.ts', '../client/index.ts', 'server-is-no-client'],
  ['server/b.ts', '../test/support.ts', 'tests-are-leaves'],
  ['server/c.ts', 'fast-check', 'runtime-dependencies-are-declared'],
  ['server/d.ts', './gone.ts', 'resolvable'],
  ['server/e.ts', './f.ts', 'no-cycles'],
  ['server/f.ts', './e.ts', undefined], // a cycle is told of one of its files
  ['proto/a.ts', '../server/core/ids.ts', 'proto-stands-alone'],

  ['client/call.ts', '@grpc/grpc-js', undefined],
  ['client/a.ts', '../server/core/ids.ts', 'sdk-knows-the-wire'],
  ['client/b.ts', 'node:fs', 'sdk-has-no-io'],
  ['client/cli/a.ts', '../index.ts', undefined],
  ['client/cli/b.ts', 'commander', undefined],
  ['client/cli/c.ts', '../call.ts', 'cli-proves-the-sdk'],
  ['client/examples/a.ts', 'node:fs', undefined],
  ['client/examples/b.ts', '../call.ts', 'examples-stand-alone'],
]

describe('the arrow check', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'ioasidd-arrows-'))
  let refused: Map<string, string[]>

  beforeAll(() => {
    const write = (path: string, text: string) => {
      mkdirSync(dirname(join(scratch, path)), { recursive: true })
      writeFileSync(join(scratch, path), text)
    }
    for (const path of ['server/core/ids.ts', 'server/store/store.ts', 'server/config.ts', 'client/index.ts'])
      write(path, 'export type T = 1\n')
    for (const path of ['proto/load.ts', 'proto/gen/root.ts', 'test/support.ts']) write(path, 'export type T = 1\n')
    for (const [file, specifier] of cases) write(file, `import type { T } from '${specifier}'\nexport type U = T\n`)
    write('server/orphan.ts', 'export type T = 1\n')
    for (const path of ['package.json', 'tsconfig.json']) copyFileSync(join(root, path), join(scratch, path))
    symlinkSync(join(root, 'node_modules'), join(scratch, 'node_modules'))

    refused = new Map()
    for (const { from, rule } of cruise(scratch).summary.violations)
      refused.set(from, [...(refused.get(from) ?? []), rule.name])
  })
  afterAll(() => rmSync(scratch, { recursive: true }))

  for (const [file, specifier, rule] of cases)
    it(`${rule === undefined ? 'allows' : `refuses by ${rule}`} that ${file} imports ${specifier}`, () => {
      expect(refused.get(file) ?? []).toEqual(rule === undefined ? [] : expect.arrayContaining([rule]))
    })

  it('refuses a file without any arrow', () => {
    expect(refused.get('server/orphan.ts')).toEqual(['no-orphans'])
  })

  // With a compiler that it cannot use, dependency-cruiser finds no module and no fault.
  it('sees every source file of this repository', () => {
    const seen = new Set(cruise(root).modules.map((module) => module.source))
    const files = sourceFiles()
    expect(files).toContain('proto/load.ts')
    expect(files.filter((file) => !seen.has(file))).toEqual([])
  })
})
