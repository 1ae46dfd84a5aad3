import { describe, expect, it } from 'vitest'
import { commandTree } from './command-tree.ts'
import { once } from './fake-io.ts'

const { program, leaves } = await commandTree()

describe('a default that help shows is one that may be given:', () => {
  it.each([{ path: 'ioasidctl', command: program }, ...leaves])('$path', ({ command }) => {
    for (const { long, parseArg, defaultValue, defaultValueDescription, argChoices } of command.options) {
      if (defaultValue === undefined || typeof defaultValue === 'boolean') continue
      const shown = defaultValueDescription ?? String(defaultValue)
      expect({ long, shown }).not.toEqual({ long, shown: '' })
      const taken = argChoices?.includes(shown) ? shown : parseArg?.(shown, undefined)
      expect({ long, taken }).toEqual({ long, taken: defaultValue })
    }
    expect(command.registeredArguments.map((argument) => argument.defaultValue ?? 'none')).not.toContain('')
  })
})

describe('help', () => {
  it.each(leaves)('$path: is what --help prints', async ({ path }) => {
    const words = path.split(' ')
    const { out } = await once({}, ...words, '--help')
    expect(await once({}, 'help', ...words)).toMatchObject({ code: 0, err: '', out })
  })

  it('is of a group too', async () => {
    const { out } = await once({}, 'lease', '--help')
    expect(await once({}, 'help', 'lease')).toMatchObject({ code: 0, err: '', out })
  })
})
