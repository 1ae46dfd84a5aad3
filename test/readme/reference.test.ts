import { expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { REASONS } from '../../server/core/failure.ts'
import { tableAfter } from '../support/readme.ts'

test('the README names every reason of a refusal, with its status', () => {
  const told = tableAfter('### Errors').flatMap(([status = '', reasons = '']) => {
    return [...reasons.matchAll(/[A-Z_]{3,}/g)].map(([reason]) => [reason, status])
  })
  expect(Object.fromEntries(told)).toEqual(REASONS)
})

test('the README says why each dependency is there', () => {
  const told = tableAfter('### Dependencies').map(([name = '']) => name.replaceAll('`', ''))
  const { dependencies, optionalDependencies } = packageJson
  expect(told.sort()).toEqual(Object.keys({ ...dependencies, ...optionalDependencies }).sort())
})
