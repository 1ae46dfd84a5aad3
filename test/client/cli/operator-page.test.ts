import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { repositoryRoot } from '../../support/repository.ts'
import { settle } from '../manual-clock.ts'
import { ioasidctl } from './fake-io.ts'
import { answer, backupBytes, toldBy } from './golden-daemon.ts'

const page = readFileSync(join(repositoryRoot, 'server/README.md'), 'utf8')
const shown = [...page.matchAll(/(?:^|`)ioasidctl ((?!--help)[a-z][^`\n]*)/gm)].map(([, line = '']) => line)

it.each([...new Set(shown)])(
  'what the page tells an operator, who has no handles, is no wrong use: ioasidctl %s',
  async (line) => {
    const file = line.includes('save') ? 'new.backup' : 'host.backup'
    const argv = line
      .replace(/\b(N|REVISION)\b/, '7')
      .replace('FILE', file)
      .split(' ')
    const cli = ioasidctl({ answer, files: { 'host.backup': backupBytes } })
    const code = cli.run(...argv)
    await settle()
    const [stream] = cli.streams
    for (const message of toldBy(stream?.path ?? '')) {
      if (message === undefined) stream?.end()
      else stream?.send(message)
    }
    expect(await code, cli.err()).not.toBe(2)
  },
)

it('the page shows commands', () => {
  expect(shown).toContain('history 4711 --at 14:05')
})
