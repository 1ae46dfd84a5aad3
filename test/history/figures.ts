import { type History, isChange } from './history.ts'

/** What there was to check, for people. */
export function figuresOf({ operations, streams, revision }: History): string {
  const count = (isCounted: (operation: (typeof operations)[number]) => boolean) => operations.filter(isCounted).length
  const changes = count((each) => isChange(each) && each.outcome.kind === 'answer')
  const reads = count((each) => !isChange(each) && each.outcome.kind === 'answer')
  const refusals = count(({ outcome }) => outcome.kind === 'refused')
  const unknown = count(({ outcome }) => outcome.kind === 'unknown')
  const retried = count(({ invokedMs, lastInvokedMs }) => invokedMs !== lastInvokedMs)
  const items = streams.flatMap((stream) => stream.items)
  const overruns = items.filter(({ item }) => item.overrun.length > 0).length
  return [
    `${revision} revisions, ${operations.length} requests: ${changes} changes, ${reads} reads, ${refusals} refusals,`,
    `${retried} sent again, ${unknown} of unknown outcome;`,
    `${streams.length} streams with ${items.length} items, ${overruns} told before their turn`,
  ].join(' ')
}
