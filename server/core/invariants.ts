import { holdersOf, impliedHolders, isBound } from './holds.ts'
import { idsOn } from './id-list.ts'
import { PAGE_IDS, slotOf } from './id-pages.ts'
import { type LeaseId, NO_LEASE, NO_SPID } from './ids.ts'
import { addOwned, claimOf, createOwned } from './owned.ts'
import { countResting } from './rest.ts'
import { findId, ioasidOf, isReserved, referencesOf, type State } from './state.ts'

/**
 * What must hold after every entry, recomputed the slow way: sentences for what does not. For tests, simulations and
 * the verification of a data directory; it visits every id.
 */
export function violations(state: State): readonly string[] {
  const found: string[] = []
  const say = (wrong: boolean, sentence: string) => {
    if (wrong) found.push(sentence)
  }
  let allocated = 0
  let unreservedUse = 0
  let reservedByQuotas = 0
  let privateDataBytes = 0
  let freePending = 0
  let boundIds = 0
  for (const set of state.sets.values()) {
    let ids = 0
    let bound = 0
    let spids = 0
    let pending = 0
    let last = { generation: 0, id: 0 }
    for (const id of idsOn(state.table, set.ids)) {
      const record = findId(state.table, id)
      say(record?.setId !== set.setId, `IOASID ${id} is on the list of set ${set.setId}, but not its`)
      say(isReserved(state.config, id), `IOASID ${id} is reserved, but allocated`)
      say(state.space.isAvailable(id), `IOASID ${id} is allocated, but available`)
      const generation = record?.generation ?? 0
      const ascends = generation > last.generation || (generation === last.generation && id > last.id)
      say(!ascends, `IOASID ${id} is out of order in set ${set.setId}`)
      last = { generation, id }
      ids += 1
      if (record === undefined) continue
      const { spid, bindRevision, devices, isPending, references } = record
      if (isPending) pending += 1
      say(isPending && references.length + record.holds.length === 0, `IOASID ${id} is pending, and nobody holds it`)
      if (bindRevision === 0) continue
      spids += 1
      if (!isPending) bound += 1
      say(ioasidOf(state, set.setId, spid) !== id, `SPID ${spid} does not lead to IOASID ${id}`)
      say((devices.length === 0) !== isPending, `IOASID ${id} has ${devices.length} devices`)
    }
    say(pending !== set.freePending, `set ${set.setId} counts ${set.freePending} pending ids and has ${pending}`)
    say(set.isDraining && (pending === 0 || pending !== ids), `set ${set.setId} drains, but not all of it is pending`)
    freePending += pending
    boundIds += bound
    say(ids !== set.ids.count, `set ${set.setId} counts ${set.ids.count} ids and has ${ids}`)
    say(bound !== set.bound, `set ${set.setId} counts ${set.bound} bound ids and has ${bound}`)
    say((state.spids.get(set.setId)?.size ?? 0) !== spids, `set ${set.setId} has SPIDs that lead nowhere`)
    say(set.quota > 0 && ids > set.quota, `set ${set.setId} has ${ids} ids and a quota of ${set.quota}`)
    say(set.token !== '' && state.setsByToken.get(set.token) !== set.setId, `a token does not lead to set ${set.setId}`)
    allocated += ids
    reservedByQuotas += set.quota
    if (set.quota === 0) unreservedUse += ids
  }
  for (const page of state.table.pages) {
    for (const data of page?.data.values() ?? []) privateDataBytes += data.length
  }
  let available = 0
  let owned = 0
  for (let id = 0; id < state.config.capacity; id++) if (state.space.isAvailable(id)) available += 1
  for (const [number, page] of state.table.pages.entries()) {
    if (page === undefined) continue
    for (let slot = 0; slot < PAGE_IDS; slot++) {
      if (page.setId[slot] !== 0) owned += 1
      else if (page.spid[slot] !== NO_SPID) found.push(`IOASID ${number * PAGE_IDS + slot} is free, but has a SPID`)
    }
    for (const id of [...page.data.keys(), ...page.devices.keys(), ...page.pending.keys()]) {
      say(page.setId[slotOf(id)] === 0, `IOASID ${id} is free, but has data or devices, or is pending`)
    }
  }
  let resting = [...idsOn(state.table, state.resting)].length
  say(resting !== state.resting.count, `${state.resting.count} ids are said to rest, ${resting} do`)
  for (const { first, count } of state.returning.runs) {
    resting += count
    for (let id = first; id < first + count; id++) {
      const isFree = !state.space.isAvailable(id) && findId(state.table, id) === undefined
      say(!isFree, `IOASID ${id} rests since a restore, but is available or allocated`)
    }
  }
  say(resting !== countResting(state), `${countResting(state)} ids are said to rest in all, ${resting} do`)
  say(available !== state.space.available, `${state.space.available} ids are said to be available, ${available} are`)
  say(owned !== allocated, `${owned} ids have a set, ${allocated} are on a set's list`)
  say(allocated !== state.allocated, `${state.allocated} ids are said to be allocated, ${allocated} are`)
  say(allocated + resting + available !== state.usable, 'allocated, resting and available ids are not all ids')
  say(
    reservedByQuotas !== state.reservedByQuotas,
    `quotas sum up to ${reservedByQuotas}, not ${state.reservedByQuotas}`,
  )
  say(
    unreservedUse !== state.unreservedUse,
    `sets without a quota have ${unreservedUse} ids, not ${state.unreservedUse}`,
  )
  say(reservedByQuotas + unreservedUse > state.usable, 'more is reserved or taken than there is')
  say(
    privateDataBytes !== state.privateDataBytes,
    `private data are ${privateDataBytes} bytes, not ${state.privateDataBytes}`,
  )
  say(freePending !== state.freePending, `${state.freePending} ids are said to be pending, ${freePending} are`)
  say(boundIds !== state.bound, `${state.bound} ids are said to be bound, ${boundIds} are`)
  checkLeases(state, say)
  checkOwned(state, say)
  return found
}

