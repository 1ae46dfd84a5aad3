import type { Entry, Event } from '../../server/core/event.ts'
import { evolve } from '../../server/core/evolve.ts'
import { createState } from '../../server/core/reindex.ts'
import { ripen } from '../../server/core/rest.ts'
import { AGED, BOUND, idsOf, PLAIN, type Stride, UNBOUND } from '../../server/core/runs.ts'
import type { SpaceConfig } from '../../server/core/state.ts'
import type { Ledger } from '../crash/ledger.ts'
import { digestOf, type Found } from './examine.ts'

/** The one history that all images are beginnings of, put together from what was found on each. */
export interface History {
  /** Whether what was found goes with what was found before. */
  add(found: Found): readonly string[]
  /** What is wrong with the states that were found, and with what clients were told, seen from the whole history. */
  judge(space: SpaceConfig, ledger: Ledger): readonly string[]
  /** Wall time minus serving time, the most it was between two moments. */
  offsetMs(fromMs: number, toMs: number): number | undefined
}

export function createHistory(): History {
  const entries = new Map<number, { readonly entry: Entry; readonly text: string }>()
  const digests = new Map<number, Set<string>>()
  let name: string | undefined

  return {
    add: ({ entries: found, spaceId, revision, digest }) => {
      const wrong: string[] = []
      if (revision > 0) name ??= spaceId
      if (revision > 0 && name !== spaceId) wrong.push(`the space is ${spaceId}, and was ${name}`)
      for (const entry of found) {
        const text = JSON.stringify(entry)
        const known = entries.get(entry.revision)
        if (known !== undefined && known.text !== text)
          wrong.push(`revision ${entry.revision} is ${text}, and ${known.text}`)
        entries.set(entry.revision, { entry, text })
      }
      digests.set(revision, (digests.get(revision) ?? new Set()).add(digest))
      return wrong
    },
    judge: (space, ledger) => {
      const log = [...entries.values()].map(({ entry }) => entry).sort((a, b) => a.revision - b.revision)
      const gap = log.findIndex(({ revision }, index) => revision !== index + 1)
      if (gap !== -1) throw new Error(`no cut has seen revision ${gap + 1}: more cuts, or more history`)
      return [...wrongStates(log, digests, space), ...wrongAnswers(log, ledger), ...wrongStream(log, ledger)]
    },
    offsetMs: (fromMs, toMs) => {
      let most: number | undefined
      for (const { entry } of entries.values()) {
        if (entry.wallMs < fromMs || entry.wallMs > toMs) continue
        most = Math.max(most ?? Number.NEGATIVE_INFINITY, entry.wallMs - entry.servingMs)
      }
      return most
    },
  }
}

function wrongStates(log: readonly Entry[], digests: ReadonlyMap<number, Set<string>>, space: SpaceConfig): string[] {
  const wrong: string[] = []
  const state = createState(space)
  const compare = () => {
    const found = digests.get(state.revision)
    if (found === undefined) return
    if (found.size !== 1 || !found.has(digestOf(state))) wrong.push(`the state at ${state.revision} is not its log's`)
  }
  compare()
  for (const entry of log) {
    ripen(state, entry.servingMs)
    evolve(state, entry)
    compare()
  }
  return wrong
}

function wrongAnswers(log: readonly Entry[], { answers }: Ledger): string[] {
  return answers.flatMap(({ requestId, revision, event }) => {
    if (event === undefined) return []
    const { kind, ids } = event
    const happened = (log[revision - 1]?.events ?? []).filter((candidate) => candidate.kind === kind)
    const named = new Set(happened.flatMap(idsIn))
    const isThere = happened.length > 0 && ids.every((id) => named.has(id))
    return isThere ? [] : [`request ${requestId} was answered with ${kind} ${ids} at ${revision}, which it is not`]
  })
}

/** Each revision once, whole, and as it is in the log: what the one who only listens was told. */
function wrongStream(log: readonly Entry[], { told }: Ledger): string[] {
  const heard = new Map<number, readonly string[]>()
  const wrong: string[] = []
  let last = 0
  for (const { revision, lines } of told) {
    if (lines.length === 0) continue
    last = revision
    if (heard.has(revision)) wrong.push(`revision ${revision} was told twice`)
    heard.set(revision, lines)
  }
  for (const { revision, events } of log.slice(0, last)) {
    const lines = events.flatMap(linesOf).sort().join(', ')
    const found = [...(heard.get(revision) ?? [])].sort().join(', ')
    if (lines !== found) wrong.push(`revision ${revision} is ${lines}, and was told as ${found}`)
  }
  return wrong
}

const STRIDES: Readonly<Record<string, Stride>> = {
  ALLOC: PLAIN,
  DATA: PLAIN,
  BIND: BOUND,
  UNBIND: UNBOUND,
  FREE: AGED,
  RECLAIM: AGED,
}

function idsIn(event: Event): readonly number[] {
  if ('runs' in event) return idsOf(event.runs, STRIDES[event.kind])
  return 'ioasid' in event ? [event.ioasid] : []
}

function linesOf(event: Event): readonly string[] {
  switch (event.kind) {
    case 'SET_ALLOC':
    case 'SET_FREE':
    case 'SET_ADJUST':
      return [`${event.kind} ${event.set.token}`]
    case 'ALLOC':
    case 'BIND':
    case 'UNBIND':
    case 'FREE':
    case 'RECLAIM':
      return idsIn(event).map((id) => `${event.kind} ${id}`)
    default:
      return []
  }
}
