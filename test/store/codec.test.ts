import { isDeepStrictEqual } from 'node:util'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Entry, Event } from '../../server/core/event.ts'
import { asIoasid, asLeaseId, asRevision, asSetId, asSpid, type Revision } from '../../server/core/ids.ts'
import { type FrozenState, freeze } from '../../server/core/state.ts'
import {
  decodeEntry,
  decodeLines,
  decodeParts,
  encodeEntries,
  encodeParts,
  RECORD_BYTES,
} from '../../server/store/codec.ts'
import { decodeSnapshot, encodeSnapshot } from '../../server/store/snapshot.ts'
import { StoreError, type StoreProblem } from '../../server/store/store.ts'
import { contentOf, start, submit } from '../support/space.ts'
import { busySpace, longEntry, plainEntry } from './history.ts'

/** The problem that it reports; anything else that is thrown is a bug. */
function problemOf(act: () => unknown): StoreProblem | 'none' {
  try {
    act()
    return 'none'
  } catch (error) {
    if (error instanceof StoreError) return error.problem
    throw error
  }
}

const number = fc.maxSafeNat()
const set = fc.record({ setId: number.map(asSetId), token: fc.string({ unit: 'grapheme', maxLength: 64 }) })
const runs = fc.array(number, { maxLength: 20 })
const device = fc.string({ unit: 'grapheme', maxLength: 20 })
const leaseId = number.map(asLeaseId)
const ioasid = number.map(asIoasid)
const kinds = <Kind extends Event['kind']>(...names: readonly Kind[]) => fc.constantFrom(...names)
const terms = fc.record({ name: device, ttlMs: number, onExpiry: fc.constantFrom('RELEASE' as const, 'HOLD' as const) })
const names = fc.oneof(
  fc.constant('all' as const),
  fc.record({ tokens: fc.array(device, { maxLength: 5 }), setIds: fc.array(number.map(asSetId), { maxLength: 5 }) }),
)
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ kind: kinds('SET_ALLOC'), set, quota: number, leaseId }),
  fc.record({ kind: kinds('SET_ADJUST'), set, quota: number }),
  fc.record({ kind: kinds('SET_FREE', 'SET_DRAIN'), set }),
  fc.record({ kind: kinds('ALLOC', 'RECLAIM'), set, runs }),
  fc.record({ kind: kinds('UNBIND', 'FREE'), set, runs, pending: fc.boolean() }),
  fc.record({ kind: kinds('BIND'), set, runs, device }),
  fc.record({ kind: kinds('DEVICE_ATTACH', 'DEVICE_DETACH'), set, ioasid, device }),
  fc.record({ kind: kinds('DATA'), set, runs, data: fc.option(fc.uint8Array({ maxLength: 100 })) }),
  fc.record({ kind: kinds('ACQUIRE', 'RELEASE'), set, ioasid, leaseId }),
  fc.record({ kind: kinds('LEASE_GRANT'), leaseId, terms }),
  fc.record({ kind: kinds('LEASE_HELD', 'LEASE_REVIVE', 'LEASE_END'), leaseId }),
  fc.record({ kind: kinds('REGISTER'), leaseId, names, priority: fc.constantFrom('CPU', 'IOMMU', 'DEVICE') }),
  fc.record({ kind: kinds('ACKNOWLEDGE'), leaseId, acknowledged: number.map(asRevision) }),
)
const entry: fc.Arbitrary<Entry> = fc.record({
  revision: number.map(asRevision),
  servingMs: number,
  wallMs: number,
  events: fc.array(event, { maxLength: 8 }),
})

/** The only entry of the records. */
function entryOf(records: readonly Uint8Array[], revision: Revision): Entry {
  const [line = '', ...others] = decodeLines(records, revision)
  expect(others).toEqual([])
  return decodeEntry(line, revision)
}

