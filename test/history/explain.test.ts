import { describe, expect, it } from 'vitest'
import { asIoasid, asLeaseId, asSetId, asSpid } from '../../server/core/ids.ts'
import { changed, check, done, lease, logOf, readAt, rulesOf, set } from './by-hand.ts'
import type { Witness } from './witness.ts'

const LEASES = 12
const LATER_MS = 100_000
const LAST = LEASES + 6

/** Of twelve leases the last six end unseen, one after the other, long after all could have ended; the others live on. */
function endsUnseen(witness?: Witness) {
  const numbers = Array.from({ length: LEASES }, (_, index) => index + 1)
  const granted = numbers.map((number) => changed(number, ...lease(number)))
  const renewed = numbers.slice(0, 6).map((number) => {
    const revive = { kind: 'revive_lease', leaseId: asLeaseId(number) } as const
    return changed(LAST, revive, lease(number)[1], LATER_MS + number * 1_000)
  })
  const log = logOf([[LATER_MS, LAST, []]])
  return check([...granted, ...renewed], LAST, log, witness && { witness })
}

const grants = Array.from({ length: LEASES }, (_, index) => [['LEASE_GRANT', index + 1, '', 5_000, 'RELEASE']])
const ends = (leaseIds: readonly number[]): Witness => [[], ...grants, ...leaseIds.map((id) => [['LEASE_END', id]])]

describe('what made revisions that nobody was answered with', () => {
  it('is for the daemon to say where there are too many ways', () => {
    expect(endsUnseen(ends([12, 11, 10, 9, 8, 7]))).toEqual([])
  })

  it('is not certain without it', () => {
    const [violation, ...others] = endsUnseen()
    expect(violation?.what).toContain('not certain')
    expect(others).toEqual([])
  })

  it.each<[string, Witness]>([
    ['ends what lives on', ends([12, 11, 10, 9, 8, 1])],
    ['ends nothing', [...ends([12, 11, 10, 9, 8]), []]],
    ['lacks what was told', ends([12, 11, 10, 9, 8])],
    ['does what nobody asked for', [...ends([12, 11, 10, 9, 8]), [['ACQUIRE', 7, 1]]]],
  ])('is not believed where it %s', (_what, witness) => {
    expect(rulesOf(endsUnseen(witness))).toEqual([expect.stringMatching(/^(wrong answer|unexplained revision)$/)])
  })
})

/** Which of two acknowledgements, both answered with the same revision, changed something, only the lease shows. */
it.each([8, 9])('follows either of two requests that may have made a revision: up to %i', (acknowledged) => {
  const vm = asSetId(1)
  const names = { tokens: ['vm'], setIds: [] }
  const whole = { count: 1, min: asIoasid(0), max: asIoasid(7), spids: [asSpid(101)], privateData: null }
  const [, granted] = lease(1)
  const acknowledge = (revision: number) => ({ kind: 'acknowledge', leaseId: asLeaseId(1), revision }) as const
  const unbind = { kind: 'detach_spid', setId: vm, ioasid: asIoasid(1), device: '' } as const
  const data = { kind: 'attach_data', setId: vm, ioasid: asIoasid(1), privateData: Uint8Array.of(65) } as const
  const operations = [
    changed(1, { kind: 'create_set', token: 'vm', quota: 0, leaseId: null }, set(undefined, 1)),
    changed(2, ...lease(1)),
    changed(3, { kind: 'register', leaseId: asLeaseId(1), names, priority: 'CPU' }, done),
    changed(4, { kind: 'allocate', setId: vm, ...whole }, { kind: 'allocated', ids: [1] }),
    changed(5, ...lease(2)),
    changed(6, ...lease(3)),
    changed(7, data, done),
    changed(8, unbind, done),
    changed(9, { ...data, kind: 'detach_data' }, done),
    changed(10, acknowledge(9), done),
    changed(10, acknowledge(8), done, 10_001),
    readAt(
      11_000,
      { kind: 'lease', leaseId: 1 },
      {
        ...Object.fromEntries(Object.entries(granted).filter(([key]) => key !== 'kind')),
        hold: { priority: 'CPU', registerRevision: 3, acknowledged },
      },
    ),
  ]
  const log = logOf([
    [1_050, 1, ['SET_ALLOC - of 1 vm, 0']],
    [4_050, 4, ['ALLOC 1 of 1 vm, 4', 'BIND 1 of 1 vm, 4 101 4']],
    [8_050, 8, ['UNBIND 1 of 1 vm, 4 101 4']],
    [10_960, 10, []],
  ])
  expect(check(operations, 10, log)).toEqual([])
})
