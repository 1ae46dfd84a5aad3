import { describe, expect, it } from 'vitest'
import type { Command, Decision } from '../../server/core/command.ts'
import { isFailure } from '../../server/core/failure.ts'
import { asIoasid, asLeaseId, asSetId, asSpid } from '../../server/core/ids.ts'
import { getIoasid, getLease } from '../../server/core/query.ts'
import { type Running, start, submit } from '../support/space.ts'

const setId = asSetId(1)
const first = asLeaseId(1)
const second = asLeaseId(2)

function done(running: Running, command: Command): Exclude<Decision, { reason: unknown }> {
  const decision = submit(running, command)
  if (isFailure(decision)) throw new Error(`${command.kind} was refused: ${decision.message}`)
  return decision
}

/** r1, r2: two leases; r3, r4: both hold everything; r5: set vm-a; r6: it has 1 and 2, bound. */
function space(): Running {
  const running = start()
  const terms = { name: '', ttlMs: 1000, onExpiry: 'HOLD' } as const
  for (const leaseId of [first, second]) done(running, { kind: 'grant_lease', terms: { ...terms, name: `${leaseId}` } })
  for (const leaseId of [first, second]) done(running, { kind: 'register', leaseId, names: 'all', priority: 'CPU' })
  done(running, { kind: 'create_set', token: 'vm-a', quota: 0, leaseId: null })
  const spids = [asSpid(101), asSpid(102)]
  done(running, { kind: 'allocate', setId, count: 2, min: 0, max: 15, spids, privateData: null })
  return running
}

const detach = (id: number): Command => ({ kind: 'detach_spid', setId, ioasid: asIoasid(id), device: '' })

describe('the word of a holder', () => {
  it('settles what was torn down up to its revision, however much another holder has acknowledged', () => {
    const running = space()
    done(running, detach(2))
    done(running, detach(1))
    done(running, { kind: 'attach_spid', setId, ioasid: asIoasid(1), spid: asSpid(101), device: '' })
    done(running, { kind: 'acknowledge', leaseId: first, revision: 9 })
    done(running, { kind: 'acknowledge', leaseId: second, revision: 7 })
    // The first one has nothing left to acknowledge, the second one has.
    expect(done(running, { kind: 'acknowledge', leaseId: first, revision: 10 }).events).toEqual([])
    expect(done(running, { kind: 'acknowledge', leaseId: second, revision: 8 }).events).toHaveLength(1)
  })

  it('is what ends its reference: to release what its lease acquired besides returns no id', () => {
    const running = space()
    const set = { setId }
    done(running, { kind: 'acquire', set, ioasid: asIoasid(1), leaseId: first })
    done(running, { kind: 'free', setId, ioasids: [asIoasid(1)], generation: null })
    done(running, { kind: 'acknowledge', leaseId: second, revision: 8 })
    const released = done(running, { kind: 'release', set, ioasid: asIoasid(1), leaseId: first })
    expect(released.answer).toEqual({ kind: 'released', references: 1, reclaimed: false })
    expect(getIoasid(running.state, 1, setId)).toMatchObject({ state: 'FREE_PENDING', references: 1 })
    const { events } = done(running, { kind: 'acknowledge', leaseId: first, revision: 8 })
    expect(events.map(({ kind }) => kind)).toEqual(['ACKNOWLEDGE', 'RECLAIM'])
  })

  it('returns the ids that waited for it ascending, in whatever order they were torn down', () => {
    const running = space()
    const free = (id: number): Command => ({ kind: 'free', setId, ioasids: [asIoasid(id)], generation: null })
    done(running, free(2))
    done(running, free(1))
    done(running, { kind: 'acknowledge', leaseId: first, revision: 8 })
    const { events } = done(running, { kind: 'acknowledge', leaseId: second, revision: 8 })
    expect(events.slice(1)).toEqual([{ kind: 'RECLAIM', set: { setId, token: 'vm-a' }, runs: [1, 2, 6] }])
  })

  it('keeps the reference to an id that is bound again, and so a held lease that has no other', () => {
    const running = space()
    done(running, detach(1))
    done(running, detach(2))
    done(running, { kind: 'acknowledge', leaseId: second, revision: 7 })
    done(running, { kind: 'expire_lease', leaseId: second })
    done(running, { kind: 'attach_spid', setId, ioasid: asIoasid(2), spid: asSpid(102), device: '' })
    const { events } = done(running, { kind: 'acknowledge', leaseId: second, revision: 8 })
    expect(events.map(({ kind }) => kind)).toEqual(['ACKNOWLEDGE'])
    expect(getLease(running.state, second)).toMatchObject({ state: 'HELD', references: 1 })
  })
})

describe('holders that would have too many references', () => {
  it('are told how many that would be', () => {
    const running = start({ maxReferences: 3 })
    const terms = { name: '', ttlMs: 1000, onExpiry: 'RELEASE' } as const
    for (const leaseId of [first, second]) {
      done(running, { kind: 'grant_lease', terms })
      done(running, { kind: 'register', leaseId, names: 'all', priority: 'CPU' })
    }
    done(running, { kind: 'create_set', token: 'vm-a', quota: 0, leaseId: null })
    const allocate = { kind: 'allocate', setId, count: 1, min: 0, max: 15, privateData: null } as const
    done(running, { ...allocate, spids: [asSpid(1)] })
    const message = 'Holders would have 4 references, more than the 3 allowed.'
    expect(submit(running, { ...allocate, spids: [asSpid(2)] })).toMatchObject({ reason: 'TOO_MANY', message })
  })
})