/** What identities have, against what sets and leases tell. */
function checkOwned({ sets, leases, owned }: State, say: (wrong: boolean, sentence: string) => void): void {
  const counts = createOwned()
  for (const set of sets.values()) {
    addOwned(counts.sets, set.owner, 1)
    addOwned(counts.ids, set.owner, claimOf(set))
  }
  for (const { owner } of leases.values()) addOwned(counts.leases, owner, 1)
  for (const what of ['sets', 'leases', 'ids'] as const) {
    const [told, right] = [owned[what], counts[what]].map((map) => JSON.stringify([...map].sort()))
    say(told !== right, `${what} of identities are said to be ${told}, and are ${right}`)
  }
}

/** References as the ids tell them, against what leases and indices tell. */
function checkLeases(state: State, say: (wrong: boolean, sentence: string) => void): void {
  const acquired = new Map<LeaseId, number>()
  let pairs = 0
  for (const page of state.table.pages) {
    for (const [id, references] of page?.references ?? []) {
      say(references.length === 0, `IOASID ${id} has an empty list of references`)
      say(findId(state.table, id) === undefined, `IOASID ${id} is free, but somebody holds it`)
      pairs += references.length
      for (const { leaseId, count } of references) {
        add(acquired, leaseId, count)
        say(count < 1, `lease ${leaseId} has ${count} references to IOASID ${id}`)
        say(!state.leases.has(leaseId), `IOASID ${id} is held by lease ${leaseId}, which is gone`)
        say(!state.heldIds.get(leaseId)?.has(id), `lease ${leaseId} does not lead to IOASID ${id}`)
      }
    }
  }
  const indexed = [...state.heldIds.values()].reduce((sum, ids) => sum + ids.size, 0)
  say(pairs !== indexed, `there are ${pairs} acquired references, not ${indexed}`)
  const held = checkHolds(state, say)
  for (const count of held.values()) pairs += count
  say(pairs !== state.references, `there are ${pairs} references, not ${state.references}`)
  for (const lease of state.leases.values()) {
    const { leaseId, references, holding } = lease
    say((acquired.get(leaseId) ?? 0) !== references, `lease ${leaseId} miscounts its ${references} references`)
    const holds = holding?.references ?? 0
    say((held.get(leaseId) ?? 0) !== holds, `lease ${leaseId} holds ${held.get(leaseId) ?? 0} ids, not ${holds}`)
    say(lease.isHeld && referencesOf(lease) === 0, `lease ${leaseId} is held for nothing`)
    say(lease.isHeld && holding !== null && holding.names !== null, `lease ${leaseId} is held and registered`)
  }
  for (const { setId, leaseId, isDraining } of state.sets.values()) {
    const isOwned = leaseId !== NO_LEASE
    const lives = state.leases.get(leaseId)?.isHeld === false
    say(isOwned && !isDraining && !lives, `set ${setId} outlives lease ${leaseId}`)
    say(isOwned && !state.setsOfLease.get(leaseId)?.has(setId), `lease ${leaseId} does not lead to set ${setId}`)
  }
}

