import { createEndedSets, type EndedSets } from './ended-sets.ts'
import { indexHolder } from './evolve-holds.ts'
import { append, EMPTY_LIST } from './id-list.ts'
import { createIdTable, forEachTwins, type IdPage, type IdTable, ownPageOf, PAGE_IDS, slotOf } from './id-pages.ts'
import { createIdSpace, type IdSpace } from './id-space.ts'
import { asLeaseId, asRevision, asSetId, type LeaseId, NO_LEASE, NO_SPID, type Revision, type SetId } from './ids.ts'
import { addTo } from './multimap.ts'
import { addOwned, claimOf, createOwned } from './owned.ts'
import { sortFree } from './rest.ts'
import { type FreeRun, NOTHING_RETURNS } from './returning.ts'
import { addSpid, createSpidIndex, makeRoom, type SpidIndex } from './spid-index.ts'
import { isReserved, type LeaseRecord, type SetRecord, type SpaceConfig, type State } from './state.ts'

/**
 * What a snapshot holds: all of a state that cannot be computed from the rest. A state that is made of it takes it over,
 * pages and maps: a base must share neither with anything else, a frozen view for example.
 */
export interface Base {
  readonly revision: Revision
  readonly lastSetId: SetId
  readonly lastLeaseId: LeaseId
  readonly servingMs: number
  readonly sets: Map<SetId, SetRecord>
  readonly endedSets: EndedSets
  readonly leases: Map<LeaseId, LeaseRecord>
  readonly table: IdTable
}

/** A configuration that the data contradict: a daemon must not start on it. */
export interface Contradiction {
  readonly contradiction: string
}

export function emptyBase(capacity: number): Base {
  return {
    revision: asRevision(0),
    lastSetId: asSetId(0),
    lastLeaseId: asLeaseId(0),
    servingMs: 0,
    sets: new Map(),
    endedSets: createEndedSets(),
    leases: new Map(),
    table: createIdTable(capacity),
  }
}

/** The space before its first change. The configuration was checked, so there is nothing for it to contradict. */
export function createState(config: SpaceConfig): State {
  const state = reindex(emptyBase(config.capacity), config)
  if ('contradiction' in state) throw new Error(state.contradiction)
  return state
}

/**
 * A state to replay a log into, before it is known what the log ends with: an id that the present configuration reserves,
 * or that is beyond its capacity, may have lived and gone. So it forbids nothing and keeps no free ids. It is no state to
 * decide on; `reindex` makes one of it when the log has ended.
 */
export function createReplay(base: Base): State {
  const state = index(base, ANYTHING_GOES)
  if ('contradiction' in state) throw new Error(state.contradiction)
  return state
}

/** The largest capacity that can be configured. */
const WIDEST = 2 ** 24

export const ANYTHING_GOES: SpaceConfig = {
  capacity: WIDEST,
  reserved: [],
  policy: 'lowest',
  reuseDelayMs: 0,
  maxSets: Infinity,
  maxPrivateData: Infinity,
  maxDevicesPerId: Infinity,
  maxLeases: Infinity,
  maxReferences: Infinity,
}

const UNTRACKED: IdSpace = {
  capacity: WIDEST,
  available: 0,
  isAvailable: () => true,
  find: () => [],
  take: () => undefined,
  give: () => undefined,
}

/**
 * Makes a state of what a snapshot holds, or of what a replay ended with: everything else is computed, under a
 * configuration that may differ from the one that it was written under. `restoredMs` is the serving time at which the space
 * was restored from a backup: what was free then counts as reclaimed then (returning.ts).
 */
export function reindex(base: Base, config: SpaceConfig, restoredMs = -Infinity): State | Contradiction {
  const state = index(base, config)
  if ('contradiction' in state) return state
  startSpace(state, restoredMs)
  const claimed = state.reservedByQuotas + state.unreservedUse
  if (claimed > state.usable) {
    return { contradiction: `sets have reserved or taken ${claimed} ids, but only ${state.usable} may be handed out` }
  }
  return state
}

function index(base: Base, config: SpaceConfig): State | Contradiction {
  const { revision, lastSetId, lastLeaseId, servingMs, sets, endedSets, leases } = base
  const table = createIdTable(config.capacity)
  const state: State = {
    config,
    revision,
    lastSetId,
    lastLeaseId,
    servingMs,
    sets,
    endedSets,
    leases,
    table,
    setsByToken: new Map(),
    spids: new Map(),
    owned: createOwned(),
    setsOfLease: new Map(),
    heldIds: new Map(),
    holders: { ofAll: new Set(), byToken: new Map(), bySet: new Map() },
    holdIds: new Map(),
    space: UNTRACKED,
    resting: EMPTY_LIST,
    returning: NOTHING_RETURNS,
    usable: 0,
    reservedByQuotas: 0,
    unreservedUse: 0,
    allocated: 0,
    bound: 0,
    freePending: 0,
    privateDataBytes: 0,
    references: 0,
  }
  for (const set of sets.values()) indexSet(state, set)
  for (const lease of leases.values()) indexLease(state, lease)
  for (const [number, page] of base.table.pages.entries()) {
    if (page === undefined) continue
    // A page beyond the capacity stays, too: what rests there rests on when the capacity grows again.
    table.pages[number] = page
    const contradiction = indexPage(state, page, number * PAGE_IDS)
    if (contradiction !== undefined) return contradiction
  }
  indexHolds(state)
  return state
}

