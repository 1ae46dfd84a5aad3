import { describe, expect, it } from 'vitest'
import { append, remove } from '../../server/core/id-list.ts'
import { asLeaseId, asRevision, type SetId } from '../../server/core/ids.ts'
import { violations } from '../../server/core/invariants.ts'
import { addSpid, createSpidIndex, removeSpid, type SpidIndex } from '../../server/core/spid-index.ts'
import type { State } from '../../server/core/state.ts'
import {
  anonymous,
  changeLease,
  changeSet,
  draining,
  held,
  idle,
  kvm,
  livedInSpace,
  owner,
  pageFor,
  vmA,
  vmB,
} from './lived-in-space.ts'

/** What is wrong with a state, and how it came to be: a change of the state, or another state made of it. */
type Damage = readonly [sentence: string, inflict: (state: State) => State | undefined]

/** A change that leaves the state where it is. */
function spoil(sentence: string, change: (state: State) => unknown): Damage {
  return [
    sentence,
    (state) => {
      change(state)
      return undefined
    },
  ]
}

function withConfig(state: State, config: Partial<State['config']>): State {
  return { ...state, config: { ...state.config, ...config } }
}

/** Takes an id from its place in a set's list and puts it at the end. */
function moveToEnd({ state, id }: { state: State; id: number }): void {
  const set = state.sets.get(vmA)
  if (set === undefined) throw new Error('no vm-a')
  changeSet(state, vmA, { ids: append(state.table, remove(state.table, set.ids, id), id) })
}

function spidsOf({ spids }: State, setId: SetId): SpidIndex {
  const index = spids.get(setId)
  if (index === undefined) throw new Error(`set ${setId} has no SPID`)
  return index
}

const ids: readonly Damage[] = [
  spoil('IOASID 4 is on the list of set 1, but not its', (state) => pageFor(state, 4).setId.set([2], 4)),
  spoil('IOASID 4 is on the list of set 1, but not its', (state) => pageFor(state, 4).setId.set([0], 4)),
  ['IOASID 4 is reserved, but allocated', (state) => withConfig(state, { reserved: [[4, 4]] })],
  ['IOASID 4100 is reserved, but allocated', (state) => withConfig(state, { capacity: 4100 })],
  spoil('IOASID 4 is allocated, but available', (state) => state.space.give(4, 1, 0)),
  spoil('IOASID 4100 is out of order in set 1', (state) => pageFor(state, 4100).since.set([13], 4)),
  spoil('IOASID 4 is out of order in set 1', (state) => pageFor(state, 4).since.set([13], 4)),
  spoil('IOASID 10 is out of order in set 1', (state) => {
    moveToEnd({ state, id: 10 })
    pageFor(state, 10).since[10] = 16
  }),
  spoil('IOASID 8 is pending, and nobody holds it', (state) => {
    pageFor(state, 8).references.delete(8)
    pageFor(state, 8).holds.delete(8)
  }),
  spoil('IOASID 10 is pending, and nobody holds it', (state) => pageFor(state, 10).holds.delete(10)),
  spoil('SPID 101 does not lead to IOASID 1', (state) => removeSpid(spidsOf(state, vmA), state.table, 101, 1)),
  spoil('SPID 101 does not lead to IOASID 1', (state) => state.spids.delete(vmA)),
  spoil('IOASID 1 has 0 devices', (state) => pageFor(state, 1).devices.set(1, [])),
  spoil('IOASID 8 has 1 devices', (state) => pageFor(state, 8).devices.set(8, ['nic'])),
  spoil('IOASID 15 is free, but has a SPID', (state) => pageFor(state, 15).spid.set([7], 15)),
  spoil('IOASID 4111 is free, but has a SPID', (state) => pageFor(state, 4111).spid.set([7], 15)),
  spoil('IOASID 10 is free, but has data or devices, or is pending', (state) => pageFor(state, 10).setId.set([0], 10)),
  ...[15, 4111].flatMap((id) => {
    const sentence = `IOASID ${id} is free, but has data or devices, or is pending`
    return [
      spoil(sentence, (state) => pageFor(state, id).data.set(id, new Uint8Array(1))),
      spoil(sentence, (state) => pageFor(state, id).devices.set(id, ['nic'])),
    ]
  }),
]

