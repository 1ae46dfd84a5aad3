import { permits } from '../../server/core/access.ts'
import { ANYONE, type Caller } from '../../server/core/caller.ts'
import type { Command, Decision } from '../../server/core/command.ts'
import { decide } from '../../server/core/decide.ts'
import { createEndedSets, type EndedSets, endedSetsIn, freezeEndedSets } from '../../server/core/ended-sets.ts'
import type { Entry } from '../../server/core/event.ts'
import { evolve } from '../../server/core/evolve.ts'
import { isFailure } from '../../server/core/failure.ts'
import { idsOn } from '../../server/core/id-list.ts'
import { type IdPage, PAGE_IDS } from '../../server/core/id-pages.ts'
import { asRevision, NO_SPID } from '../../server/core/ids.ts'
import { endedBy, pastOf } from '../../server/core/past.ts'
import {
  type Base,
  type Contradiction,
  createReplay,
  createState,
  emptyBase,
  reindex,
} from '../../server/core/reindex.ts'
import { ripen } from '../../server/core/rest.ts'
import { idsOf } from '../../server/core/runs.ts'
import { forEachIndexed, type SpidIndex } from '../../server/core/spid-index.ts'
import { type FrozenState, findId, readId, type SpaceConfig, type State } from '../../server/core/state.ts'

/** A space without an engine: commands are decided and evolved at once, and what they changed is kept as a log. */
export interface Running {
  state: State
  readonly log: Entry[]
  nowMs: number
}

export const CONFIG: SpaceConfig = {
  capacity: 16,
  reserved: [],
  policy: 'rested',
  reuseDelayMs: 0,
  maxSets: 100_000,
  maxPrivateData: 1 << 20,
  maxDevicesPerId: 64,
  maxLeases: 10_000,
  maxReferences: 1_000_000,
}

/** The wall clock when serving time is 0. */
export const WALL_START_MS = 1_700_000_000_000

export function start(config: Partial<SpaceConfig> = {}): Running {
  return { state: createState({ ...CONFIG, ...config }), log: [], nowMs: 0 }
}

export function submit(running: Running, command: Command, caller: Caller = ANYONE): Decision {
  const { state, log, nowMs } = running
  ripen(state, nowMs)
  const decision = permits(state, command, caller) ?? decide(state, command, caller)
  if (isFailure(decision) || decision.events.length === 0) return decision
  const revision = asRevision(state.revision + 1)
  const { events } = decision
  const past = pastOf(state, events, endedBy(command))
  const entry: Entry = {
    revision,
    servingMs: nowMs,
    wallMs: WALL_START_MS + nowMs,
    events,
    ...actorOf(caller),
    ...past,
  }
  evolve(state, entry)
  log.push(entry)
  return decision
}

function actorOf({ identity }: Caller) {
  return identity === '' ? {} : { actor: identity }
}

/** As a start does it: the snapshot if there is one, the entries after it, and only then what the operator chose. */
export function restore(base: Base | undefined, log: readonly Entry[], config: SpaceConfig): State | Contradiction {
  const replay = createReplay(base ?? emptyBase(config.capacity))
  for (const entry of log) if (entry.revision > replay.revision) evolve(replay, entry)
  return reindex(replay, config)
}

/** What a store makes of a frozen view, without one: a copy of everything that a snapshot holds. */
export function thaw(frozen: FrozenState): Base {
  const endedSets: EndedSets = createEndedSets()
  for (const [setId, revision] of endedSetsIn(frozen.endedSets)) {
    endedSets.order.push(setId)
    endedSets.revisions.set(setId, revision)
  }
  return {
    revision: frozen.revision,
    lastSetId: frozen.lastSetId,
    lastLeaseId: frozen.lastLeaseId,
    servingMs: frozen.servingMs,
    leases: new Map(frozen.leases.map((lease) => [lease.leaseId, lease])),
    sets: new Map(frozen.sets.map((set) => [set.setId, set])),
    endedSets,
    table: { epoch: 0, pages: frozen.table.pages.map((page) => (page === undefined ? undefined : copyOf(page))) },
  }
}

function copyOf(page: IdPage): IdPage {
  return { ...structuredClone(page), epoch: 0 }
}

/** Everything that a frozen view tells, in a form that can be compared. */
export function contentOf(frozen: FrozenState): object {
  const ids: object[] = []
  for (const [number, page] of frozen.table.pages.entries()) {
    if (page === undefined) continue
    for (let slot = 0; slot < PAGE_IDS; slot++) {
      // Only ids with a past say anything.
      if (page.since[slot] === 0 && page.setId[slot] === 0) continue
      const record = readId(page, number * PAGE_IDS + slot)
      ids.push({ id: number * PAGE_IDS + slot, ...record, data: record.data === undefined ? null : [...record.data] })
    }
  }
  return {
    revision: frozen.revision,
    lastSetId: frozen.lastSetId,
    lastLeaseId: frozen.lastLeaseId,
    servingMs: frozen.servingMs,
    leases: [...frozen.leases],
    sets: frozen.sets.map((set) => ({ ...set, ids: [...idsOn(frozen.table, set.ids)], count: set.ids.count })),
    ended: [...endedSetsIn(frozen.endedSets)],
    ids,
  }
}

/** A whole state in a form that can be compared: two that give the same one answer every command in the same way. */
export function canonical(state: State): object {
  const view: FrozenState = {
    revision: state.revision,
    lastSetId: state.lastSetId,
    lastLeaseId: state.lastLeaseId,
    servingMs: state.servingMs,
    leases: [...state.leases.values()],
    sets: [...state.sets.values()],
    endedSets: freezeEndedSets(state.endedSets),
    table: state.table,
  }
  const { capacity } = state.config
  return {
    ...contentOf(view),
    setsByToken: [...state.setsByToken].sort(([a], [b]) => (a < b ? -1 : 1)),
    spids: [...state.spids].map(([setId, index]) => [setId, spidsIn(state, index)]).sort(byNumber),
    setsOfLease: [...state.setsOfLease].map(([leaseId, sets]) => [leaseId, [...sets]]).sort(byNumber),
    heldIds: [...state.heldIds].map(([leaseId, ids]) => [leaseId, [...ids].sort((a, b) => a - b)]).sort(byNumber),
    // What was reclaimed at one revision ripens at one time, so its order on the list says nothing.
    resting: [...idsOn(state.table, state.resting)].sort((a, b) => a - b),
    available: state.space.available === 0 ? [] : idsOf(state.space.find(capacity, 0, capacity - 1)),
    usable: state.usable,
    reservedByQuotas: state.reservedByQuotas,
    unreservedUse: state.unreservedUse,
    allocated: state.allocated,
    freePending: state.freePending,
    references: state.references,
    privateDataBytes: state.privateDataBytes,
  }
}

/** Each SPID with the id that it leads to, by SPID ascending. */
function spidsIn({ table }: State, index: SpidIndex): readonly (readonly [spid: number, id: number])[] {
  const pairs: (readonly [number, number])[] = []
  forEachIndexed(index, (id) => pairs.push([findId(table, id)?.spid ?? NO_SPID, id]))
  return pairs.sort(([a], [b]) => a - b)
}

function byNumber([a]: readonly unknown[], [b]: readonly unknown[]): number {
  return Number(a) - Number(b)
}
