import { readdirSync, readFileSync, statSync } from 'node:fs'
import { Stryker } from '@stryker-mutator/core'
import { figures } from './figures.ts'

/**
 * Changes the core in one place after the other and says which changes no test of it notices: `npm run mutate`, or with
 * the files that are to be changed, `npm run mutate -- holds turn`. Most changes are noticed by a tenth of the stories
 * that are drawn; those that are not meet all of them. Both draw the same stories in every run.
 */

type Mutant = Awaited<ReturnType<Stryker['runMutationTest']>>[number]

const FOLDER = 'server/core/'
/** The more files are watched at once, the slower is every test of them. */
const PART_BYTES = 20_000

function run(mutate: readonly string[], partOfRuns: string): Promise<readonly Mutant[]> {
  process.env['PART_OF_RUNS'] = partOfRuns
  const stryker = new Stryker({
    mutate: [...mutate],
    testRunner: 'vitest',
    plugins: [import.meta.resolve('@stryker-mutator/vitest-runner')],
    vitest: { configFile: 'test/mutation/vitest.config.ts', related: false },
    // A wrong word in a message to people is seen by reading; every other change counts.
    mutator: { excludedMutations: ['StringLiteral'], plugins: [] },
    // What is copied: what the tests of the core need.
    ignorePatterns: [
      '**',
      '!package.json',
      '!server/core/**',
      '!test/core/**',
      '!test/support/**',
      '!test/mutation/**',
    ],
    coverageAnalysis: 'perTest',
    concurrency: 2,
    // Long, so that a busy machine kills nothing. A loop that never ends is stopped by counting, and much sooner.
    timeoutMS: 30_000,
    tempDirName: 'node_modules/.cache/stryker',
    reporters: ['progress-append-only'],
  })
  return stryker.runMutationTest()
}

function parts(files: readonly string[]): readonly (readonly string[])[] {
  const all: string[][] = []
  let left = 0
  for (const file of files) {
    const bytes = statSync(file).size
    if (all.length === 0 || bytes > left) {
      all.push([])
      left = PART_BYTES
    }
    all.at(-1)?.push(file)
    left -= bytes
  }
  return all
}

/** A change by its place and by what stands there instead. */
function nameOf({ fileName, location: { start, end }, mutatorName, replacement }: Mutant): string {
  const file = fileName.slice(fileName.indexOf(FOLDER))
  return [file, start.line, start.column, end.line, end.column, mutatorName, replacement].join(':')
}

/** Stryker counts the columns of what it is asked for from 0, those of what it tells from 1. */
function rangeOf({ fileName, location: { start, end } }: Mutant): string {
  return `${fileName.slice(fileName.indexOf(FOLDER))}:${start.line}:${start.column - 1}-${end.line}:${end.column - 1}`
}

const named = process.argv.slice(2).map((name) => `${FOLDER}${name}.ts`)
const files = named.length > 0 ? named : readdirSync(FOLDER).map((file) => `${FOLDER}${file}`)
const mutants = new Map<string, Mutant>()
const say = () => console.log(figures([...mutants.values()], (file) => readFileSync(file, 'utf8')))
const began = performance.now()
for (const part of parts(files)) {
  for (const mutant of await run(part, '0.1')) mutants.set(nameOf(mutant), mutant)
  say()
}
const survivors = [...mutants.values()].filter(({ status }) => status === 'Survived')
if (survivors.length > 0) {
  const again = await run([...new Set(survivors.map(rangeOf))], '1')
  for (const mutant of again)
    if (mutants.get(nameOf(mutant))?.status === 'Survived') mutants.set(nameOf(mutant), mutant)
}
say()
console.log(`${Math.ceil((performance.now() - began) / 60_000)} minutes`)
