import { createRequire } from 'node:module'
import { FORBIDDEN } from '../limits.ts'

/** How results are printed: the same rows as a table, as data for programs, or as names alone. */

export const FORMATS = ['table', 'wide', 'json', 'jsonl', 'yaml', 'name'] as const
export type Format = (typeof FORMATS)[number]

/** For programs; the others are for people. */
export type DataFormat = 'json' | 'jsonl' | 'yaml'

export function isData(format: Format): format is DataFormat {
  return format === 'json' || format === 'jsonl' || format === 'yaml'
}

/** A value in a format for programs, with its line's end. */
export function dataText(format: DataFormat, value: unknown): string {
  if (format !== 'yaml') return `${toJson(value, format === 'json')}\n`
  // Only who asks for it waits until it is loaded.
  const { stringify }: typeof import('yaml') = createRequire(import.meta.url)('yaml')
  return stringify(JSON.parse(toJson(value)), { lineWidth: 0 })
}

export interface Column<Row> {
  readonly head: string
  readonly cell: (row: Row) => string | number | bigint | undefined
  /** It is on the right also where no row has one; where some row has, that is seen. */
  readonly isNumber?: true
  /** Shown only where there is to be more of everything. */
  readonly isWide?: true
}

/** What one kind of result looks like. */
export interface View<Row> {
  readonly columns: readonly Column<Row>[]
  /** What other commands take to mean this row. */
  readonly name: (row: Row) => string
}

export interface Output {
  readonly format: Format
  readonly headers: boolean
  readonly write: (text: string) => void
}

/** One result: for programs an object. */
export function printOne<Row>({ format, headers, write }: Output, view: View<Row>, row: Row): void {
  if (isData(format)) write(dataText(format, row))
  else if (format === 'name') write(`${view.name(row)}\n`)
  else write(table(columnsOf(view, format), [row], headers))
}

function columnsOf<Row>({ columns }: View<Row>, format: Format): readonly Column<Row>[] {
  return columns.filter(({ isWide }) => !isWide || format === 'wide')
}

/** A list of results: for programs an array, or with jsonl one a line. Only lines and names do not wait for the last one. */
export async function printAll<Row>(output: Output, view: View<Row>, rows: AsyncIterable<Row>): Promise<void> {
  const { format, headers, write } = output
  const kept: Row[] = []
  for await (const row of rows) {
    if (format === 'name' || format === 'jsonl') printOne(output, view, row)
    else kept.push(row)
  }
  if (format === 'json' || format === 'yaml') write(dataText(format, kept))
  if (format === 'table' || format === 'wide') write(table(columnsOf(view, format), kept, headers))
}

const FORBIDDEN_EACH = new RegExp(FORBIDDEN, 'gu')

/** Of a text that the daemon has of others, as a name in a certificate, no letter may move what a terminal shows. */
export const shown = (text: string): string => text.replace(FORBIDDEN_EACH, '\uFFFD')

/**
 * Columns are two spaces apart, numbers are on the right of theirs, nothing is behind the last; `-` is nothing. What users
 * name, however long it is and however wide its letters are, belongs in the last column, where it moves no other.
 */
export function tableLines<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  headers: boolean,
): readonly string[] {
  const texts = columns.map(({ head, cell, isNumber: isDeclared }) => {
    const cells = rows.map(cell)
    const isNumber = isDeclared || cells.some((value) => typeof value === 'number' || typeof value === 'bigint')
    const lines = cells.map((value) => (value === undefined || value === '' ? '-' : shown(String(value))))
    if (headers) lines.unshift(head)
    const width = lines.reduce((widest, line) => Math.max(widest, line.length), 0)
    return lines.map((line) => (isNumber ? line.padStart(width) : line.padEnd(width)))
  })
  const count = rows.length + (headers ? 1 : 0)
  return Array.from({ length: count }, (_, index) => {
    const cells = texts.map((lines) => lines[index] ?? '')
    return cells.join('  ').trimEnd()
  })
}

function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], headers: boolean): string {
  return tableLines(columns, rows, headers)
    .map((line) => `${line}\n`)
    .join('')
}

/** Names and their values, one per line; for programs one object. */
export function printFacts({ format, write }: Output, name: string, facts: Readonly<Record<string, unknown>>): void {
  if (isData(format)) write(dataText(format, facts))
  else if (format === 'name') write(`${name}\n`)
  else {
    const lines = Object.entries(facts).map(([key, value]) => ({ key: spaced(key), value: String(value) }))
    const columns: Column<(typeof lines)[number]>[] = [
      { head: '', cell: (line) => line.key },
      { head: '', cell: (line) => line.value },
    ]
    write(table(columns, lines, false))
  }
}

/** `freePending` as people write it. */
const spaced = (key: string): string => key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)

/** Numbers of 64 bits as strings, bytes in hexadecimal, times as in ISO 8601; what is not there is left out. */
function toJson(value: unknown, pretty = false): string {
  return JSON.stringify(value, toPlain, pretty ? 2 : undefined)
}

/** A Buffer is another thing by the time that it is the value: its holder has it as it is. */
function toPlain(this: Readonly<Record<string, unknown>>, key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  const { [key]: kept } = this
  return kept instanceof Uint8Array ? Buffer.from(kept).toString('hex') : value
}