const sets: readonly Damage[] = [
  spoil('set 1 counts 5 pending ids and has 1', (state) => changeSet(state, vmA, { freePending: 5 })),
  spoil('set 1 drains, but not all of it is pending', (state) => changeSet(state, vmA, { isDraining: true })),
  spoil('set 2 drains, but not all of it is pending', (state) => changeSet(state, vmB, { isDraining: true })),
  spoil('set 4 drains, but not all of it is pending', (state) => changeSet(state, anonymous, { isDraining: true })),
  spoil('set 2 counts 3 ids and has 2', (state) => changeSet(state, vmB, { ids: { first: 5, last: 6, count: 3 } })),
  spoil('set 2 counts 1 bound ids and has 0', (state) => changeSet(state, vmB, { bound: 1 })),
  spoil('set 1 has SPIDs that lead nowhere', (state) => addSpid(spidsOf(state, vmA), state.table, 9, 1)),
  spoil('set 2 has SPIDs that lead nowhere', (state) => {
    state.spids.set(vmB, createSpidIndex())
    addSpid(spidsOf(state, vmB), state.table, 9, 5)
  }),
  spoil('set 2 has 2 ids and a quota of 1', (state) => changeSet(state, vmB, { quota: 1 })),
  spoil('a token does not lead to set 1', (state) => state.setsByToken.delete('vm-a')),
  spoil('a token does not lead to set 1', (state) => state.setsByToken.set('vm-a', vmB)),
]

const sums: readonly Damage[] = [
  spoil('5 ids are said to rest, 1 do', (state) => {
    state.resting = { ...state.resting, count: 5 }
  }),
  ['5 ids are said to be available, 4986 are', (state) => ({ ...state, space: { ...state.space, available: 5 } })],
  spoil("11 ids have a set, 10 are on a set's list", (state) => pageFor(state, 15).setId.set([1], 15)),
  spoil('11 ids are said to be allocated, 10 are', (state) => {
    state.allocated += 1
  }),
  spoil('allocated, resting and available ids are not all ids', (state) => {
    state.usable += 1
  }),
  spoil('quotas sum up to 5, not 6', (state) => {
    state.reservedByQuotas += 1
  }),
  spoil('sets without a quota have 8 ids, not 9', (state) => {
    state.unreservedUse += 1
  }),
  spoil('more is reserved or taken than there is', (state) => {
    state.usable = 12
  }),
  spoil('private data are 5 bytes, not 6', (state) => {
    state.privateDataBytes += 1
  }),
  spoil('4 ids are said to be pending, 3 are', (state) => {
    state.freePending += 1
  }),
  spoil('3 ids are said to be bound, 2 are', (state) => {
    state.bound += 1
  }),
  spoil('there are 11 references, not 12', (state) => {
    state.references += 1
  }),
]

const since = { sinceRevision: asRevision(13), sinceWallMs: 0 }
const nobody = asLeaseId(9)

const references: readonly Damage[] = [
  spoil('IOASID 1 has an empty list of references', (state) => pageFor(state, 1).references.set(1, [])),
  spoil('IOASID 15 is free, but somebody holds it', (state) =>
    pageFor(state, 15).references.set(15, [{ leaseId: kvm, count: 1, ...since }]),
  ),
  spoil('lease 1 has 0 references to IOASID 4', (state) =>
    pageFor(state, 4).references.set(4, [{ leaseId: kvm, count: 0, ...since }]),
  ),
  spoil('IOASID 4 is held by lease 9, which is gone', (state) =>
    pageFor(state, 4).references.set(4, [{ leaseId: nobody, count: 1, ...since }]),
  ),
  spoil('lease 1 does not lead to IOASID 4', (state) => state.heldIds.get(kvm)?.delete(4)),
  spoil('lease 1 does not lead to IOASID 4', (state) => state.heldIds.delete(kvm)),
  spoil('there are 3 acquired references, not 4', (state) => state.heldIds.get(kvm)?.add(1)),
  spoil('lease 1 miscounts its 3 references', (state) => changeLease(state, kvm, { references: 3 })),
  spoil('lease 6 miscounts its 3 references', (state) => changeLease(state, idle, { references: 3 })),
  spoil('lease 6 is held for nothing', (state) => changeLease(state, idle, { isHeld: true })),
  spoil('set 2 outlives lease 2', (state) => state.leases.delete(owner)),
  spoil('set 2 outlives lease 2', (state) => changeLease(state, owner, { isHeld: true })),
  spoil('lease 2 does not lead to set 2', (state) => state.setsOfLease.get(owner)?.delete(vmB)),
  spoil('lease 2 does not lead to set 2', (state) => state.setsOfLease.delete(owner)),
  spoil('lease 3 does not lead to set 3', (state) => state.setsOfLease.get(held)?.delete(draining)),
]

