import type { Entry, SetName } from './event.ts'
import { pageOf, slotOf } from './id-pages.ts'
import { nameOf } from './lookup.ts'
import { lastUnbind, type PastFree, readFreed } from './past.ts'
import { AGED, BOUND, PLAIN, type Runs, type Stride, UNBOUND } from './runs.ts'
import { findId, type State } from './state.ts'

/** What a state and its entries tell of one id, and where its past goes on (past.ts). */

/** A life of an id. */
export interface PastLife {
  readonly set: SetName
  readonly generation: number
  readonly allocatedWallMs: number
  /** undefined: nobody has freed it. */
  readonly freed: PastFree | undefined
  /** The UNBIND of its last binding; 0: there was none, or it goes on. */
  readonly lastUnbind: number
}

/** A binding of an id. */
export interface PastBinding {
  readonly spid: number
  readonly bindRevision: number
  readonly boundWallMs: number
}

/** The life that an id is in, if any, and its binding, if any. */
export interface Present {
  readonly life: PastLife | undefined
  readonly binding: PastBinding | undefined
  /** Of an id that is free: the RECLAIM of its last life; 0: it never had one. */
  readonly lastReclaim: number
}

export function presentOf(state: State, id: number): Present {
  const page = pageOf(state.table, id)
  const record = findId(state.table, id)
  const set = record === undefined ? undefined : state.sets.get(record.setId)
  if (page === undefined || record === undefined || set === undefined) {
    return { life: undefined, binding: undefined, lastReclaim: page?.since[slotOf(id)] ?? 0 }
  }
  const { generation, spid, bindRevision, boundWallMs } = record
  const freed = page.pending.get(id)
  const ended = lastUnbind(state, id)
  const binding = ended === undefined ? { spid, bindRevision, boundWallMs } : undefined
  const allocatedWallMs = page.allocatedAt[slotOf(id)] ?? 0
  return {
    life: { set: nameOf(set), generation, allocatedWallMs, freed, lastUnbind: ended ?? 0 },
    binding,
    lastReclaim: 0,
  }
}

/** The life of an id that an entry's RECLAIM ends. */
export function endedLife(entry: Entry, id: number): PastLife | undefined {
  const found = find(entry, 'RECLAIM', AGED, 3, id)
  if (found === undefined) return undefined
  const { event, own, past } = found
  const [unbind = 0, allocatedWallMs = 0, freed = 0] = past
  return {
    set: event.set,
    generation: own[0] ?? 0,
    allocatedWallMs,
    freed: readFreed(freed),
    lastUnbind: unbind,
  }
}

/** The binding of an id that an entry's UNBIND ends. */
export function endedBinding(entry: Entry, id: number): PastBinding | undefined {
  const found = find(entry, 'UNBIND', UNBOUND, 1, id)
  if (found === undefined) return undefined
  const { own, past, index } = found
  const [spid = 0, , bindRevision = 0] = own
  return { spid: spid + index, bindRevision, boundWallMs: past[0] ?? 0 }
}

/** The RECLAIM of the life before the one that an entry's ALLOC begins; 0: none. */
export function lifeBefore(entry: Entry, id: number): number {
  return find(entry, 'ALLOC', PLAIN, 1, id)?.past[0] ?? 0
}

/** The UNBIND before an entry's BIND; 0: none in this life. */
export function bindingBefore(entry: Entry, id: number): number {
  return find(entry, 'BIND', BOUND, 1, id)?.past[0] ?? 0
}

type Kind = 'ALLOC' | 'BIND' | 'UNBIND' | 'RECLAIM'

/** An id in an entry's event of a kind: the attributes of its run there, its place in it, and those of its past. */
function find(entry: Entry, kind: Kind, stride: Stride, pastLength: number, id: number) {
  for (const [place, event] of entry.events.entries()) {
    if (event.kind !== kind) continue
    const own = runWith(event.runs, stride, id)
    if (own === undefined) continue
    const past = runWith(entry.past?.[place] ?? [], pastLength + 2, id)
    return { event, own: own.attributes, index: own.index, past: past?.attributes ?? [] }
  }
  return undefined
}

function runWith(runs: Runs, stride: number, id: number) {
  for (let offset = 0; offset < runs.length; offset += stride) {
    const index = id - (runs[offset] ?? 0)
    if (index >= 0 && index < (runs[offset + 1] ?? 0))
      return { index, attributes: runs.slice(offset + 2, offset + stride) }
  }
  return undefined
}