describe('an entry', () => {
  test('comes out of its records as it went in', () => {
    fc.assert(
      fc.property(entry, (entry) => {
        expect(entryOf(encodeEntries([entry]), entry.revision)).toEqual(entry)
      }),
    )
  })

  test('longer than a record is several, none longer than a megabyte', () => {
    const entry = longEntry(7)
    const records = encodeEntries([entry])
    expect(records).toHaveLength(3)
    expect(records.every((record) => record.length <= RECORD_BYTES)).toBe(true)
    expect(isDeepStrictEqual(entryOf(records, entry.revision), entry)).toBe(true)
  })

  test('is JSON after ten bytes, so that it can be read without this program', () => {
    const [record] = encodeEntries([plainEntry(3)])
    expect(JSON.parse(Buffer.from(record ?? []).toString('utf8', 10))).toEqual(plainEntry(3))
  })

  test('with any byte of its record changed is found to be damaged', () => {
    fc.assert(
      fc.property(entry, fc.nat(), fc.integer({ min: 1, max: 255 }), (entry, place, flip) => {
        const [record = new Uint8Array()] = encodeEntries([entry])
        const changed = flipped(record, place % record.length, flip)
        expect(problemOf(() => entryOf([changed], entry.revision))).toBe('DAMAGED')
      }),
    )
  })

  test('cut off anywhere is found to be damaged', () => {
    const [record = new Uint8Array()] = encodeEntries([plainEntry(1)])
    for (let length = 0; length < record.length; length++) {
      expect(problemOf(() => entryOf([record.subarray(0, length)], asRevision(1)))).toBe('DAMAGED')
    }
  })

  test.each([
    ['missing', []],
    ['without its end', [0, 1]],
    ['without its middle', [0, 2]],
    ['without its beginning', [1, 2]],
    ['in another order', [1, 0, 2]],
    ['with a part twice', [0, 1, 1, 2]],
  ])('%s is found to be damaged', (_what, order) => {
    const records = encodeEntries([longEntry(7)])
    const kept = order.flatMap((part) => records[part] ?? [])
    expect(problemOf(() => entryOf(kept, asRevision(7)))).toBe('DAMAGED')
  })

  test('of another revision is found to be damaged', () => {
    expect(() => entryOf(encodeEntries([plainEntry(4)]), asRevision(5))).toThrow('log entry 5 holds entry 4')
  })

  test('of a later format says so, where its bytes are whole', () => {
    const [record = new Uint8Array()] = encodeParts(Uint8Array.of(1))
    const later = withVersion(record, 2)
    expect(problemOf(() => decodeParts([later], 'it'))).toBe('NEWER_FORMAT')
  })
})

