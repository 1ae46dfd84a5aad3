import { rowOf } from './figures.ts'
import type { Row } from './row.ts'

/** A row of ratios, round by round, with both figures of the median round beside it. */
export function ratioRow<Name extends string>(
  head: Pick<Row, 'name' | 'unit' | 'target'>,
  rounds: readonly Readonly<Record<Name, number>>[],
  { ours, theirs, what }: { readonly ours: Name; readonly theirs: Name; readonly what: string },
): Row {
  return rowOf(
    head,
    rounds,
    (round) => round[ours] / round[theirs],
    (round) => ({ [`${ours}, ${what}`]: round[ours], [`${theirs}, ${what}`]: round[theirs] }),
  )
}
