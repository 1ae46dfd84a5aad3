import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { repositoryRoot } from '../../support/repository.ts'
import { once } from './fake-io.ts'
import { answer } from './golden-daemon.ts'

const page = readFileSync(join(repositoryRoot, 'server/README.md'), 'utf8')
const shown = [...page.matchAll(/(?:^|`)ioasidctl ((?!--help)[a-z][^`\n]*)/gm)].map(([, line = '']) => line)

it.each([...new Set(shown)])(
  'what the page tells an operator, who has no handles, is no wrong use: ioasidctl %s',
  async (line) => {
    const argv = line.replace(/\b(N|REVISION)\b/, '7').split(' ')
    const { code, err } = await once({ answer }, ...argv)
    expect(code, err).not.toBe(2)
  },
)

it('the page shows commands', () => {
  expect(shown).toContain('history 4711 --at 14:05')
})
