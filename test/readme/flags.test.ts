import { expect, test } from 'vitest'
import { FLAGS } from '../../server/flags.ts'
import { once } from '../client/cli/fake-io.ts'
import { tableAfter } from '../support/readme.ts'

test('the README lists every flag of the daemon, its default, and what it is for', () => {
  const flags = Object.entries(FLAGS).map(([name, { kind, fallback, help }]) => {
    const value = kind.placeholder === '' ? '' : ` ${kind.placeholder}`
    const text = typeof fallback === 'string' ? fallback : fallback.text
    return [`\`--${name}${value}\``.replaceAll('|', '/'), text, help]
  })
  expect(tableAfter('### Flags of ioasidd')).toEqual(flags)
})

test('the README lists every flag that all commands of ioasidctl have', async () => {
  const { out } = await once({}, '--help')
  const [section = ''] = /(?<=\nOptions:\n)(.+\n)+/.exec(out) ?? []
  const flags = [...section.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag]) => flag)
  const told = tableAfter('#### Flags of every command').flatMap(([cell = '']) => /--[a-z-]+/.exec(cell) ?? [])
  // These two are commands rather than flags of one.
  expect(['--version', ...told, '--help']).toEqual(flags)
})
