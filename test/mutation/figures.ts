import { basename } from 'node:path'

/** What is told of one changed place, and of how the tests took it. */
export interface Told {
  readonly fileName: string
  readonly location: Range
  readonly mutatorName: string
  readonly replacement: string
  readonly status: string
}

interface Range {
  /** Lines and columns from 1; the end is the first place behind. */
  readonly start: { readonly line: number; readonly column: number }
  readonly end: { readonly line: number; readonly column: number }
}

/** A table by file, and every change that no test noticed. The score is the part of all changes that some test did. */
export function figures(mutants: readonly Told[], read: (file: string) => string): string {
  const tested = mutants.filter(({ status }) => status !== 'Ignored')
  const files = [...new Set(tested.map(({ fileName }) => fileName))].sort()
  const rows = files.map((file) =>
    row(
      basename(file),
      tested.filter(({ fileName }) => fileName === file),
    ),
  )
  const head = ['', 'changes', 'killed', 'timeout', 'survived', 'not run', 'score']
  const table = [head, ...rows, row('all', tested)].map(([name = '', ...cells]) =>
    [name.padEnd(24), ...cells.map((cell) => cell.padStart(9))].join(''),
  )
  const unnoticed = tested.filter(({ status }) => status !== 'Killed')
  return [...table, '', ...unnoticed.map((mutant) => sentence(mutant, read(mutant.fileName)))].join('\n')
}

function row(name: string, mutants: readonly Told[]): readonly string[] {
  const count = (...statuses: readonly string[]) => mutants.filter(({ status }) => statuses.includes(status)).length
  const score = (100 * count('Killed', 'Timeout')) / mutants.length
  const counts = [mutants.length, count('Killed'), count('Timeout'), count('Survived'), count('NoCoverage')]
  return [name, ...counts.map(String), `${score.toFixed(1)} %`]
}

function sentence({ fileName, location, mutatorName, replacement, status }: Told, source: string): string {
  const { start, end } = location
  const lines = source.split('\n').slice(start.line - 1, end.line)
  const last = lines.length - 1
  const text = lines.map((line, index) =>
    line.slice(index === 0 ? start.column - 1 : 0, index === last ? end.column - 1 : undefined),
  )
  const place = `${basename(fileName)}:${start.line}:${start.column}`
  return `${status} ${place} ${mutatorName}: ${short(text.join(' '))} -> ${short(replacement)}`
}

function short(text: string): string {
  const line = text.replace(/\s+/g, ' ')
  return line.length > 100 ? `${line.slice(0, 97)}...` : line
}