/** By lease: how many ids its hold has a reference to. */
function checkHolds(state: State, say: (wrong: boolean, sentence: string) => void): ReadonlyMap<LeaseId, number> {
  const held = new Map<LeaseId, number>()
  const remembered = new Map<LeaseId, number>()
  for (const set of state.sets.values()) {
    // By the registrations themselves, not by the index.
    const holders = [...state.leases.values()].flatMap(({ leaseId, holding }) => {
      const names = holding?.names ?? null
      const isNamed = names === 'all' || names?.tokens.includes(set.token) || names?.setIds.includes(set.setId)
      return isNamed && holding !== null ? [{ leaseId, holding }] : []
    })
    const found = holdersOf(state, set).map(({ leaseId }) => leaseId)
    const wanted = holders.map(({ leaseId }) => leaseId)
    say(String(found) !== String(wanted), `set ${set.setId} is held by leases ${wanted}, not ${found}`)
    for (const id of idsOn(state.table, set.ids)) {
      const record = findId(state.table, id)
      if (record === undefined) continue
      for (const { leaseId } of impliedHolders(record, holders)) add(held, leaseId, 1)
    }
  }
  for (const page of state.table.pages) {
    for (const [id, holds] of page?.holds ?? []) {
      const record = findId(state.table, id)
      say(record === undefined, `IOASID ${id} is free, but has a holder`)
      for (const { leaseId, awaiting, sinceRevision } of holds) {
        add(held, leaseId, 1)
        add(remembered, leaseId, 1)
        const ids = state.holdIds.get(leaseId)
        const isListed = (awaiting === 0 ? ids?.live : ids?.awaited)?.has(id) === true
        say(!isListed, `lease ${leaseId} does not lead to IOASID ${id}, which it holds`)
        say(awaiting === 0 && record !== undefined && !isBound(record), `IOASID ${id} is held for nothing`)
        say(awaiting !== 0 && awaiting <= sinceRevision, `IOASID ${id} awaits what was before its hold`)
        say(
          (state.leases.get(leaseId)?.holding ?? null) === null,
          `IOASID ${id} is held by lease ${leaseId}, which holds nothing`,
        )
      }
    }
  }
  for (const [leaseId, { awaited, live }] of state.holdIds) {
    const listed = awaited.size + live.size
    say(listed !== (remembered.get(leaseId) ?? 0) || listed === 0, `lease ${leaseId} lists ${listed} ids that it holds`)
  }
  return held
}

function add(counts: Map<LeaseId, number>, leaseId: LeaseId, count: number): void {
  counts.set(leaseId, (counts.get(leaseId) ?? 0) + count)
}
