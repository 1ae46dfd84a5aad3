import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BUGS } from './bugs.ts'
import { createGarden, type Garden } from './garden.ts'

/** Seeds until one must have found it: PLANTED_SEEDS for a longer look. */
const SEEDS = Number(process.env['PLANTED_SEEDS'] ?? 400)

let garden: Garden
beforeAll(() => {
  garden = createGarden()
})
afterAll(() => garden.close())

describe('a planted bug is found by the simulation, and by name', () => {
  it.each(BUGS.map((bug) => [bug.name, bug] as const))('%s', async (name, bug) => {
    const found = await garden.find(bug, SEEDS)
    if (found === null) throw new Error(`not found in ${SEEDS} seeds`)
    console.log(`${name}: ${found.checker} with seed ${found.seed}: ${found.sentence}`)
    expect(bug.by).toContain(found.checker)
  })
})

it('there are many of them, and no two have a name', () => {
  expect(BUGS.length).toBeGreaterThanOrEqual(25)
  expect(new Set(BUGS.map(({ name }) => name)).size).toBe(BUGS.length)
})
