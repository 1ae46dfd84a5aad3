import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { repositoryRoot } from '../support/repository.ts'

const run = promisify(execFile)

let stdout = ''

beforeAll(async () => {
  const told = await run('npm', ['run', '--silent', 'example', '--', 'life-cycle'], { cwd: repositoryRoot })
  stdout = told.stdout
}, 120_000)

/** The lines of the scene whose title begins so: `actor│ what it says`, `actor◂ what it is told`, and `— step`. */
function linesOf(title: string): readonly string[] {
  const scene = stdout.split('\n═══ ').find((part) => part.startsWith(title))
  if (scene === undefined) throw new Error(`no scene '${title}':\n${stdout}`)
  return scene.split('\n').map((line) => line.replace(/^(.{12}) ([│◂])/, (_, name, sign) => `${name.trim()}${sign}`))
}

/** Whenever the daemon was asked for the id: how many references, in what state; or free. */
const answers = (lines: readonly string[]) =>
  lines
    .flatMap((line) => /^example│ host PASID \d+: (?:references (\d+, \w+)|(free))/.exec(line)?.slice(1) ?? [])
    .filter(Boolean)

/** What the subscriber heard, a text for each revision. */
const events = (lines: readonly string[]) =>
  lines.flatMap((line) => /^events│ revision +\d+: (.*)/.exec(line)?.[1] ?? [])

/** Each is there once, one after the other. */
function expectInOrder(lines: readonly string[], ...wanted: readonly RegExp[]): void {
  const places = wanted.map((pattern) => lines.flatMap((line, index) => (pattern.test(line) ? [index] : [])))
  expect(places.map(({ length }) => length)).toEqual(wanted.map(() => 1))
  expect(places.flat()).toEqual(places.flat().sort((a, b) => a - b))
}

/** KVM has acknowledged before the IOMMU driver is told, and both before the id is reclaimed. */
const expectTeardownInOrder = (lines: readonly string[]) =>
  expectInOrder(
    lines,
    /^kvm│ UNBIND/,
    /^kvm◂ all vCPUs have left/,
    /^iommu driver│ UNBIND/,
    /^iommu driver◂ invalidation complete/,
    /^events│.*RECLAIM/,
  )

test('the references at steps 3 to 12 are those of the table', () => {
  const told: (readonly [string, string])[] = []
  let step = ''
  for (const line of linesOf('ALLOC, BIND, DMA, UNBIND, FREE')) {
    step = /^— Step (\d+)/.exec(line)?.[1] ?? step
    const answer = /^example│ .*?(?:references (\d+)|: (free)$)/.exec(line)
    if (answer !== null) told.push([step, answer[1] ?? answer[2] ?? ''])
  }
  expect(told).toEqual([
    ['3', '0'],
    ['4', '0'],
    ['5', '2'],
    ['6', '2'],
    ['7', '3'],
    ['8', '2'],
    ['9', '2'],
    ['10', '1'],
    ['11', '0'],
    ['12', 'free'],
  ])
})

test('whoever the guest PASID concerns does its part in the order of the table', () => {
  const lines = linesOf('ALLOC, BIND, DMA, UNBIND, FREE')
  expect(events(lines)).toEqual(['SET_ALLOC', 'ALLOC 1', 'BIND 101→1', 'UNBIND 101→1', 'FREE 1, RECLAIM 1'])
  expectInOrder(lines, /^kvm│ BIND 101→1 +table: 101→1$/, /^kvm│ UNBIND 101→1 +table: empty$/)
  expectInOrder(
    lines,
    /^iommu driver│ bound guest PASID 101 to host PASID 1 /,
    /^device model│ the queue has host PASID 1$/,
    /^device model│ released host PASID 1/,
    /^iommu driver◂ unbind 1$/,
    /^kvm◂ all vCPUs have left/,
    /^vmm│ freed host PASID 1: references 0, FREE$/,
  )
  expectTeardownInOrder(lines)
})

test('ALLOC, FREE: what was never bound is reclaimed at once, and no holder hears of it', () => {
  const lines = linesOf('ALLOC, FREE')
  expect(answers(lines)).toEqual(['0, IDLE', 'free'])
  expect(events(lines)).toEqual(['ALLOC 2', 'FREE 2, RECLAIM 2'])
  expect(lines.filter((line) => /^(kvm|iommu driver|device model)│/.test(line))).toEqual([])
})

