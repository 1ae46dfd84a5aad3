import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import * as sdk from '../../client/index.ts'
import { type Declared, publicApi } from './public-api.ts'

const RECORD = fileURLToPath(new URL('api.md', import.meta.url))

const { exported, reached } = publicApi()

const block = (declared: readonly Declared[]): string =>
  `\`\`\`ts\n${declared.map(({ text }) => text).join('\n\n')}\n\`\`\`\n`

function record(): string {
  return `# The public API of the SDK

What \`client/index.ts\` exports, by name. Made by \`UPDATE_API=1 npx vitest run --config test/vitest.config.ts
test/client/public-api.test.ts\`: whoever changes it reads the difference as a user of the former release would.

${block(exported)}
## What has a part in it, and no name of its own for users

${block(reached)}`
}

describe('the public API', () => {
  it('is the one that is on record', () => {
    if (process.env['UPDATE_API'] === '1') writeFileSync(RECORD, record())
    expect(record()).toBe(readFileSync(RECORD, 'utf8'))
  })

  it('is found whole: every value that the module has is in it', () => {
    const names = exported.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(Object.keys(sdk)))
    expect(names.length).toBeGreaterThan(60)
  })

  it.each(exported.map(({ name, comment }) => [name, comment]))(
    '%s is explained, with an example',
    (_name, comment) => {
      expect(comment).toMatch(/^\/\*\*\n \* [A-Z]/)
      expect(comment).toMatch(/\n \* @example\n \* \S/)
    },
  )
})
