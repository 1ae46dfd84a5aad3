import { readdirSync } from 'node:fs'
import fc from 'fast-check'

/**
 * The tests of the core as one file, the quick ones first: the first test that fails ends a run, and most mutants fail one
 * early. What is drawn is the same in every run, and a story that fails is not made shorter, since nobody reads it.
 */
fc.configureGlobal({ seed: 1, endOnFailure: true })

const folder = new URL('../core/', import.meta.url)

/** Sixteen million ids take a minute where every step of theirs is counted. */
const LEFT_OUT = ['largest-space.test.ts']

/** The costliest last. */
const COSTLY = [
  'runs.test.ts',
  'freeze.test.ts',
  'hold-cost.test.ts',
  'id-list.test.ts',
  'id-space.test.ts',
  'model.test.ts',
]

const files = readdirSync(folder).filter((file) => file.endsWith('.test.ts') && !LEFT_OUT.includes(file))
for (const file of files.toSorted((a, b) => COSTLY.indexOf(a) - COSTLY.indexOf(b))) {
  await import(new URL(file, folder).href)
}