test('ALLOC, BIND, FREE: an id that is freed while it is bound waits for both holders', () => {
  const lines = linesOf('ALLOC, BIND, FREE')
  expect(answers(lines)).toEqual(['2, ACTIVE', '2, FREE_PENDING', '1, FREE_PENDING', 'free'])
  expect(events(lines)).toEqual(['ALLOC 3', 'BIND 101→3', 'UNBIND 101→3, FREE 3', 'RECLAIM 3', 'SET_FREE'])
  const [, both, one] = lines.filter((line) => line.startsWith('example│ host PASID'))
  expect(both).toContain('kvm vm-a (awaited)')
  expect(both).toContain('iommu driver vm-a (awaited)')
  expect(one).toMatch(/FREE_PENDING: iommu driver vm-a \(awaited\)$/)
  expectTeardownInOrder(lines)
})

test('ALLOC, BIND, DMA, FREE: the set of a killed VMM is gone when everybody has let go, the dead by their leases', () => {
  const lines = linesOf('ALLOC, BIND, DMA, FREE')
  const pending = ['3, FREE_PENDING', '2, FREE_PENDING', '1, FREE_PENDING']
  expect(answers(lines)).toEqual(['2, ACTIVE', '3, ACTIVE', ...pending, 'free'])
  const wholeLife = ['SET_ALLOC', 'ALLOC 4', 'BIND 101→4', 'UNBIND 101→4, FREE 4', 'RECLAIM 4, SET_FREE']
  expect(events(lines)).toEqual(wholeLife)
  expectTeardownInOrder(lines)
  expectInOrder(
    lines,
    /^— kill -9 of the VMM/,
    /^kvm│ UNBIND/,
    /^example│ set of vm-a: references 3, DRAINING/,
    /^iommu driver│ UNBIND/,
    /^example│ set of vm-a: references 1, DRAINING/,
    /^— kill -9 of the device model/,
    /^events│.*SET_FREE/,
    /^example│ set of vm-a: gone$/,
  )
})

test('a consumer that is killed before it acknowledged keeps the id, and the next in order waiting, until its lease ends', () => {
  const lines = linesOf('A consumer dies')
  // The token of the set that has drained is free again.
  expectInOrder(lines, /^vmm│ made set 3 /, /^kvm│ BIND 101→5/, /^kvm│ UNBIND 101→5/)
  const pending = ['2, FREE_PENDING', '2, FREE_PENDING', '1, FREE_PENDING']
  expect(answers(lines)).toEqual(['2, ACTIVE', ...pending, 'free'])
  expect(events(lines)).toEqual(['SET_ALLOC', 'ALLOC 5', 'BIND 101→5', 'UNBIND 101→5, FREE 5', 'RECLAIM 5'])
  expect(lines).not.toContain('kvm◂ all vCPUs have left')
  expectInOrder(
    lines,
    /^kvm│ UNBIND/,
    /^— The lease ends/,
    /^iommu driver│ UNBIND/,
    /^iommu driver◂ invalidation complete/,
    /^events│.*RECLAIM/,
  )
})

test('a daemon that is killed in the middle of a teardown goes on with it in order', () => {
  const lines = linesOf('The daemon dies')
  const pending = ['2, FREE_PENDING', '2, FREE_PENDING', '1, FREE_PENDING']
  expect(answers(lines)).toEqual(['2, ACTIVE', ...pending, 'free'])
  expect(events(lines)).toEqual(['ALLOC 6', 'BIND 101→6', 'UNBIND 101→6, FREE 6', 'RECLAIM 6', 'SET_FREE'])
  expectInOrder(lines, /^kvm│ UNBIND/, /^ioasidd│ ready/, /^kvm◂ all vCPUs/, /^iommu driver│ UNBIND/)
  expectTeardownInOrder(lines)
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('Done.')
})

test('the subscriber hears of the revisions in their order, over all deaths', () => {
  const revisions = [...stdout.matchAll(/^events +│ revision +(\d+): /gm)].map(([, revision]) => Number(revision))
  expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b))
})

test('no handle is told', () => {
  expect(stdout).not.toMatch(/(set|lease)-[\w-]{32}/)
})

test('a story that does not exist is refused with the names of those that do', async () => {
  const refused = run(process.execPath, [join(repositoryRoot, 'dist/client/examples/run.js'), 'nonsense'])
  await expect(refused).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/'nonsense'.*two-vms, life-cycle/),
  })
})
