import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRequestFrame } from '../../server/rpc/request-frame.ts'
import { grpcMessage } from '../hostile/frames.ts'

const MAX = 10_000

/** What each part counts; undefined from where it goes too far. */
function counts(parts: readonly Uint8Array[], maxMessages = 1): (number | undefined)[] {
  const frame = createRequestFrame(MAX, maxMessages)
  return parts.map((part) => frame.take(part))
}

describe('what a request counts while it arrives', () => {
  it('is its bytes, in whatever parts they come', () => {
    const cuts = fc.array(fc.nat(60), { maxLength: 5 })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), cuts, (message, places) => {
        const bytes = grpcMessage(message)
        const at = [0, ...places.filter((place) => place < bytes.length).sort((a, b) => a - b), bytes.length]
        const parts = at.slice(1).map((end, index) => bytes.subarray(at[index], end))
        expect(counts(parts).reduce((sum, count) => (sum ?? Number.NaN) + (count ?? Number.NaN), 0)).toBe(bytes.length)
      }),
    )
  })

  it('is what a compressed message may grow to as soon as its head is there', () => {
    const bytes = grpcMessage(Buffer.alloc(5), 1)
    expect(counts([bytes.subarray(0, 4), bytes.subarray(4, 6), bytes.subarray(6)])).toEqual([4, 2 + 5 * 1032, 4])
  })

  it('is no more than a message may have, however far it would grow', () => {
    expect(counts([grpcMessage(Buffer.alloc(0), 1, 2 ** 32 - 1)])).toEqual([5 + MAX])
  })

  it('is nothing that can be counted when a second message follows', () => {
    const bytes = grpcMessage(Buffer.alloc(3))
    expect(counts([Buffer.concat([bytes, bytes.subarray(0, 1)])])).toEqual([undefined])
    expect(counts([bytes, bytes.subarray(0, 1)])).toEqual([8, undefined])
    const empty = grpcMessage(Buffer.alloc(0))
    expect(counts([Buffer.concat([empty, empty])])).toEqual([undefined])
  })

  it('is that of each message where a method takes many', () => {
    const plain = grpcMessage(Buffer.alloc(3))
    const packed = grpcMessage(Buffer.alloc(2), 1)
    const bytes = Buffer.concat([plain, packed, packed])
    expect(counts([bytes], 3)).toEqual([bytes.length + 4 * 1032])
    expect(counts([bytes.subarray(0, 10), bytes.subarray(10)], 3)).toEqual([10, bytes.length - 10 + 4 * 1032])
    expect(counts([bytes], 2)).toEqual([undefined])
  })
})
