import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../server/config.ts'
import { parseConfigFile } from '../../server/config-file.ts'
import { FLAGS } from '../../server/flags.ts'
import { tempDir } from '../support/daemon.ts'

const HOST = { env: { HOME: '/home/ada' }, isRoot: false, isTerminal: false }
const directory = tempDir()
let files = 0

function fileOf(content: string | Uint8Array): string {
  const path = join(directory, `${files++}.yaml`)
  writeFileSync(path, content)
  return path
}

function load(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const loaded = loadConfig(argv, { ...HOST, env: { ...HOST.env, ...env } })
  if (loaded.kind !== 'config') throw new Error(JSON.stringify(loaded))
  return loaded
}

/** The lines below `version: 1`, the second of the file on. */
function problems(lines: string, argv: readonly string[] = []): readonly string[] {
  const path = fileOf(`version: 1\n${lines}\n`)
  const loaded = loadConfig(['--config', path, ...argv], HOST)
  return loaded.kind === 'usage' ? loaded.problems.map((problem) => problem.replaceAll(path, 'FILE')) : []
}

function fileProblems(content: string): readonly string[] {
  return parseConfigFile('FILE', content, FLAGS).problems
}

describe('of two sources the stronger one holds', () => {
  const sources = ['flag', 'variable', 'file', 'default'] as const
  const texts = { flag: '32', variable: '64', file: '128', default: '1048576' }
  const given = (kinds: readonly string[], name: string, values: Readonly<Record<string, string>>) => {
    const { flag = '', variable = '', file = '' } = values
    return load(
      [
        ...(kinds.includes('flag') ? [`--${name}`, flag] : []),
        ...(kinds.includes('file') ? ['--config', fileOf(`version: 1\n${name}: ${file}\n`)] : []),
      ],
      kinds.includes('variable') ? { [`IOASIDD_${name.toUpperCase()}`]: variable } : {},
    )
  }
  const pairs = sources.flatMap((strong, place) => sources.slice(place + 1).map((weak) => [strong, weak] as const))

  it.each(pairs)('%s before %s', (strong, weak) => {
    const { config, settings } = given([strong, weak], 'capacity', texts)
    expect(config.space.capacity).toBe(Number(texts[strong]))
    expect(settings.get('capacity')?.origin.kind).toBe(strong)
  })

  it('all at once: the flag', () => {
    expect(given(sources, 'capacity', texts).config.space.capacity).toBe(32)
  })

  it('a list as a whole', () => {
    const lists = { flag: '127.0.0.1:1', variable: '127.0.0.1:2, 127.0.0.1:3', file: '[127.0.0.1:4, 127.0.0.1:5]' }
    const listen = (...kinds: string[]) =>
      given(kinds, 'listen', lists).config.listeners.map(({ address }) => address.text)
    expect(listen('file')).toEqual(['127.0.0.1:4', '127.0.0.1:5'])
    expect(listen('variable', 'file')).toEqual(['127.0.0.1:2', '127.0.0.1:3'])
    expect(listen('flag', 'variable', 'file')).toEqual(['127.0.0.1:1'])
  })

  it('of the files that flag and variable name, the flag', () => {
    const [one, two] = [fileOf('version: 1\ncapacity: 3'), fileOf('version: 1\ncapacity: 4')]
    expect(load([], { IOASIDD_CONFIG: one })).toMatchObject({ file: one, config: { space: { capacity: 3 } } })
    expect(load(['--config', two], { IOASIDD_CONFIG: one })).toMatchObject({ file: two })
    expect(load(['--config', ''], { IOASIDD_CONFIG: one })).toMatchObject({ file: '' })
  })
})