const hold = { leaseId: kvm, awaiting: asRevision(0), ...since }

const holds: readonly Damage[] = [
  spoil('lease 1 holds 4 ids, not 5', (state) => {
    const holding = state.leases.get(kvm)?.holding
    if (holding) changeLease(state, kvm, { holding: { ...holding, references: 5 } })
  }),
  spoil('lease 6 holds 1 ids, not 0', (state) => pageFor(state, 1).holds.set(1, [{ ...hold, leaseId: idle }])),
  spoil('lease 1 is held and registered', (state) => changeLease(state, kvm, { isHeld: true })),
  spoil('set 1 is held by leases 1,4, not 4', (state) => state.holders.byToken.delete('vm-a')),
  spoil('set 2 is held by leases 4,5, not 4', (state) => state.holders.bySet.delete(vmB)),
  spoil('set 4 is held by leases 4, not ', (state) => state.holders.ofAll.clear()),
  spoil('set 4 is held by leases 4, not 1,4', (state) => state.holders.ofAll.add(kvm)),
  spoil('IOASID 15 is free, but has a holder', (state) => pageFor(state, 15).holds.set(15, [hold])),
  spoil('lease 1 does not lead to IOASID 3, which it holds', (state) => state.holdIds.get(kvm)?.live.delete(3)),
  spoil('lease 1 does not lead to IOASID 2, which it holds', (state) => state.holdIds.get(kvm)?.awaited.delete(2)),
  spoil('lease 1 does not lead to IOASID 2, which it holds', (state) => state.holdIds.delete(kvm)),
  spoil('lease 1 does not lead to IOASID 3, which it holds', (state) => state.holdIds.delete(kvm)),
  spoil('lease 1 does not lead to IOASID 3, which it holds', (state) => {
    state.holdIds.get(kvm)?.live.delete(3)
    state.holdIds.get(kvm)?.awaited.add(3)
  }),
  spoil('IOASID 4 is held for nothing', (state) => pageFor(state, 4).holds.set(4, [hold])),
  spoil('IOASID 2 awaits what was before its hold', (state) =>
    pageFor(state, 2).holds.set(2, [{ ...hold, awaiting: asRevision(13) }]),
  ),
  spoil('IOASID 1 is held by lease 6, which holds nothing', (state) =>
    pageFor(state, 1).holds.set(1, [{ ...hold, leaseId: idle }]),
  ),
  spoil('IOASID 1 is held by lease 9, which holds nothing', (state) =>
    pageFor(state, 1).holds.set(1, [{ ...hold, leaseId: nobody }]),
  ),
  spoil('lease 1 lists 4 ids that it holds', (state) => state.holdIds.get(kvm)?.awaited.add(1)),
  spoil('lease 1 lists 4 ids that it holds', (state) => state.holdIds.get(kvm)?.live.add(1)),
  spoil('lease 6 lists 0 ids that it holds', (state) =>
    state.holdIds.set(idle, { awaited: new Set(), live: new Set() }),
  ),
]

describe('the invariants', () => {
  it('hold in a space that was lived in', () => {
    const { state } = livedInSpace()
    expect(state.revision).toBe(32)
    expect(violations(state)).toEqual([])
  })

  it('allow all that there is to be reserved or taken', () => {
    const { state } = livedInSpace()
    state.usable = state.reservedByQuotas + state.unreservedUse
    expect(violations(state)).toEqual(['allocated, resting and available ids are not all ids'])
  })

  it.each([...ids, ...sets, ...sums, ...references, ...holds])('say where one does not: %s', (sentence, inflict) => {
    const { state } = livedInSpace()
    expect(violations(inflict(state) ?? state)).toContain(sentence)
  })
})
