import { expect, test } from 'vitest'
import { FLAGS } from '../../server/config.ts'
import { tableAfter } from '../support/readme.ts'

test('the README lists every flag of the daemon, its default, and what it is for', () => {
  const flags = Object.entries(FLAGS).map(([name, { kind, fallback, help }]) => {
    const value = kind.placeholder === '' ? '' : ` ${kind.placeholder}`
    const text = typeof fallback === 'string' ? fallback : fallback.text
    return [`\`--${name}${value}\``.replaceAll('|', '/'), text, help]
  })
  expect(tableAfter('### Flags of ioasidd')).toEqual(flags)
})
