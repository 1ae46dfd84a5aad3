import { describe, expect, it } from 'vitest'
import { type Event, NOTIFICATION_TYPES, weigh } from '../../server/core/event.ts'
import { asIoasid, asLeaseId, asRevision, asSetId } from '../../server/core/ids.ts'

const set = { setId: asSetId(1), token: 'vm-a' }
const leaseId = asLeaseId(1)

function bytes(...events: readonly Event[]): number {
  return weigh({ revision: asRevision(1), servingMs: 0, wallMs: 0, events })
}

describe('an entry weighs', () => {
  it.each<[what: string, weight: number, events: readonly Event[]]>([
    ['something without an event', 0, []],
    [
      'its events',
      2 * 96,
      [
        { kind: 'LEASE_END', leaseId },
        { kind: 'LEASE_HELD', leaseId },
      ],
    ],
    ['the token of each', 96 + 4, [{ kind: 'SET_FREE', set }]],
    ['eight bytes for each number of its runs', 96 + 4 + 4 * 8, [{ kind: 'ALLOC', set, runs: [1, 2, 7, 1] }]],
    ['private data', 96 + 4 + 2 * 8 + 5, [{ kind: 'DATA', set, runs: [1, 1], data: new Uint8Array(5) }]],
    ['nothing for data that go', 96 + 4 + 2 * 8, [{ kind: 'DATA', set, runs: [1, 1], data: null }]],
    ['no device', 96 + 4, [{ kind: 'DEVICE_ATTACH', set, ioasid: asIoasid(1), device: 'nic' }]],
    ['nothing for all sets', 96, [{ kind: 'REGISTER', leaseId, names: 'all', priority: 'CPU' }]],
    [
      'the names of a registration',
      96 + (4 + 3) + (2 + 3) + 3 * 8,
      [
        {
          kind: 'REGISTER',
          leaseId,
          names: { tokens: ['vm-a', 'vm'], setIds: [1, 2, 3].map(asSetId) },
          priority: 'CPU',
        },
      ],
    ],
  ])('%s', (_what, weight, events) => {
    expect(bytes(...events)).toBe(128 + weight)
  })

  it('eight bytes for each number of the past of its ids', () => {
    const entry = { revision: asRevision(1), servingMs: 0, wallMs: 0, events: [], past: [[1, 2, 3], [4]] }
    expect(weigh(entry)).toBe(128 + 4 * 8)
  })
})

describe('a subscriber', () => {
  it('may name every type of notification', () => {
    expect(NOTIFICATION_TYPES).toEqual([
      'SET_ALLOC',
      'SET_FREE',
      'SET_ADJUST',
      'ALLOC',
      'BIND',
      'UNBIND',
      'FREE',
      'RECLAIM',
    ])
  })
})
