import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { runCommand } from '../../server/commands.ts'
import { loadConfig, USAGE } from '../../server/config.ts'
import { parseConfigFile } from '../../server/config-file.ts'
import type { Flag, Host } from '../../server/config-flags.ts'
import { printConfig, printDefaults } from '../../server/config-print.ts'
import { readSources, type Setting, type Settings } from '../../server/config-sources.ts'
import { FLAGS } from '../../server/flags.ts'
import { tempDir } from '../support/daemon.ts'

const ADA: Host = { env: { HOME: '/home/ada', XDG_RUNTIME_DIR: '/run/user/1000' }, isRoot: false, isTerminal: false }
const ROOT: Host = { env: {}, isRoot: true, isTerminal: true }
const directory = tempDir()
const KEYS = Object.keys(FLAGS).filter((name) => name !== 'config')

function fileOf(name: string, content: string): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

async function config(words: readonly string[], host = ADA) {
  const end = await runCommand(['config', ...words], host)
  if (end === undefined) throw new Error('no command')
  return end
}

function valuesOf(argv: readonly string[], host: Host) {
  const read = readSources(FLAGS, USAGE, argv, host)
  if (read.kind !== 'values') throw new Error(JSON.stringify(read))
  return { ...read.values, config: '' }
}

describe('config default', () => {
  it.each([
    ['root', ROOT],
    ['a user', ADA],
  ])('loaded back it gives exactly the defaults, for %s', async (_, host) => {
    const { exitCode, output } = await config(['default'], host)
    expect(exitCode).toBe(0)
    const path = fileOf('default.yaml', output)
    expect(valuesOf(['--config', path], host)).toEqual(valuesOf([], host))
    const loaded = [['--config', path], []].map((argv) => loadConfig(argv, host))
    expect(loaded[0]).toMatchObject({ config: loaded[1]?.kind === 'config' ? loaded[1].config : undefined })
  })

  it('has each flag with its help, and as a comment what depends on the host', async () => {
    const { output } = await config(['default'])
    for (const name of KEYS) {
      const flag: Flag<unknown> = FLAGS[name as keyof typeof FLAGS]
      const key = output.split('\n').find((line) => line.replace('# ', '').startsWith(`${name}: `))
      expect(key?.startsWith('# '), name).toBe(typeof flag.fallback !== 'string')
      expect(output).toContain(`\n# ${flag.help}\n`)
    }
    expect(Object.keys(parse(output))).toEqual([
      'version',
      ...KEYS.filter((name) => typeof FLAGS[name as keyof typeof FLAGS].fallback === 'string'),
    ])
    expect(output).not.toMatch(/^config:/m)
  })

  it('is a file without what is commented out, and still one with it', () => {
    const text = printDefaults(FLAGS, { name: 'ioasidd', version: '0' }).replace(/^# ([a-z-]+: (?:\S+))$/gm, '$1')
    const { problems, settings } = parseConfigFile('x', text, FLAGS)
    expect(problems).toEqual([])
    expect([...settings.keys()].sort()).toEqual([...KEYS].sort())
  })
})

/** What a flag may be told, found by asking it. */
const SAMPLES = [
  ...['0', '1', '2', '64', '4096', '1048576', '5s', '1h', '200ms', '64KiB', '64MiB', '1GiB', '0,5-9', '7-8'],
  ...['true', 'false', 'rested', 'lowest', 'memory', 'lmdb', 'debug', 'warn', 'error', 'text', 'json', '', 'null', '~'],
  ...['127.0.0.1:7600', '[::1]:7600', 'unix:///run/x.sock', 'unix:///a b: c #d', 'unix:///"[x]', '/a/b', "it's", 'yes'],
  ...[
    'a: b',
    'a #b',
    '# a',
    '- a',
    '*a',
    '&a',
    '!a',
    '%a',
    '@a',
    '1_000',
    '0x10',
    '1e3',
    '12:30:00',
    '2026-01-01',
    ' x ',
  ],
]

function textsFor(flag: Flag<unknown>): fc.Arbitrary<readonly string[]> {
  const text = fc.oneof(fc.constantFrom(...SAMPLES), fc.string({ unit: 'binary', maxLength: 80 }), fc.string())
  const allowed = SAMPLES.filter((sample) => flag.kind.parse(sample) !== undefined)
  const one = text.map((any) =>
    flag.kind.parse(any) === undefined ? (allowed[any.length % allowed.length] ?? '') : any,
  )
  return flag.isList ? fc.array(one, { maxLength: 4 }) : one.map((only) => [only])
}

const settingsOf: fc.Arbitrary<Settings> = fc
  .record(Object.fromEntries(KEYS.map((name) => [name, textsFor(FLAGS[name as keyof typeof FLAGS])])))
  .map((texts) => {
    const origin = { kind: 'file', path: 'a\nb: #"', line: 7 } as const
    const entry = (name: string): [string, Setting] => {
      const given = texts[name] ?? []
      return [name, { texts: given, origin, value: FLAGS[name as keyof typeof FLAGS].read(given) }]
    }
    return new Map(KEYS.map(entry))
  })

describe('config print', () => {
  it('prints for every flag, whatever it was told, what --config reads as the same', () => {
    const property = fc.property(settingsOf, fc.boolean(), (settings, hasOrigins) => {
      const text = printConfig(FLAGS, settings, hasOrigins)
      const read = parseConfigFile('x', text, FLAGS)
      expect(read.problems).toEqual([])
      for (const [name, { texts }] of settings) expect(read.settings.get(name)?.texts, text).toEqual(texts)
      expect(text.split('\n')).toHaveLength(KEYS.length + 2)
    })
    fc.assert(property, { numRuns: 200 })
  })

  it('prints what every other reader of YAML takes for the same texts, numbers and truth', async () => {
    const words = ['--data-dir', 'no', '--capacity', '64', '--insecure', '--listen', '0.0.0.0:1', '--reserved', '5']
    for (const version of ['1.1', '1.2'] as const) {
      expect(parse((await config(['print', ...words])).output, { version })).toMatchObject({
        version: 1,
        'data-dir': 'no',
        capacity: 64,
        insecure: true,
        listen: ['0.0.0.0:1'],
        reserved: '5',
        'lease-grace': '5s',
      })
    }
  })

  it('gives the same configuration again, wherever its values are from', async () => {
    const path = fileOf('some.yaml', 'version: 1\nlease-grace: 7s\nlisten: ["[::1]:1", unix:///x]\n')
    const host = { ...ADA, env: { ...ADA.env, IOASIDD_RING: '1MiB', IOASIDD_RESERVED: '0,5-9' } }
    const words = ['--config', path, '--no-admin', 'unix:///x', '--capacity', '64']
    const again = fileOf('again.yaml', (await config(['print', ...words], host)).output)
    expect(valuesOf(['--config', again], ROOT)).toEqual(valuesOf(words, host))
  })

  it('says of each value where it is from, in one column', async () => {
    const path = fileOf('origins.yaml', 'version: 1\n\nlease-grace: 7s\nlisten: [unix:///x, "[::1]:1"]\n')
    const host = { ...ADA, env: { ...ADA.env, IOASIDD_RING: '1MiB' } }
    const { output } = await config(['print', '--show-origin', '--config', path, '--capacity', '64'], host)
    const lines = output.trimEnd().split('\n')
    expect(lines[0]).toMatch(/^version: 1 +# the form of the file$/)
    const told = lines.slice(1).map((line) => /^([a-z-]+): (.*?) +# (.*)$/.exec(line)?.slice(1))
    expect(told.map((parts) => parts?.[0])).toEqual(KEYS)
    const columns = new Set(lines.map((line) => line.indexOf(' # ')))
    // The longest line has two blanks before its comment.
    const widths = told.map((parts) => `${parts?.[0]}: ${parts?.[1]}`.length)
    expect(columns).toEqual(new Set([Math.max(...widths) + 1]))
    const given = told.filter((parts) => parts?.[2] !== 'default')
    expect(given).toEqual([
      ['listen', '[unix:///x, "[::1]:1"]', `${path}:4`],
      ['capacity', '64', 'flag'],
      ['lease-grace', '7s', `${path}:3`],
      ['ring', '1MiB', 'IOASIDD_RING'],
    ])
    expect(output).not.toMatch(/ +$/m)
  })

  it('warns in a comment of a variable that is no flag', async () => {
    const host = { ...ADA, env: { ...ADA.env, 'IOASIDD_X\nversion: 2': '1' } }
    const { output } = await config(['print'], host)
    expect(output).toMatch(/^# warning: IOASIDD_X version: 2 is set, but there is no such flag\nversion: 1\n/)
  })
})

describe('config check', () => {
  it('says ok and which file it was, and warns', async () => {
    const path = fileOf('right.yaml', 'version: 1\n')
    expect(await config(['check', '--config', path])).toEqual({ exitCode: 0, output: `ok: ${path}\n` })
    const host = { ...ADA, env: { ...ADA.env, IOASIDD_CAPACTY: '1' } }
    expect(await config(['check'], host)).toEqual({
      exitCode: 0,
      output: 'ok: no file\nwarning: IOASIDD_CAPACTY is set, but there is no such flag\n',
    })
  })

  it('says all that is wrong, a line each', async () => {
    const path = fileOf('wrong.yaml', 'version: 1\ncapcity: 3\npolicy: newest\n')
    expect(await config(['check', '--config', path, '--history', '0'])).toEqual({
      exitCode: 2,
      output: [
        `ioasidd: ${path}:2: there is no flag 'capcity': did you mean capacity?`,
        `ioasidd: ${path}:3: policy does not take 'newest': it takes rested or lowest.`,
        "ioasidd: --history does not take '0': it takes a whole number from 1 to 1,000,000,000.",
        '',
      ].join('\n'),
    })
  })

  it('says all that does not fit together', async () => {
    const words = ['--lease-ttl-min', '2s', '--lease-ttl-max', '1s', '--capacity', '16', '--reserved', '16']
    expect((await config(['check', ...words])).output.trimEnd().split('\n')).toHaveLength(2)
  })
})