describe('a file', () => {
  it('takes what the flags take, as texts, numbers, truth and lists', () => {
    const path = fileOf(`# a comment
version: 1
listen:
  - unix:///run/x.sock
  - "[::1]:7600"
no-admin: '[::1]:7600' # one of a list
data-dir: relative/data
capacity: 64
history: "500"
reserved: 0,5-9
lease-grace: 5s
insecure: true
`)
    const { config, settings } = load(['--config', path])
    expect(config.listeners).toMatchObject([{ isAdmin: true }, { address: { text: '[::1]:7600' }, isAdmin: false }])
    expect(config.dataDir).toBe('relative/data')
    expect(config.space).toMatchObject({
      capacity: 64,
      reserved: [
        [0, 0],
        [5, 9],
      ],
    })
    expect(config.limits).toMatchObject({ historyRevisions: 500, leaseGraceMs: 5000 })
    expect(settings.get('data-dir')?.origin).toEqual({ kind: 'file', path, line: 7 })
    expect(settings.get('insecure')?.value).toBe(true)
  })

  it('may say nothing but its version, in quotes too, and with a mark of its byte order', () => {
    const { config } = load([])
    for (const text of ['version: 1', '{version: 1}', "version: '1'\r\n", '\ufeff"version": 1\n...\n']) {
      expect(load(['--config', fileOf(text)]).config).toEqual(config)
    }
  })

  it('may turn a switch off, and a list', () => {
    const path = fileOf('version: 1\ninsecure: false\nno-admin: []\nreserved: ""\n')
    expect(load(['--config', path]).config).toEqual(load([]).config)
  })

  it('says where a value is from that does not fit the others', () => {
    expect(problems('capacity: 16\nreserved: 10-16')).toEqual([
      "FILE:3: reserved does not take '10-16': it takes ids of the space, 0 to 15.",
    ])
    expect(problems('reserved: 10-16', ['--capacity', '16'])).toHaveLength(1)
    expect(problems('listen: 0.0.0.0:1')).toEqual([expect.stringMatching(/^FILE:2: listen 0\.0\.0\.0:1 would serve/)])
    expect(problems('lease-ttl-min: 2s\nlease-ttl-max: 1s')[0]).toMatch(/^FILE:2: lease-ttl-min does not take/)
    const inEnv = loadConfig(['--capacity', '16'], { ...HOST, env: { ...HOST.env, IOASIDD_RESERVED: '16' } })
    expect(inEnv).toMatchObject({ sentence: expect.stringMatching(/^IOASIDD_RESERVED does not take/) })
  })
})

