import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { messageCodec } from '../../proto/load.ts'
import { countItems, requestsOfBatch } from '../../server/rpc/count-items.ts'
import { numberField } from '../support/rpc.ts'

const batch = messageCodec('ioasid.v1.BatchRequest')
const of = (count: number) =>
  batch.serialize({
    items: Array.from({ length: count }, (_, index) => ({
      allocate: { set_handle: 'x'.repeat(index), request_id: String(index) },
    })),
  })

describe('a Batch that is not decoded yet', () => {
  it('counts as many requests as it has items, whatever they hold', () => {
    for (const count of [1, 2, 127, 128, 1000]) expect(requestsOfBatch(of(count))).toBe(count)
  })

  it('counts at least one and at most a whole Batch, since with others it is refused in its turn', () => {
    expect(requestsOfBatch(of(0))).toBe(1)
    expect(requestsOfBatch(of(1001))).toBe(1000)
    expect(requestsOfBatch(undefined)).toBe(1)
  })

  it('has the items that the decoder finds, also beside fields that nobody knows', () => {
    const strangers = fc.constantFrom(
      Buffer.from([0x7a, 2, 10, 0]),
      numberField(9, 300),
      Buffer.concat([Buffer.from([9 * 8 + 1]), Buffer.alloc(8, 10)]),
      Buffer.concat([Buffer.from([9 * 8 + 5]), Buffer.alloc(4, 10)]),
    )
    const parts = fc.oneof(strangers, fc.integer({ min: 0, max: 3 }).map(of))
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 10 }), (all) => {
        const bytes = Buffer.concat(all)
        expect(countItems(bytes)).toBe(batch.deserialize(bytes).items.length)
      }),
    )
  })

  it('may be any bytes at all, and never has more items than bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(countItems(bytes)).toBeLessThanOrEqual(bytes.length / 2)
      }),
    )
  })
})