function indexSet(state: State, set: SetRecord): void {
  if (set.token !== '') state.setsByToken.set(set.token, set.setId)
  state.reservedByQuotas += set.quota
  if (set.quota === 0) state.unreservedUse += set.ids.count
  state.allocated += set.ids.count
  state.freePending += set.freePending
  state.bound += set.bound
  if (set.leaseId !== NO_LEASE) addTo(state.setsOfLease, set.leaseId, set.setId)
  addOwned(state.owned.sets, set.owner, 1)
  addOwned(state.owned.ids, set.owner, claimOf(set))
}

function indexLease(state: State, { leaseId, owner, holding }: LeaseRecord): void {
  addOwned(state.owned.leases, owner, 1)
  if (holding === null) return
  state.references += holding.references
  if (holding.names !== null) indexHolder(state, leaseId, holding.names)
}

/** In the order of the latest teardown, which is what an acknowledgement walks along. */
function indexHolds(state: State): void {
  const all: { readonly id: number; readonly leaseId: LeaseId; readonly awaiting: Revision }[] = []
  for (const page of state.table.pages) {
    for (const [id, holds] of page?.holds ?? []) for (const hold of holds) all.push({ id, ...hold })
  }
  all.sort((a, b) => a.awaiting - b.awaiting || a.id - b.id)
  for (const { id, leaseId, awaiting } of all) {
    const ids = state.holdIds.get(leaseId) ?? { awaited: new Set(), live: new Set() }
    state.holdIds.set(leaseId, ids)
    if (awaiting === 0) ids.live.add(id)
    else ids.awaited.add(id)
  }
}

function indexPage(state: State, page: IdPage, firstId: number): Contradiction | undefined {
  for (let slot = 0; slot < PAGE_IDS; slot++) {
    const setId = asSetId(page.setId[slot] ?? 0)
    if (setId === 0) continue
    const id = firstId + slot
    if (isReserved(state.config, id)) {
      const where = id < state.config.capacity ? 'reserved' : `beyond the capacity of ${state.config.capacity}`
      return { contradiction: `IOASID ${id} is ${where}, but set ${setId} has it` }
    }
    const spid = page.spid[slot] ?? NO_SPID
    if (spid === NO_SPID) continue
    addSpid(state.spids.get(setId) ?? beginIndex(state, setId), state.table, spid, id)
  }
  for (const data of page.data.values()) state.privateDataBytes += data.length
  for (const [id, references] of page.references) {
    state.references += references.length
    for (const { leaseId } of references) addTo(state.heldIds, leaseId, id)
  }
  return undefined
}

function beginIndex({ spids, sets, table }: State, setId: SetId): SpidIndex {
  const index = createSpidIndex()
  makeRoom(index, table, sets.get(setId)?.bound ?? 0)
  spids.set(setId, index)
  return index
}

/** Sorts the ids that no set has: those that rest go on the list of resting ids, the others into the space. */
function startSpace(state: State, restoredMs: number): void {
  const { config, table } = state
  let resting: FreeRun[] = []
  state.space = createIdSpace(config.policy, config.capacity, (give) => {
    const free = sortFree(state, restoredMs, give)
    for (const [start, end] of unreservedRanges(config)) {
      state.usable += end - start
      forEachTwins(table, start, end - start, (page, first, count) => {
        const slot = slotOf(first)
        if (page === undefined) free.add(first, count, 0, 0)
        else if (page.setId[slot] === 0) {
          const isOnList = free.add(first, count, page.since[slot] ?? 0, page.bound[slot] ?? 0)
          if (!isOnList) forgetNeighbours(table, first, count)
        }
      })
    }
    resting = free.resting
    state.returning = free.returning()
  })
  resting.sort((a, b) => a.since - b.since || a.first - b.first)
  state.resting = EMPTY_LIST
  for (const { first, count } of resting) state.resting = append(table, state.resting, first, count)
}

/** What lies between the reserved ranges, which come in any order and may overlap; `end` is not in it. */
function* unreservedRanges({ capacity, reserved }: SpaceConfig): Generator<readonly [start: number, end: number]> {
  // Id 0 is reserved always.
  let start = 1
  for (const [first, last] of [...reserved, [capacity, capacity] as const].sort(([a], [b]) => a - b)) {
    const end = Math.min(first, capacity)
    if (start < end) yield [start, end]
    start = Math.max(start, last + 1)
  }
}

/** They may have rested when the snapshot was written. */
function forgetNeighbours(table: IdTable, first: number, count: number): void {
  const page = ownPageOf(table, first)
  for (let slot = slotOf(first); slot < slotOf(first) + count; slot++) {
    page.next[slot] = 0
    page.prev[slot] = 0
  }
}
