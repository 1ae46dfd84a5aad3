import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Entry } from '../../server/core/event.ts'
import { asRevision, asSetId } from '../../server/core/ids.ts'
import { decodeLines, encodeEntries } from '../../server/store/codec.ts'
import { addToLog, findLog, partKey, readLog, readPartKey, removeOldest } from '../../server/store/kv-log.ts'
import { createTables } from '../simulation/tables.ts'

const place = fc.record({ number: fc.maxSafeNat(), part: fc.nat(0xffff_ffff) })

test('a key says which part of what it is', () => {
  fc.assert(
    fc.property(place, ({ number, part }) => {
      expect(readPartKey(partKey(number, part), 'it')).toEqual({ number, part })
    }),
  )
})

test('keys sort bytewise as numbers do, and parts within a number', () => {
  fc.assert(
    fc.property(place, place, (a, b) => {
      const order = a.number - b.number || a.part - b.part
      expect(Buffer.compare(partKey(a.number, a.part), partKey(b.number, b.part))).toBe(Math.sign(order))
    }),
  )
})

test('bytes that are no key are found to be damaged', () => {
  for (const key of [new Uint8Array(0), new Uint8Array(11), new Uint8Array(13), new Uint8Array(12).fill(0xff)]) {
    expect(() => readPartKey(key, 'it')).toThrow('damaged')
  }
})

/** An entry that weighs about so much. */
function entryOf(revision: number, dataBytes: number): Entry {
  const set = { setId: asSetId(1), token: 'vm' }
  const data = new Uint8Array(dataBytes).fill(revision)
  return {
    revision: asRevision(revision),
    servingMs: revision,
    wallMs: 0,
    events: [{ kind: 'DATA', set, runs: [revision, 1], data }],
  }
}

/** A log that was written in batches, each of as many entries as it has sizes. */
function logOf(batches: readonly (readonly number[])[]) {
  const tables = createTables()
  const kv = {
    ...tables,
    keys: (...range: Parameters<typeof tables.range>) => tables.range(...range).map((pair) => pair.key),
  }
  const entries: Entry[] = []
  for (const sizes of batches) {
    const batch = sizes.map((bytes, index) => entryOf(entries.length + index + 1, bytes))
    tables.apply(addToLog(batch))
    entries.push(...batch)
  }
  const unused = () => Promise.reject(new Error('not written to'))
  return {
    kv: { ...kv, name: 'a log', write: unused, writeNow: () => {}, close: unused },
    entries,
    apply: tables.apply,
  }
}

/** As encoded. */
function lengthOf(entries: readonly Entry[]): number {
  const lines = entries.flatMap((entry) => decodeLines(encodeEntries([entry]), entry.revision))
  return lines.reduce((length, line) => length + line.length, 0)
}

const sizes = fc.oneof(
  { weight: 100, arbitrary: fc.nat(200) },
  { weight: 10, arbitrary: fc.constantFrom(6_000, 12_000, 17_000) },
  // In several records.
  fc.constant(1 << 20),
)
const batches = fc.array(fc.array(sizes, { minLength: 1, maxLength: 100 }), { minLength: 1, maxLength: 6 })

test('entries are read back from any revision on, whichever were written together', () => {
  fc.assert(
    fc.property(batches, fc.nat(), fc.nat(), fc.nat(40_000), (batches, a, b, maxBytes) => {
      const { kv, entries } = logOf(batches)
      const after = a % entries.length
      const last = after + 1 + (b % (entries.length - after))
      const read = readLog(kv, asRevision(after), asRevision(last), maxBytes)
      expect(read.length).toBeGreaterThan(0)
      expect(isDeepStrictEqual(read, entries.slice(after, after + read.length))).toBe(true)
      const next = entries.slice(after, last)[read.length]
      if (read.length > 1) expect(lengthOf(read)).toBeLessThanOrEqual(maxBytes)
      if (next !== undefined) expect(lengthOf([...read, next])).toBeGreaterThan(maxBytes)
    }),
    { numRuns: 60 },
  )
})

test('the oldest entries are removed up to a revision, whichever were written together, and the others stay', () => {
  fc.assert(
    fc.property(batches, fc.nat(), fc.nat(40), fc.nat(20_000), (batches, a, maxRecords, maxBytes) => {
      const { kv, entries, apply } = logOf(batches)
      const through = 1 + (a % entries.length)
      const before = bytesOf(kv)
      let removed = 0
      for (let removedBytes = 0; removed < through; ) {
        const removal = removeOldest(kv, asRevision(through), maxRecords + 1, maxBytes + 1)
        apply(removal.changes)
        removedBytes += removal.bytes
        expect(removal.throughRevision).toBeGreaterThan(removed)
        removed = removal.throughRevision
        expect(before - bytesOf(kv)).toBe(removedBytes)
        expect(findLog(kv, asRevision(removed))).toEqual({
          removedRevision: removed,
          lastRevision: entries.length,
          unfinished: [],
        })
      }
      expect(removed).toBe(through)
      const rest = readLog(kv, asRevision(through), asRevision(entries.length), 1 << 30)
      expect(isDeepStrictEqual(rest, entries.slice(through))).toBe(true)
    }),
    { numRuns: 60 },
  )
})

function bytesOf(kv: {
  range(table: 'log', from: Uint8Array, to: Uint8Array): Iterable<{ value: Uint8Array }>
}): number {
  let bytes = 0
  for (const { value } of kv.range('log', partKey(0, 0), partKey(Number.MAX_SAFE_INTEGER, 0))) bytes += value.length
  return bytes
}

test('entries that are written together are few records, and a large one is alone in its own', () => {
  const { kv } = logOf([[...Array<number>(100).fill(10), 20_000, 10, 10]])
  const keys = kv.keys('log', partKey(0, 0), partKey(1_000, 0)).map((key) => readPartKey(key, 'it'))
  expect(keys).toEqual([1, 65, 101, 102].map((number) => ({ number, part: 0 })))
})
