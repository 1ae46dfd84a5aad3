import { describe, expect, it } from 'vitest'
import { settle } from '../manual-clock.ts'
import { commandTree } from './command-tree.ts'
import { ioasidctl } from './fake-io.ts'
import type { Goldens } from './golden-case.ts'
import { answer, backupBytes, LEASE_HANDLE, SET_HANDLE, toldBy } from './golden-daemon.ts'
import { holderCases } from './golden-holders.ts'
import { operatorCases } from './golden-operator.ts'
import { tenantCases } from './golden-tenant.ts'

/** By command, each with what it prints as a table and as JSON, whole. */
const cases: Goldens = { ...tenantCases, ...holderCases, ...operatorCases }

/** Commands that print neither. */
const without: Readonly<Record<string, string>> = {
  completion: 'It prints a program for a shell: completion.test.ts has bash run it.',
  help: 'It prints what --help prints: help.test.ts.',
}

const env = { IOASIDCTL_SET_HANDLE: SET_HANDLE, IOASIDCTL_LEASE_HANDLE: LEASE_HANDLE }

/** Default: into a pipe. */
async function print(argv: readonly string[], world: Parameters<typeof ioasidctl>[0] = {}) {
  const cli = ioasidctl({ env, answer, files: { 'host.backup': backupBytes }, ...world })
  const code = cli.run(...argv)
  await settle()
  const [stream] = cli.streams
  for (const message of toldBy(stream?.path ?? '')) {
    if (message === undefined) stream?.end()
    else stream?.send(message)
  }
  expect(await code, cli.err()).toBe(0)
  return { out: cli.out(), err: cli.err(), isClosed: cli.isClosed() || cli.connected.length === 0 }
}

const jsonOf = (path: string, json: unknown): string =>
  // Events do not wait for the last one: each is a line.
  path === 'watch' && Array.isArray(json)
    ? json.map((event) => `${JSON.stringify(event)}\n`).join('')
    : `${JSON.stringify(json, null, 2)}\n`

const each = Object.entries(cases).flatMap(([path, goldens]) =>
  goldens.map((golden) => {
    const argv = [...path.split(' '), ...golden.argv]
    return { ...golden, path, argv, line: argv.join(' ') }
  }),
)

describe('what ioasidctl prints, for people and for programs:', () => {
  it.each(each)('$line', async ({ path, argv, table, json, err = '' }) => {
    const { out, ...rest } = await print(argv)
    expect(`\n${out}`).toBe(table)
    expect(rest).toEqual({ err, isClosed: true })
    expect((await print([...argv, '-o', 'json'])).out).toBe(jsonOf(path, json))
  })

  it('is a case for every command', async () => {
    const { leaves } = await commandTree()
    expect(leaves.length).toBeGreaterThan(20)
    expect([...Object.keys(cases), ...Object.keys(without)].sort()).toEqual(leaves.map(({ path }) => path).sort())
  })
})

describe('a line has at most 80 letters, 200 with -o wide, and nothing behind its last column:', () => {
  it.each(each)('$line', async ({ argv }) => {
    const beyond = (text: string, columns: number) =>
      text.split('\n').filter((line) => line.length > columns || line.endsWith(' '))
    expect(beyond((await print(argv)).out, 80)).toEqual([])
    expect(beyond((await print([...argv, '-o', 'wide'])).out, 200)).toEqual([])
  })
})

describe('a terminal gets what a pipe gets, however wide it is:', () => {
  // The page of top is another one there: top.test.ts.
  it.each(each.filter(({ path }) => path !== 'top'))('$line', async ({ argv, table }) => {
    for (const columns of [80, 200]) {
      const terminal = { size: () => ({ columns, rows: 24 }), wait: async () => {} }
      expect(`\n${(await print(argv, { terminal, progress: () => {} })).out}`).toBe(table)
    }
  })
})
