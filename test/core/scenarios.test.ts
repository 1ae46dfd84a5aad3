import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ripen } from '../../server/core/rest.ts'
import { canonical, restore } from '../support/space.ts'
import { tellScenario } from './scenario.ts'

const folder = new URL('scenarios/', import.meta.url)

/** `UPDATE_SCENARIOS=1 npx vitest run …` writes what is printed now into the stories; read the difference before you keep it. */
const isUpdate = process.env['UPDATE_SCENARIOS'] === '1'

describe('a scenario prints what it says, and its log tells the same story again', () => {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.txt'))) {
    it(name.replace('.txt', '').replaceAll('-', ' '), () => {
      const file = new URL(name, folder)
      const written = readFileSync(file, 'utf8')
      const { text, running } = tellScenario(written)
      if (isUpdate) writeFileSync(file, text)
      else expect(text).toBe(written)

      const replayed = restore(undefined, running.log, running.state.config)
      if ('contradiction' in replayed) throw new Error(replayed.contradiction)
      ripen(replayed, running.nowMs)
      expect(canonical(replayed)).toStrictEqual(canonical(running.state))
    })
  }
})
