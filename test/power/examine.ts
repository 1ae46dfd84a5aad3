import { createHash } from 'node:crypto'
import { type Config, loadConfig } from '../../server/config.ts'
import type { Entry } from '../../server/core/event.ts'
import { settledIds } from '../../server/core/holds.ts'
import { asLeaseId, asRevision } from '../../server/core/ids.ts'
import { violations } from '../../server/core/invariants.ts'
import type { State } from '../../server/core/state.ts'
import { isAnswerMark, readAnswers } from '../../server/engine/answers.ts'
import { openSpace } from '../../server/engine/open-space.ts'
import { readKey, requestKey } from '../../server/engine/request-digest.ts'
import { openLmdbStore } from '../../server/store/lmdb.ts'
import type { Mark, Store } from '../../server/store/store.ts'
import type { Ledger } from '../crash/ledger.ts'
import { canonical } from '../support/space.ts'

/** What a start finds on a disk, by the code that a start runs. */
export interface Found {
  readonly spaceId: string
  readonly revision: number
  readonly compactRevision: number
  /** All that the log still holds, those before the snapshot too. */
  readonly entries: readonly Entry[]
  /** The whole state, so that two can be compared. */
  readonly digest: string
  /** By request key: the revision answered. */
  readonly answers: ReadonlyMap<string, number>
  /** By lease: when it ends, in serving time. */
  readonly deadlines: ReadonlyMap<number, number>
  readonly state: State
  readonly violations: readonly string[]
}

export function configOf(flags: readonly string[]): Config {
  const loaded = loadConfig(['--data-dir', '/nowhere', ...flags], { env: {}, isRoot: true, isTerminal: false })
  if (loaded.kind !== 'config') throw new Error(`the flags are wrong: ${JSON.stringify(loaded)}`)
  return loaded.config
}

/** Opens a data directory as the daemon does. Rejects where the daemon would not start. */
export async function examine(dataDir: string, { space, limits }: Config): Promise<Found> {
  // Another name than that of the data: a start that takes a fresh one has lost the history.
  const store = await openLmdbStore({ dataDir, genesis: { spaceId: NEW_SPACE, handleKey: new Uint8Array(32) } })
  try {
    const answers = new Map<string, number>()
    const opened = await openSpace(overheard(store, answers), space, limits)
    if ('contradiction' in opened) throw new Error(opened.contradiction)
    const { state, spaceId, leaseMarks, compactRevision } = opened
    const entries = await logOf(store, compactRevision)
    const deadlines = new Map(leaseMarks.map(({ key, value }) => [leaseOf(key), Number(Buffer.from(value).toString())]))
    const found = { spaceId, revision: state.revision, compactRevision, entries, answers, deadlines, state }
    return { ...found, digest: digestOf(state), violations: violations(state) }
  } finally {
    await store.close()
  }
}

const NEW_SPACE = 'new'

/** Notes the answers that are kept while they are read. */
function overheard(store: Store, answers: Map<string, number>): Store {
  async function* listening(marks: AsyncIterable<Mark>): AsyncGenerator<Mark, void> {
    for await (const mark of marks) {
      if (isAnswerMark(mark.key)) {
        const kept = JSON.parse(Buffer.from(mark.value).toString()) as readonly { readonly key: string }[]
        for (const [index, { key }] of kept.entries())
          answers.set(readKey(key), readAnswers(mark.value)[index]?.revision ?? 0)
      }
      yield mark
    }
  }
  return {
    ...store,
    load: async () => {
      const loaded = await store.load()
      return { ...loaded, marks: listening(loaded.marks) }
    },
  }
}

async function logOf(store: Store, after: number): Promise<Entry[]> {
  const entries: Entry[] = []
  for (;;) {
    const chunk = await store.tail(asRevision(entries.at(-1)?.revision ?? after), 1 << 20)
    if (chunk.length === 0) return entries
    entries.push(...chunk)
  }
}

function leaseOf(key: string): number {
  return Number.parseInt(key.slice(key.indexOf('/') + 1), 16)
}

/** Without what follows from the time that has passed, or from how much of the log is kept. */
export function digestOf(state: State): string {
  const { ended, servingMs, resting, available, ...content } = canonical(state) as Readonly<Record<string, unknown>>
  return createHash('sha256').update(JSON.stringify(content)).digest('base64')
}

/** What had been answered or told before a moment and is missing in what a start found. */
export function missing(found: Found, ledger: Ledger, beforeMs: number): string[] {
  const wrong: string[] = []
  const answers = past(ledger.answers, beforeMs)
  const last = [...answers, ...past(ledger.told, beforeMs)].reduce((most, { revision }) => Math.max(most, revision), 0)
  if (found.revision < last) wrong.push(`revision ${last} was told of, and ${found.revision} is the last on the disk`)
  for (const { requestId, revision, acknowledged } of answers) {
    const kept = requestId === undefined ? revision : found.answers.get(requestKey('', requestId))
    if (kept !== revision) wrong.push(`request ${requestId} was answered ${revision}, and on the disk ${kept}`)
    if (acknowledged === undefined) continue
    const awaited = settledIds(found.state, asLeaseId(acknowledged.leaseId), asRevision(acknowledged.revision))
    if (awaited.length > 0) wrong.push(`lease ${acknowledged.leaseId} acknowledged ${acknowledged.revision} in vain`)
  }
  return wrong
}

/** Milliseconds: serving time goes by whole ones, and so does the wall clock that it is compared with. */
const CLOCK_SLACK_MS = 5

/** Renewals answered before a moment whose lease would end too early. `offsetMs`: wall time minus serving time, at most. */
export function shortened(
  { deadlines }: Pick<Found, 'deadlines'>,
  { renewals }: Ledger,
  beforeMs: number,
  offsetMs: (atMs: number) => number | undefined,
): string[] {
  return past(renewals, beforeMs).flatMap(({ sentMs, atMs, leaseId, ttlMs }) => {
    const offset = offsetMs(atMs)
    const promised = offset === undefined ? 0 : Math.floor(sentMs - offset + ttlMs - CLOCK_SLACK_MS)
    const deadline = deadlines.get(leaseId) ?? 0
    if (deadline >= promised) return []
    return [`lease ${leaseId} was renewed until ${promised}, and on the disk ends at ${deadline}`]
  })
}

function past<Item extends { readonly atMs: number }>(items: readonly Item[], beforeMs: number): readonly Item[] {
  return items.filter(({ atMs }) => atMs <= beforeMs)
}
