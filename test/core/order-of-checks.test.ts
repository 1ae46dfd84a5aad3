import { describe, expect, it } from 'vitest'
import type { Command } from '../../server/core/command.ts'
import { decide } from '../../server/core/decide.ts'
import { asIoasid, asLeaseId, asSetId, asSpid, NO_LEASE, NO_SET, type SetId } from '../../server/core/ids.ts'
import { start, submit } from '../support/space.ts'

const own = asSetId(1)
const leaseId = asLeaseId(1)

/** A lease, set 1 with id 1, set 2 with id 2. */
function space() {
  const running = start()
  const allocate = { kind: 'allocate', count: 1, min: 0, max: 15, spids: null, privateData: null } as const
  submit(running, { kind: 'grant_lease', terms: { name: '', ttlMs: 1000, onExpiry: 'HOLD' } })
  submit(running, { kind: 'create_set', token: 'vm-a', quota: 0, leaseId: null })
  submit(running, { kind: 'create_set', token: 'vm-b', quota: 0, leaseId: null })
  submit(running, { ...allocate, setId: own })
  submit(running, { ...allocate, setId: asSetId(2) })
  return running
}

function reasonOf(command: Command): string {
  const { state } = space()
  const decision = decide(state, command)
  return 'reason' in decision ? decision.reason : 'none'
}

function ofSet(setId: SetId): readonly Command[] {
  return [
    { kind: 'adjust_quota', setId, quota: 1 },
    { kind: 'delete_set', setId, force: false },
    { kind: 'force_delete_set', setId },
    { kind: 'allocate', setId, count: 100, min: 0, max: 15, spids: null, privateData: null },
    { kind: 'free_all', setId },
    { kind: 'acquire_by_spid', set: { setId }, spid: asSpid(9), leaseId: NO_LEASE },
  ]
}

function ofId(setId: SetId, id: number): readonly Command[] {
  const ioasid = asIoasid(id)
  return [
    { kind: 'free', setId, ioasids: [ioasid], generation: 1 },
    { kind: 'attach_spid', setId, ioasid, spid: asSpid(1), device: '' },
    { kind: 'detach_spid', setId, ioasid, device: '' },
    { kind: 'attach_data', setId, ioasid, privateData: new Uint8Array(2 ** 21) },
    { kind: 'detach_data', setId, ioasid },
    { kind: 'acquire', set: { setId }, ioasid, leaseId: NO_LEASE },
    { kind: 'release', set: { setId }, ioasid, leaseId: NO_LEASE },
  ]
}

const named = (commands: readonly Command[]) => commands.map((command) => [command.kind, command] as const)

describe('what is wrong is told in this order', () => {
  it.each(named([...ofSet(NO_SET), ...ofId(NO_SET, 2)]))('the set first: %s', (_kind, command) => {
    expect(reasonOf(command)).toBe('SET_NOT_FOUND')
  })

  it.each(named(ofId(own, 3)))('then that there is no such id: %s', (_kind, command) => {
    expect(reasonOf(command)).toBe('IOASID_NOT_FOUND')
  })

  it.each(named(ofId(own, 2)))('then that it is not of the set, before anything of its state: %s', (_kind, command) => {
    expect(reasonOf(command)).toBe('WRONG_SET')
  })

  it.each(
    named([
      { kind: 'acquire', set: { setId: own }, ioasid: asIoasid(1), leaseId: NO_LEASE },
      { kind: 'release', set: { setId: own }, ioasid: asIoasid(1), leaseId: NO_LEASE },
      { kind: 'create_set', token: 'vm-a', quota: 99, leaseId: NO_LEASE },
      { kind: 'register', leaseId: NO_LEASE, names: 'all', priority: 'CPU' },
      { kind: 'acknowledge', leaseId: NO_LEASE, revision: 99 },
      { kind: 'revive_lease', leaseId: NO_LEASE },
      { kind: 'revoke_lease', leaseId: NO_LEASE },
      { kind: 'expire_lease', leaseId: NO_LEASE },
    ]),
  )('then the lease: %s', (_kind, command) => {
    expect(reasonOf(command)).toBe('LEASE_NOT_FOUND')
  })

  it.each(
    named([
      { kind: 'detach_spid', setId: own, ioasid: asIoasid(1), device: '' },
      { kind: 'detach_data', setId: own, ioasid: asIoasid(1) },
      { kind: 'release', set: { setId: own }, ioasid: asIoasid(1), leaseId },
    ]),
  )('then what the id is not: %s', (_kind, command) => {
    expect(['NOT_BOUND', 'NO_DATA', 'NOT_HELD']).toContain(reasonOf(command))
  })
})

describe('the end of a lease', () => {
  it('returns the ids that waited for it ascending, in whatever order it acquired them', () => {
    const running = space()
    submit(running, { kind: 'allocate', setId: own, count: 1, min: 0, max: 15, spids: null, privateData: null })
    for (const id of [3, 2, 1]) {
      const setId = id === 2 ? asSetId(2) : own
      submit(running, { kind: 'acquire', set: { setId }, ioasid: asIoasid(id), leaseId })
    }
    submit(running, { kind: 'free_all', setId: own })
    submit(running, { kind: 'free_all', setId: asSetId(2) })
    expect(submit(running, { kind: 'revoke_lease', leaseId })).toMatchObject({
      events: [
        { kind: 'LEASE_END', leaseId },
        { kind: 'RECLAIM', set: { setId: own }, runs: [1, 1, 4, 3, 1, 6] },
        { kind: 'RECLAIM', set: { setId: asSetId(2) }, runs: [2, 1, 5] },
      ],
    })
  })
})
