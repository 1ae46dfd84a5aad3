import { describe, expect, it } from 'vitest'
import { checkHistory } from './check.ts'
import type { History } from './history.ts'
import { type Made, makeHistory, STEP_MS } from './made-history.ts'
import type { Outcome } from './record.ts'

/** The rules that a history breaks, each once. */
function rulesOf(made: Made): string[] {
  return [...new Set(checkHistory(made satisfies History).map(({ rule }) => rule))].sort()
}

function broken(breakIt: (made: Made) => void): string[] {
  const made = makeHistory()
  breakIt(made)
  return rulesOf(made)
}

function operation(made: Made, id: string) {
  const found = made.operations.find((each) => each.id === id)
  if (found === undefined) throw new Error(`no ${id}`)
  return found
}

/** What was answered, with something else in it. */
function answerOf(made: Made, id: string, other: object, revision?: number): void {
  const found = operation(made, id)
  const { outcome } = found
  if (outcome.kind !== 'answer') throw new Error(`${id} was refused`)
  found.outcome = { ...outcome, answer: { ...outcome.answer, ...other }, revision: revision ?? outcome.revision }
}

const logItem = (made: Made, revision: number): number =>
  made.log.items.findIndex(({ item }) => item.kind === 'revision' && item.revision === revision)

const refused = (reason: string, facts: Record<string, string> = {}): Outcome => ({ kind: 'refused', reason, facts })

describe('the checker of histories', () => {
  it('finds nothing wrong with what a right daemon does', () => {
    expect(checkHistory(makeHistory() satisfies History)).toEqual([])
  })

  it('takes a request whose answer was lost for one that may have happened', () => {
    for (const id of ['r4', 'r9', 'r17']) {
      const unknown: Outcome = { kind: 'unknown', why: 'UNAVAILABLE' }
      expect(
        broken((made) => void Object.assign(operation(made, id), { outcome: unknown, returnedMs: Infinity })),
      ).toEqual([])
    }
  })

  it('takes the answer of a concurrent request for one of several states', () => {
    const isOld = (made: Made) => {
      const read = operation(made, 'r8')
      Object.assign(read, { invokedMs: read.invokedMs - 5 * STEP_MS, lastInvokedMs: read.invokedMs - 5 * STEP_MS })
      read.outcome = { kind: 'refused', reason: 'IOASID_NOT_FOUND', facts: { ioasid: '1' } }
    }
    expect(broken(isOld)).toEqual([])
  })

  it.each<[string, string, (made: Made) => void]>([
    ['an event that is missing', 'lost event', (made) => made.log.items.splice(logItem(made, 4), 1)],
    [
      'an event that is missing in its revision',
      'lost event',
      ({ log }) => {
        const at = log.items.findIndex(({ item }) => item.revision === 4)
        const found = log.items[at]
        if (found !== undefined) found.item.events = found.item.events.slice(1)
      },
    ],
    [
      'a heartbeat ahead of what was told',
      'lost event',
      (made) => {
        const [moved] = made.log.items.splice(logItem(made, 6), 1)
        if (moved === undefined) return
        made.log.items.push({ ...moved, item: { ...moved.item, kind: 'progress', events: [] } })
        made.log.items.sort((a, b) => a.item.revision - b.item.revision)
      },
    ],
    [
      'a revision told twice',
      'repeated event',
      ({ log }) => {
        const at = log.items.findIndex(({ item }) => item.revision === 6)
        log.items.splice(at, 0, ...log.items.slice(at, at + 1))
      },
    ],
    [
      'two revisions in the wrong order',
      'reordered event',
      ({ log }) => {
        const at = log.items.findIndex(({ item }) => item.revision === 6)
        log.items.splice(at, 2, ...log.items.slice(at, at + 2).reverse())
      },
    ],
    [
      'an event that never was',
      'invented event',
      ({ log }) => {
        const found = log.items.find(({ item }) => item.revision === 4)
        if (found !== undefined) found.item.events = [...found.item.events, 'ALLOC 5 of 1 vm-a, 4']
      },
    ],
    [
      'an event before its request',
      'event of the future',
      ({ log }) => {
        for (const each of log.items) if (each.item.revision <= 4) each.atMs -= 2 * STEP_MS
      },
    ],
    [
      'a snapshot without an id',
      'lost event',
      ({ streams }) => {
        const items = streams[1]?.items ?? []
        for (const each of items) Object.assign(each.item, { events: each.item.events.slice(0, -1) })
      },
    ],
    [
      'answers whose revisions changed places',
      'reordered answer',
      (made) => {
        answerOf(made, 'r13', {}, 12)
        answerOf(made, 'r14', {}, 11)
      },
    ],
    ['a read of a state that is gone', 'stale answer', (made) => answerOf(made, 'r8', { state: 'ACTIVE', ...BOUND })],
    ['a read of what never was', 'wrong read', (made) => answerOf(made, 'r8', { references: 7 })],
    [
      'a read of what comes later',
      'answer of the future',
      (made) => {
        const read = { kind: 'id', ioasid: 5, setId: undefined } as const
        Object.assign(operation(made, 'r8'), { ask: { kind: 'read', read } })
        operation(made, 'r8').outcome = { kind: 'answer', answer: LATER, revision: undefined }
      },
    ],
    ['an id that is still in use', 'early reuse', (made) => answerOf(made, 'r10', { ids: [1] })],
    ['an id of another set', 'two owners', (made) => answerOf(made, 'r10', { ids: [4] })],
    ['an answer of another count', 'wrong answer', (made) => answerOf(made, 'r12', { references: 1 })],
    [
      'a refusal for no reason',
      'wrong refusal',
      (made) => void Object.assign(operation(made, 'r6'), { outcome: refused('SET_DRAINING', { set_id: '2' }) }),
    ],
    [
      'a refusal with a wrong fact',
      'wrong refusal',
      (made) =>
        void Object.assign(operation(made, 'r6'), {
          outcome: refused('QUOTA_EXCEEDED', { set_id: '2', limit: '2', used: '1', requested: '1' }),
        }),
    ],
    [
      'one request_id with two answers',
      'happened twice',
      (made) => {
        const first = operation(made, 'r9')
        const again = { ...first, id: 'again', invokedMs: first.invokedMs + 600, returnedMs: first.invokedMs + 700 }
        if (first.outcome.kind !== 'answer') return
        made.operations.push({ ...again, outcome: { ...first.outcome, revision: 9 } })
      },
    ],
    [
      'a revision that nobody made',
      'unexplained revision',
      (made) => void made.operations.splice(made.operations.indexOf(operation(made, 'r9')), 1),
    ],
    [
      'one request that made two revisions',
      'unexplained revision',
      (made) => {
        for (const { item } of made.log.items) if (item.revision >= 9) item.revision += 1
      },
    ],
    ['an id that has not rested', 'early reuse', (made) => void Object.assign(made, { reuseDelayMs: 60_000 })],
  ])('names %s: %s', (_what, rule, breakIt) => {
    expect(broken(breakIt)).toContain(rule)
  })
})

const BOUND = { references: 1, devices: [''] }
const LATER = { ioasid: 5, setId: 1, token: 'vm-a', state: 'IDLE', references: 0, generation: 9, devices: [] }
