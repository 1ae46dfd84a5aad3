import type { Command } from '../../server/core/command.ts'
import { asIoasid, asLeaseId, asSetId, asSpid } from '../../server/core/ids.ts'
import { ask } from '../core/model-sets.ts'
import { freshModel } from './cause.ts'
import type { History, Operation } from './history.ts'
import type { Ask, Item, Outcome, Read } from './record.ts'
import { answerShape, readModel } from './shapes.ts'
import { type Owners, snapshotOf, toldByModel } from './told.ts'

/** A history that a right daemon would have made, to be broken: one request a second, answered after half of it. */

type Mutable<Value> = { -readonly [Key in keyof Value]: Value[Key] }
export interface MadeItem {
  atMs: number
  item: Mutable<Item>
}
export interface Made extends Omit<History, 'operations' | 'log'> {
  operations: (Mutable<Operation> & { outcome: Outcome })[]
  log: { items: MadeItem[] } & Omit<History['log'], 'items'>
}

const IDLE = { capacity: 8, reuseDelayMs: 0, teardownTimeoutMs: 0, revision: 0, operations: [], streams: [] }
const everything = { all: true, tokens: [], setIds: [], types: [] }

const [vm, other, lease] = [asSetId(1), asSetId(2), asLeaseId(1)]
const whole = { min: asIoasid(0), max: asIoasid(7), privateData: null }
const terms = { name: 'holder', ttlMs: 60_000, onExpiry: 'RELEASE' } as const

/** Its order is its numbering: `r3` is the fourth request. */
const STORY: readonly (Command | Read)[] = [
  { kind: 'create_set', token: 'vm-a', quota: 4, leaseId: null },
  { kind: 'create_set', token: 'vm-b', quota: 2, leaseId: null },
  { kind: 'grant_lease', terms },
  { kind: 'allocate', setId: vm, count: 2, ...whole, spids: [asSpid(101), asSpid(102)] },
  { kind: 'acquire', set: { token: 'vm-a' }, ioasid: asIoasid(1), leaseId: lease },
  { kind: 'allocate', setId: other, count: 2, ...whole, spids: null },
  { kind: 'allocate', setId: other, count: 1, ...whole, spids: null },
  { kind: 'free', setId: vm, ioasids: [asIoasid(1)], generation: null },
  { kind: 'id', ioasid: 1, setId: undefined },
  { kind: 'free', setId: other, ioasids: [asIoasid(3)], generation: null },
  { kind: 'allocate', setId: vm, count: 1, ...whole, spids: null },
  { kind: 'status' },
  { kind: 'release', set: { token: 'vm-a' }, ioasid: asIoasid(1), leaseId: lease },
  { kind: 'attach_spid', setId: vm, ioasid: asIoasid(2), spid: asSpid(102), device: 'second' },
  { kind: 'detach_spid', setId: vm, ioasid: asIoasid(2), device: '' },
  { kind: 'detach_spid', setId: vm, ioasid: asIoasid(2), device: 'second' },
  { kind: 'set', ref: { token: 'vm-a' } },
  { kind: 'delete_set', setId: other, force: true },
  { kind: 'allocate', setId: vm, count: 1, ...whole, min: asIoasid(3), max: asIoasid(3), spids: null },
]

export const STEP_MS = 1_000

export function makeHistory(): Made {
  const log = {
    id: 'log',
    askedMs: 0,
    stream: { filter: everything, start: 0, hold: undefined },
    items: [] as MadeItem[],
  }
  const history: Made = { ...IDLE, operations: [], log, streams: [log] }
  const model = freshModel(IDLE)
  const owners: Owners = new Map()
  log.items.push(item(0, 'progress', 0, []))
  STORY.forEach((each, index) => {
    const invokedMs = (index + 1) * STEP_MS
    const before = model.revision
    const [asked, outcome] = answerTo(each)
    if (model.revision > before) {
      const told = toldByModel(model, owners, lastHappened)
      const kind = told.length > 0 ? 'revision' : 'progress'
      log.items.push(item(invokedMs + STEP_MS / 4, kind, model.revision, told))
    }
    const times = { invokedMs, lastInvokedMs: invokedMs, returnedMs: invokedMs + STEP_MS / 2, deadMs: Infinity }
    history.operations.push({ id: `r${index}`, ask: asked, outcome, ...times })
  })
  return { ...history, revision: model.revision, streams: [log, snapshotStream()] }

  function answerTo(each: Command | Read): [Ask, Outcome] {
    const isRead = /^(id|status|set)$/.test(each.kind)
    if (isRead) {
      const read = each as Read
      const seen = readModel(model, read)
      const revision = read.kind === 'status' ? model.revision : undefined
      return [{ kind: 'read', read }, 'refused' in seen ? refusal(seen) : { kind: 'answer', ...seen, revision }]
    }
    const command = each as Command
    const outcome = ask(model, command)
    const asked: Ask = { kind: 'change', requestId: `q${history.operations.length}`, command }
    if ('refused' in outcome) return [asked, refusal(outcome)]
    lastHappened = outcome.happened
    return [asked, { kind: 'answer', answer: answerShape(outcome.answer), revision: model.revision }]
  }

  function snapshotStream() {
    const endMs = (STORY.length + 2) * STEP_MS
    const { revision } = model
    const kinds = ['snapshotBegin', 'snapshot', 'snapshotEnd'] as const
    const items = kinds.map((kind) => item(endMs, kind, revision, kind === 'snapshot' ? snapshotOf(model) : []))
    const stream = { filter: everything, start: 'snapshot', hold: undefined } as const
    return { id: 'snapshot', askedMs: endMs - 1, stream, items }
  }
}

let lastHappened: Parameters<typeof toldByModel>[2] = []

function item(atMs: number, kind: Item['kind'], revision: number, events: readonly string[]): MadeItem {
  return { atMs, item: { kind, revision, events, overrun: [] } }
}

function refusal({ refused, facts }: { readonly refused: string; readonly facts: Record<string, string> }): Outcome {
  return { kind: 'refused', reason: refused, facts }
}
