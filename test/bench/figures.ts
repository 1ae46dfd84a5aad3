import { median } from './median.ts'
import type { Row } from './row.ts'

export interface Rate {
  readonly perSecond: number
}

/** Three digits that count, and of more than that whole numbers: 0.92, 13.4, 14,021. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

export function targetText({ target }: Row): string {
  if (target === undefined) return ''
  return `${target.kind === 'at least' ? '≥' : '≤'} ${target.value}`
}

/** Of the rounds' median, as it was measured and not as it is printed; undefined where nothing is wanted. */
export function isKept({ target, rounds }: Row): boolean | undefined {
  if (target === undefined) return undefined
  // A row without a round has NaN, which keeps nothing.
  return target.kind === 'at least' ? median(rounds) >= target.value : median(rounds) <= target.value
}

/** A row of one value a round, with the figures of the round that is the median. */
export function rowOf<Round>(
  head: Pick<Row, 'name' | 'unit' | 'target'>,
  rounds: readonly Round[],
  value: (round: Round) => number,
  figures: (round: Round) => Row['figures'],
): Row {
  const values = rounds.map(value)
  const middle = rounds[values.indexOf(median(values))]
  return { ...head, rounds: values, figures: middle === undefined ? {} : figures(middle) }
}