describe('a snapshot', () => {
  test('comes out of its records as it went in', () => {
    const frozen = freeze(busySpace().state)
    expect(contentOf(thawed(encodeSnapshot(frozen)))).toEqual(contentOf(frozen))
  })

  test('of an empty space is one', () => {
    const frozen = freeze(start().state)
    expect(contentOf(thawed(encodeSnapshot(frozen)))).toEqual(contentOf(frozen))
  })

  test('keeps pages that were never used undefined, and the others ready to be written', () => {
    const { pages, epoch } = decodeSnapshot(encodeSnapshot(freeze(busySpace().state))).table
    expect(epoch).toBe(0)
    expect(pages.map((page) => page?.epoch)).toEqual([0, undefined, 0])
  })

  test('of thousands of sets and much private data is many small records', () => {
    const running = start({ capacity: 10_000, maxPrivateData: 1 << 26 })
    for (let count = 0; count < 3000; count++) {
      submit(running, { kind: 'create_set', token: 'ü'.repeat(100) + count, quota: 0, leaseId: null })
    }
    const privateData = new Uint8Array(4096).fill(200)
    const setId = asSetId(1)
    submit(running, { kind: 'allocate', setId, count: 2000, min: 1, max: 9999, spids: null, privateData })
    const frozen = freeze(running.state)
    const records = [...encodeSnapshot(frozen)]
    expect(Math.max(...records.map((record) => record.length))).toBeLessThan(RECORD_BYTES / 2)
    expect(isDeepStrictEqual(contentOf(thawed(records)), contentOf(frozen))).toBe(true)
  })

  test('of leases, references, holds and pending ids holds them all', () => {
    const { state } = busySpace()
    const frozen = freeze(state)
    const leases = [...state.leases.values()]
    expect(
      leases.map(({ isHeld, references, holding }) => [isHeld, references, holding?.references, holding?.names]),
    ).toEqual([
      [false, 1, undefined, undefined],
      [true, 3, undefined, undefined],
      [false, 0, 3, { tokens: ['vm-alive', 'vm-später'], setIds: [1, 2] }],
      [false, 0, 3, 'all'],
      [true, 0, 3, null],
    ])
    expect(state.freePending).toBe(3)
    const base = decodeSnapshot(encodeSnapshot(frozen))
    expect([...base.leases.values()]).toEqual(frozen.leases)
    expect(base.lastLeaseId).toBe(5)
    const pages = base.table.pages.flatMap((page) => page ?? [])
    const known = state.table.pages.flatMap((page) => page ?? [])
    expect(pages.map(({ references }) => references)).toEqual(known.map(({ references }) => references))
    expect(pages.map(({ holds }) => holds)).toEqual(known.map(({ holds }) => holds))
    const written = known.flatMap(({ holds }) => [...holds.values()].flat())
    expect(written.map(({ leaseId, awaiting }) => [leaseId, awaiting > 0])).toEqual(
      expect.arrayContaining([
        [3, true],
        [4, false],
        [5, false],
        [5, true],
      ]),
    )
    expect(pages.map(({ pending }) => pending)).toEqual(known.map(({ pending }) => pending))
  })

  test('of an id that thousands of leases hold is whole', () => {
    const running = start()
    submit(running, { kind: 'create_set', token: 'vm', quota: 0, leaseId: null })
    submit(running, { kind: 'allocate', setId: asSetId(1), count: 3, min: 1, max: 9, spids: null, privateData: null })
    for (let holder = 1; holder <= 5000; holder++) {
      const leaseId = asLeaseId(holder)
      submit(running, { kind: 'grant_lease', terms: { name: 'ü'.repeat(100), ttlMs: 1000, onExpiry: 'HOLD' } })
      submit(running, { kind: 'acquire', set: { token: 'vm' }, ioasid: asIoasid(holder % 5 === 0 ? 2 : 1), leaseId })
    }
    const frozen = freeze(running.state)
    const records = [...encodeSnapshot(frozen)]
    expect(Math.max(...records.map((record) => record.length))).toBeLessThan(RECORD_BYTES / 2)
    expect(isDeepStrictEqual(contentOf(thawed(records)), contentOf(frozen))).toBe(true)
  })

  test('of an id that thousands of leases must still clean up after is whole, and so are long registrations', () => {
    const running = start()
    submit(running, { kind: 'create_set', token: 'vm', quota: 0, leaseId: null })
    const others = Array.from({ length: 1023 }, (_, index) => `${'ü'.repeat(100)}${index}`)
    for (let holder = 1; holder <= 2000; holder++) {
      submit(running, { kind: 'grant_lease', terms: { name: '', ttlMs: 1000, onExpiry: 'HOLD' } })
      const tokens = ['vm', ...(holder % 100 === 0 ? others : [])]
      submit(running, {
        kind: 'register',
        leaseId: asLeaseId(holder),
        names: { tokens, setIds: [] },
        priority: 'CPU',
      })
    }
    const spids = [asSpid(1)]
    submit(running, { kind: 'allocate', setId: asSetId(1), count: 1, min: 1, max: 9, spids, privateData: null })
    submit(running, { kind: 'free_all', setId: asSetId(1) })
    const frozen = freeze(running.state)
    const records = [...encodeSnapshot(frozen)]
    expect(Math.max(...records.map((record) => record.length))).toBeLessThan(RECORD_BYTES / 2)
    expect(isDeepStrictEqual(contentOf(thawed(records)), contentOf(frozen))).toBe(true)
  })

  test('with any byte changed is found to be damaged', () => {
    const records = [...encodeSnapshot(freeze(busySpace().state))]
    fc.assert(
      fc.property(fc.nat(records.length - 1), fc.nat(), fc.integer({ min: 1, max: 255 }), (part, place, flip) => {
        const changed = records.map((record, index) =>
          index === part ? flipped(record, place % record.length, flip) : record,
        )
        expect(problemOf(() => decodeSnapshot(changed))).toBe('DAMAGED')
      }),
      { numRuns: 300 },
    )
  })

  test('that lacks a part, or has one twice, is found to be damaged', () => {
    const records = [...encodeSnapshot(freeze(busySpace().state))]
    for (let part = 0; part < records.length; part++) {
      const [record = new Uint8Array()] = records.slice(part, part + 1)
      expect(problemOf(() => decodeSnapshot(records.toSpliced(part, 1)))).toBe('DAMAGED')
      expect(problemOf(() => decodeSnapshot(records.toSpliced(part, 0, record)))).toBe('DAMAGED')
    }
  })
})

function thawed(records: Iterable<Uint8Array>): FrozenState {
  const base = decodeSnapshot(records)
  const { revisions, order, first } = base.endedSets
  const [leases, sets] = [[...base.leases.values()], [...base.sets.values()]]
  return { ...base, leases, sets, endedSets: { revisions, order, from: first, to: order.length } }
}

function flipped(record: Uint8Array, place: number, flip: number): Uint8Array {
  return record.map((byte, index) => (index === place ? byte ^ flip : byte))
}

/** The record as a release with another format would write it, checksum included. */
function withVersion(record: Uint8Array, version: number): Uint8Array {
  const changed = flipped(record, 4, 1 ^ version)
  new DataView(changed.buffer).setUint32(0, crc32(changed.subarray(4)), true)
  return changed
}
