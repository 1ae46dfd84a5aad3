import type { Command } from '../../server/core/command.ts'
import { isFailure } from '../../server/core/failure.ts'
import { type IdPage, ownPageOf } from '../../server/core/id-pages.ts'
import { asIoasid, asLeaseId, asSetId, asSpid, type LeaseId, type SetId } from '../../server/core/ids.ts'
import type { LeaseRecord, SetRecord, State } from '../../server/core/state.ts'
import { type Running, start, submit } from '../support/space.ts'

/** Sets, leases and ids in every state that there is, so that little can be wrong with it that nothing contradicts. */

export const vmA = asSetId(1)
export const vmB = asSetId(2)
export const draining = asSetId(3)
export const anonymous = asSetId(4)
export const kvm = asLeaseId(1)
export const owner = asLeaseId(2)
export const held = asLeaseId(3)
const system = asLeaseId(4)
const vfio = asLeaseId(5)
export const idle = asLeaseId(6)

/**
 * vm-a has 1-3, 10 and 4, the last one unbound, and 4100. 2 was unbound and kvm awaits that; 3 was bound again; 10 is
 * pending for its holders. vm-b has 5 and 6, and ends with its owner. The draining set has 7 and 8, both pending, and
 * ended with the lease that is held. 9 rests, 20 and 21 are reserved.
 */
export function livedInSpace(): Running {
  const running = start({ capacity: 5000, reserved: [[20, 21]], reuseDelayMs: 1000 })
  const terms = { name: 'kvm', ttlMs: 1000, onExpiry: 'HOLD' } as const
  const allocate = (setId: SetId, min: number, max: number, spids: readonly number[] | null): Command => ({
    kind: 'allocate',
    setId,
    count: max - min + 1,
    min,
    max,
    spids: spids?.map(asSpid) ?? null,
    privateData: null,
  })
  const acquire = (setId: SetId, id: number, leaseId: LeaseId): Command => ({
    kind: 'acquire',
    set: { setId },
    ioasid: asIoasid(id),
    leaseId,
  })
  const ofId = (id: number) => ({ setId: vmA, ioasid: asIoasid(id), device: '' })
  const register = (leaseId: LeaseId, tokens: readonly string[], setIds: readonly SetId[] = []): Command => ({
    kind: 'register',
    leaseId,
    names: { tokens, setIds },
    priority: 'CPU',
  })
  const commands: readonly Command[] = [
    ...Array.from({ length: 6 }, () => ({ kind: 'grant_lease' as const, terms })),
    { kind: 'create_set', token: 'vm-a', quota: 0, leaseId: null },
    { kind: 'create_set', token: 'vm-b', quota: 2, leaseId: owner },
    { kind: 'create_set', token: 'vm-c', quota: 0, leaseId: held },
    { kind: 'create_set', token: '', quota: 3, leaseId: null },
    register(kvm, ['vm-a']),
    register(held, ['vm-c']),
    allocate(vmA, 1, 3, [101, 102, 103]),
    allocate(vmA, 10, 10, [110]),
    allocate(vmA, 4, 4, null),
    allocate(vmA, 4100, 4100, null),
    allocate(vmA, 9, 9, null),
    allocate(vmB, 5, 6, null),
    allocate(draining, 7, 8, [201, 202]),
    acquire(draining, 8, held),
    acquire(vmA, 4, kvm),
    acquire(vmA, 4, kvm),
    acquire(vmA, 4, owner),
    { kind: 'expire_lease', leaseId: held },
    { kind: 'detach_spid', ...ofId(3) },
    { kind: 'attach_spid', ...ofId(3), spid: asSpid(103) },
    { kind: 'acknowledge', leaseId: kvm, revision: 26 },
    { kind: 'detach_spid', ...ofId(2) },
    { kind: 'free', setId: vmA, ioasids: [asIoasid(10), asIoasid(9)], generation: null },
    { kind: 'attach_data', setId: vmA, ioasid: asIoasid(4), privateData: new Uint8Array(5) },
    { kind: 'register', leaseId: system, names: 'all', priority: 'DEVICE' },
    register(vfio, [], [vmB]),
  ]
  for (const command of commands) {
    const decision = submit(running, command)
    if (isFailure(decision)) throw new Error(`${command.kind} was refused: ${decision.message}`)
  }
  return running
}

export function pageFor(state: State, id: number): IdPage {
  return ownPageOf(state.table, id)
}

export function changeSet(state: State, setId: SetId, change: Partial<SetRecord>): void {
  const set = state.sets.get(setId)
  if (set === undefined) throw new Error(`no set ${setId}`)
  state.sets.set(setId, { ...set, ...change })
}

export function changeLease(state: State, leaseId: LeaseId, change: Partial<LeaseRecord>): void {
  const lease = state.leases.get(leaseId)
  if (lease === undefined) throw new Error(`no lease ${leaseId}`)
  state.leases.set(leaseId, { ...lease, ...change })
}
