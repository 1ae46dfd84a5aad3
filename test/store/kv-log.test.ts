import fc from 'fast-check'
import { expect, test } from 'vitest'
import { partKey, readPartKey } from '../../server/store/kv-log.ts'

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