describe('what is wrong with a file is said with its line', () => {
  const cases: [string, string][] = [
    ['capcity: 3', "FILE:2: there is no flag 'capcity': did you mean capacity?"],
    ['data_dir: x', "FILE:2: there is no flag 'data_dir': did you mean data-dir?"],
    ['--data-dir: x', "FILE:2: there is no flag '--data-dir': did you mean data-dir?"],
    ['polciy: lowest', "FILE:2: there is no flag 'polciy': did you mean policy?"],
    ['zzz: 3', "FILE:2: there is no flag 'zzz': keys are the flags of ioasidd --help, without --."],
    ['constructor: 3', "FILE:2: there is no flag 'constructor': keys are the flags of ioasidd --help, without --."],
    ['<<: {capacity: 3}', "FILE:2: there is no flag '<<': keys are the flags of ioasidd --help, without --."],
    ['config: x', 'FILE:2: config is no key of the file that it names.'],
    ['? [a]\n: 1', 'FILE:2: a key is the name of a flag.'],
    ['capacity: 3\n\ncapacity: 4', "FILE:4: 'capacity' is there twice, first in line 2: a key is given once."],
    ['version: 1', "FILE:2: 'version' is there twice, first in line 1: a key is given once."],
    ['capacity: 1', "FILE:2: capacity does not take '1': it takes a whole number from 2 to 16,777,216."],
    ['capacity: 0x10', "FILE:2: capacity does not take '0x10': it takes a whole number from 2 to 16,777,216."],
    ['capacity: 1e3', "FILE:2: capacity does not take '1e3': it takes a whole number from 2 to 16,777,216."],
    ['capacity: [3]', 'FILE:2: capacity does not take a list: it takes a whole number from 2 to 16,777,216.'],
    ['capacity:', 'FILE:2: capacity has no value: it takes a whole number from 2 to 16,777,216.'],
    ['data-dir: ~', 'FILE:2: data-dir has no value: it takes a path.'],
    ['data-dir: null', 'FILE:2: data-dir has no value: it takes a path.'],
    ['data-dir: ""', "FILE:2: data-dir does not take '': it takes a path."],
    ['policy: {a: 1}', 'FILE:2: policy does not take keys and values: it takes rested or lowest.'],
    ['insecure: yes', "FILE:2: insecure does not take 'yes': it takes true or false."],
    [
      'log-level: "a\\nb"',
      "FILE:2: log-level does not take 'a\\nb': it takes debug or info or warn or error or fatal.",
    ],
    ['policy: &a lowest', 'FILE:2: the anchor &a is not allowed: write the value itself.'],
    ['policy: *a', 'FILE:2: the alias *a is not allowed: write the value itself.'],
    ['policy: !x lowest', 'FILE:2: the tag !x is not allowed: write the value itself.'],
    ['---\nversion: 1', 'FILE:2: the file is one document, without ---.'],
  ]
  it.each(cases)('%j', (lines, sentence) => expect(problems(lines)).toEqual([sentence]))

  it('no list where one is due', () => {
    expect(problems('listen:')).toEqual([
      expect.stringMatching(/^FILE:2: listen has no value: .* An empty list is \[\]\.$/),
    ])
    const mixed = problems('listen:\n  - unix:///x\n  - [unix:///y]')
    expect(mixed).toEqual([
      expect.stringMatching(/^FILE:2: listen does not take a list with something else than texts/),
    ])
    expect(problems('listen: [unix:///x, nowhere]')).toEqual([
      expect.stringMatching(/^FILE:2: listen does not take 'nowhere': it takes unix:/),
    ])
  })

  it('broken YAML', () => {
    expect(problems('a: [1')).toEqual([expect.stringMatching(/^FILE:\d: this is not YAML: [^\n]+[^.]\.$/)])
    expect(problems('\tcapacity: 3')).toEqual([expect.stringMatching(/^FILE:2: this is not YAML: Tabs/)])
  })

  it('no version, and another one: its keys may mean something else', () => {
    const missing = "FILE:1: version is missing: the file takes 'version: 1'."
    for (const text of ['', '# nothing\n', 'capacity: 3\n', '~']) expect(fileProblems(text), text).toEqual([missing])
    const other = "FILE:2: version does not take '2': this release reads version 1."
    expect(fileProblems('capcity: 3\nversion: 2\n')).toEqual([other])
    expect(fileProblems('version: [1]')).toEqual(['FILE:1: version does not take that: this release reads version 1.'])
  })

  it('no keys at all', () => {
    for (const text of ['hello', '- capacity\n']) {
      expect(fileProblems(text)).toEqual(["FILE:1: the file takes keys and values, and begins with 'version: 1'."])
    }
  })

  it('everything at once, in the order of the lines, and beside it what the other sources have', () => {
    const lines = 'capcity: 3\npolicy: newest\nring:\n'
    const found = problems(lines, ['--history', '0'])
    expect(found.map((problem) => problem.slice(0, 7))).toEqual(['FILE:2:', 'FILE:3:', 'FILE:4:', '--histo'])
  })

  it('also what a flag overrides: a file is right or wrong by itself', () => {
    expect(problems('capacity: 1', ['--capacity', '3'])).toHaveLength(1)
  })

  it('in a short line, whatever the file has in it', () => {
    const [problem = ''] = problems(`policy: ${'x'.repeat(10_000)}`)
    expect(problem.length).toBeLessThan(400)
    expect(problems(`${'x'.repeat(1000)}: 1`)[0]?.length).toBeLessThan(400)
  })

  it('without end: nested as deeply as a file can be', () => {
    for (const nested of ['['.repeat(200_000), '- '.repeat(100_000), '{a: '.repeat(50_000)]) {
      expect(fileProblems(`version: 1\nring: ${nested}`)).toHaveLength(1)
    }
  })
})

describe('a file that cannot be read is refused by its name', () => {
  it.each([
    ['that is not there', () => join(directory, 'none'), 'cannot be read (ENOENT)'],
    ['that is a directory', () => directory, 'is not a regular file'],
    ['that never ends', () => '/dev/zero', 'is not a regular file'],
    ['that is too large', () => fileOf(`version: 1\n${'#\n'.repeat(128 * 1024)}`), 'is larger than 256 KiB'],
    ['that is not UTF-8', () => fileOf(Uint8Array.of(0x76, 0xff, 0xfe)), 'is not UTF-8'],
  ])('%s', (_, pathOf, why) => {
    const path = pathOf()
    expect(loadConfig(['--config', path], HOST)).toMatchObject({
      problems: [`--config does not take '${path}': it ${why}.`],
    })
    expect(loadConfig([], { ...HOST, env: { ...HOST.env, IOASIDD_CONFIG: path } })).toMatchObject({
      problems: [`IOASIDD_CONFIG does not take '${path}': it ${why}.`],
    })
  })

  it('of the largest size it is read', () => {
    const text = 'version: 1\n'
    expect(load(['--config', fileOf(text + '#'.repeat(256 * 1024 - text.length))]).file).not.toBe('')
  })

  it('whose name no file can have', () => {
    expect(loadConfig(['--config', 'a\0b'], HOST)).toMatchObject({
      problems: ["--config does not take 'a\\u0000b': it takes the path of a file."],
    })
  })
})
