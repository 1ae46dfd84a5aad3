import { figure, isKept, targetText } from './figures.ts'
import { median } from './median.ts'
import type { Row } from './row.ts'

const HEAD = ['row', 'median', 'spread', 'wanted', 'kept', 'unit', 'figures of the median round']
/** These are read as numbers, and end at the same place. */
const RIGHT = new Set([1, 2])

/** The rows as aligned lines, for a terminal and for README.md. */
export function table(rows: readonly Row[]): string {
  const lines = [HEAD, ...rows.map(cells)]
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          RIGHT.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function cells(row: Row): readonly string[] {
  const kept = isKept(row)
  const figures = Object.entries(row.figures).map(([name, value]) => `${name} ${figure(value)}`)
  return [
    row.name,
    figure(median(row.rounds)),
    row.rounds.length < 2 ? '' : `${figure(Math.min(...row.rounds))} – ${figure(Math.max(...row.rounds))}`,
    targetText(row),
    kept === undefined ? '' : kept ? 'yes' : 'NO',
    row.unit,
    figures.join('; '),
  ]
}
