import { idsOn } from './id-list.ts'
import { PAGE_IDS, slotOf } from './id-pages.ts'
import { type LeaseId, NO_LEASE, NO_SPID } from './ids.ts'
import { findId, isReserved, type State } from './state.ts'

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
      say(isPending && references.length === 0, `IOASID ${id} is pending, and nobody holds it`)
      if (bindRevision === 0) continue
      spids += 1
      if (!isPending) bound += 1
      say(state.spids.get(set.setId)?.get(spid) !== id, `SPID ${spid} does not lead to IOASID ${id}`)
      say((devices.length === 0) !== isPending, `IOASID ${id} has ${devices.length} devices`)
    }
    say(pending !== set.freePending, `set ${set.setId} counts ${set.freePending} pending ids and has ${pending}`)
    say(set.isDraining && (pending === 0 || pending !== ids), `set ${set.setId} drains, but not all of it is pending`)
    freePending += pending
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
    for (const id of [...page.data.keys(), ...page.devices.keys(), ...page.pending]) {
      say(page.setId[slotOf(id)] === 0, `IOASID ${id} is free, but has data or devices, or is pending`)
    }
  }
  const resting = [...idsOn(state.table, state.resting)].length
  say(resting !== state.resting.count, `${state.resting.count} ids are said to rest, ${resting} do`)
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
  checkLeases(state, say)
  return found
}

/** References as the ids tell them, against what leases and indices tell. */
function checkLeases(state: State, say: (wrong: boolean, sentence: string) => void): void {
  const counts = new Map<LeaseId, number>()
  let pairs = 0
  for (const page of state.table.pages) {
    for (const [id, references] of page?.references ?? []) {
      say(references.length === 0, `IOASID ${id} has an empty list of references`)
      say(findId(state.table, id) === undefined, `IOASID ${id} is free, but somebody holds it`)
      pairs += references.length
      for (const { leaseId, count } of references) {
        counts.set(leaseId, (counts.get(leaseId) ?? 0) + count)
        say(count < 1, `lease ${leaseId} has ${count} references to IOASID ${id}`)
        say(!state.leases.has(leaseId), `IOASID ${id} is held by lease ${leaseId}, which is gone`)
        say(!state.heldIds.get(leaseId)?.has(id), `lease ${leaseId} does not lead to IOASID ${id}`)
      }
    }
  }
  const indexed = [...state.heldIds.values()].reduce((sum, ids) => sum + ids.size, 0)
  say(pairs !== state.references || pairs !== indexed, `there are ${pairs} references, not ${state.references}`)
  for (const { leaseId, references, isHeld } of state.leases.values()) {
    const counted = counts.get(leaseId) ?? 0
    say(counted !== references, `lease ${leaseId} counts ${references} references and has ${counted}`)
    say(isHeld && counted === 0, `lease ${leaseId} is held for nothing`)
  }
  for (const { setId, leaseId, isDraining } of state.sets.values()) {
    const isOwned = leaseId !== NO_LEASE
    const lives = state.leases.get(leaseId)?.isHeld === false
    say(isOwned && !isDraining && !lives, `set ${setId} outlives lease ${leaseId}`)
    say(isOwned && !state.setsOfLease.get(leaseId)?.has(setId), `lease ${leaseId} does not lead to set ${setId}`)
  }
}
