import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { once } from './fake-io.ts'

const world = { answer: () => ({ sets: [{ set_id: '1', token: 'vm-a', state: 'ACTIVE', create_revision: '9' }] }) }

const wrong: readonly (readonly [argv: readonly string[], says: string])[] = [
  [['set', 'list', '--nothing'], "unknown option '--nothing'"],
  [['set', 'list', '--prefx', 'a'], "unknown option '--prefx' (Did you mean --prefix?)"],
  [['lst'], "unknown command 'lst' (Did you mean list?)"],
  [['alloc', '--set-handle', 'h', '--count', 'x'], "option '--count <n>' argument 'x' is invalid."],
  [['set', 'adjust', '--set-handle', 'h'], "required option '--quota <n>' not specified"],
  [['get'], 'give an id, or --spid.'],
  [['status', '--deadline', 'x'], "option '--deadline <duration>' argument 'x' is invalid."],
  [['status', '--endpoint', 'nonsense:'], '--endpoint: '],
  [['set'], 'which command? Give one of those that --help lists.'],
]

describe('a wrong use', () => {
  it.each(wrong)('%j is told as an object with -o json, and as a sentence without it', async (argv, says) => {
    const { code, out, err } = await once({}, ...argv, '-o', 'json')
    expect({ code, out }).toEqual({ code: 2, out: '' })
    const { error } = JSON.parse(err)
    expect(error).toEqual({ reason: 'USAGE', message: expect.stringContaining(says) })
    expect(error.message).not.toMatch(/^error|\n/)
    // What is wrong may stand before the format.
    expect((await once({}, '-ojson', ...argv)).err).toBe(err)
    expect(await once({}, ...argv)).toMatchObject({ code: 2, err: expect.not.stringMatching(/^\{/) })
  })

  it('is told in each of the formats for programs', async () => {
    const { err } = await once({}, 'set', 'list', '--nothing', '-o', 'yaml')
    expect(parse(err)).toMatchObject({ error: { reason: 'USAGE' } })
    expect((await once({}, 'lst', '--output=jsonl')).err).toMatch(/^\{"error":.*\}\n$/)
  })

  it('of -o itself is told as a sentence, and so is what stands behind --', async () => {
    for (const argv of [
      ['-o', 'xml', 'status'],
      ['status', '-o'],
      ['set', 'get', '--', '-o', 'json'],
    ]) {
      expect(await once({}, ...argv)).toMatchObject({ code: 2, err: expect.stringMatching(/^error: /) })
    }
  })

  it('is not what --help is', async () => {
    const { code, out, err } = await once({}, 'set', '--help', '-o', 'json')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toContain('Usage: ioasidctl set')
  })
})

describe('-q', () => {
  it('prints names alone, unless a format is named: that goes first, wherever it stands', async () => {
    const names = (await once(world, 'set', 'list', '-q')).out
    expect(names).toBe('vm-a\n')
    for (const format of ['json', 'jsonl', 'yaml', 'table', 'wide', 'name']) {
      const { out } = await once(world, 'set', 'list', '-o', format)
      expect((await once(world, 'set', 'list', '-q', '-o', format)).out).toBe(out)
      expect((await once(world, '-o', format, 'set', 'list', '-q')).out).toBe(out)
      expect(out === names).toBe(format === 'name')
    }
  })
})
