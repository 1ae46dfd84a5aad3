import { idsOn } from './id-list.ts'
import { PAGE_IDS, pageOf, slotOf } from './id-pages.ts'
import { NO_SPID } from './ids.ts'
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
  for (const set of state.sets.values()) {
    let ids = 0
    let bound = 0
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
      if (record !== undefined && record.bindRevision !== 0) {
        bound += 1
        say(state.spids.get(set.setId)?.get(record.spid) !== id, `SPID ${record.spid} does not lead to IOASID ${id}`)
        say(record.devices.length === 0, `IOASID ${id} is bound by no device`)
      }
    }
    say(ids !== set.ids.count, `set ${set.setId} counts ${set.ids.count} ids and has ${ids}`)
    say(bound !== set.bound, `set ${set.setId} counts ${set.bound} bound ids and has ${bound}`)
    say((state.spids.get(set.setId)?.size ?? 0) !== bound, `set ${set.setId} has SPIDs that lead nowhere`)
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
  for (let id = 0; id < state.table.pages.length * PAGE_IDS; id++) {
    if (state.space.isAvailable(id)) available += 1
    const page = pageOf(state.table, id)
    if (page === undefined) continue
    const isFree = page.setId[slotOf(id)] === 0
    if (!isFree) owned += 1
    const isClean = page.spid[slotOf(id)] === NO_SPID && !page.data.has(id) && !page.devices.has(id)
    say(isFree && !isClean, `IOASID ${id} is free, but has a SPID, devices or data`)
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
  return found
}
