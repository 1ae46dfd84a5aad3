import type { Stream } from './history.ts'
import type { Filter, Item } from './record.ts'
import type { Times } from './times.ts'
import { inOrderOfIds, isWellOrdered, matches, parse } from './told.ts'
import type { Violation } from './violation.ts'

/** What the order of changes says of what streams should have told. */
export interface Truth {
  /** By revision: its events. */
  readonly told: readonly (readonly string[])[]
  /** By revision at which a snapshot was told: what it holds. */
  readonly snapshots: ReadonlyMap<number, readonly string[]>
}

/** A stream is the order of changes, filtered: nothing missing, nothing twice, nothing else, and nothing ahead of time. */
export function streamViolations(stream: Stream, truth: Truth, times: Times): Violation[] {
  const { id, askedMs, stream: asked, items } = stream
  const { filter, start } = asked
  const found: Violation[] = []
  const report = (rule: string, what: string) => found.push({ rule, what: `stream ${id} of ${brief(filter)}: ${what}` })
  const heard = new Set<number>()
  let at: number | undefined
  let snapshot: string[] | undefined
  for (const { atMs, item } of items) {
    const { kind, revision, events } = item
    if (revision > times.possibleAt(atMs)) report('event of the future', `revision ${revision} was told at ${atMs} ms`)
    if (kind === 'snapshotBegin') snapshot = []
    else if (kind === 'snapshot') snapshot?.push(...events)
    else if (kind === 'snapshotEnd') {
      const holds = (truth.snapshots.get(revision) ?? []).filter((text) => matches(filter, text))
      differ('snapshot', revision, holds, snapshot ?? [], report)
      snapshot = undefined
      at = revision
    } else if (at === undefined) {
      // The first HEADER says from where on the subscription counts.
      const isLate = start === 'now' ? revision < times.toldBefore(askedMs) : revision !== start
      if (kind !== 'progress' || isLate) report('wrong start', `began with ${kind} ${revision}, asked for ${start}`)
      at = revision
    } else at = follow(item, at, heard, filter, truth, report)
    if (kind === 'revision') heard.add(revision)
  }
  return found
}

type Report = (rule: string, what: string) => void

function follow(
  item: Item,
  at: number,
  heard: ReadonlySet<number>,
  filter: Filter,
  { told }: Truth,
  report: Report,
): number {
  const { kind, revision, events } = item
  if (revision < at) {
    report(heard.has(revision) ? 'repeated event' : 'reordered event', `revision ${revision} was told after ${at}`)
    return at
  }
  const end = kind === 'progress' ? revision : revision - 1
  for (let missed = at + 1; missed <= end; missed++) {
    const lost = (told[missed] ?? []).filter((text) => matches(filter, text))
    if (lost.length > 0) report('lost event', `nothing was told of revision ${missed}: ${lost.join('; ')}`)
  }
  if (kind !== 'revision') return revision
  if (revision === at) report('repeated event', `revision ${revision} was told twice`)
  const expected = (told[revision] ?? []).filter((text) => matches(filter, text))
  differ('revision', revision, expected, events, report)
  if (!isWellOrdered(events)) report('reordered event', `within revision ${revision}: ${events.join('; ')}`)
  return revision
}

function differ(
  what: string,
  revision: number,
  expected: readonly string[],
  seen: readonly string[],
  report: Report,
): void {
  const about = (texts: readonly string[]) => `${what} ${revision}: ${texts.join('; ')}`
  const lost = expected.filter((text) => !seen.includes(text))
  const extra = seen.filter((text) => !expected.includes(text))
  const repeated = seen.filter((text, index) => seen.indexOf(text) !== index)
  if (lost.length > 0) report('lost event', about(lost))
  if (extra.length > 0) report('invented event', about(extra))
  if (repeated.length > 0) report('repeated event', about(repeated))
  if (lost.length + extra.length + repeated.length > 0) return
  if (inOrderOfIds(expected).join() !== inOrderOfIds(seen).join()) report('reordered event', about(seen))
}

function brief({ all, tokens, setIds, types }: Filter): string {
  return [all ? 'all' : [...tokens, ...setIds].join(','), ...types].join(' ')
}

/** Which ids a message tells the teardown of, and before whose turn it does not say that it is. */
export function tornDownIn({ events, overrun }: Item): number[] {
  const ids = events.map(parse).filter(({ type }) => type === 'UNBIND' || type === 'FREE')
  return [...new Set(ids.flatMap(({ ioasid }) => ioasid ?? []))].filter((id) => !overrun.includes(id))
}
