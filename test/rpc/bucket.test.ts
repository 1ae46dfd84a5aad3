import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createBucket } from '../../server/rpc/bucket.ts'
import { createManualClock } from '../support/manual-clock.ts'

function filled(perSecond: number, burst: number) {
  const clock = createManualClock()
  const bucket = createBucket(perSecond, burst, clock.monotonicMs)
  /** true: granted. */
  const ask = (count = 1) => {
    if (!bucket.has(count)) return false
    bucket.take(count)
    return true
  }
  return { clock, bucket, ask }
}

describe('a bucket of requests', () => {
  it('grants a burst at once, and then as much as time brings', () => {
    const { clock, ask } = filled(2, 3)
    expect([ask(), ask(), ask(), ask()]).toEqual([true, true, true, false])
    clock.advance(499)
    expect(ask()).toBe(false)
    clock.advance(1)
    expect([ask(), ask()]).toEqual([true, false])
    clock.advance(60_000)
    expect([ask(3), ask()]).toEqual([true, false])
  })

  it('says when there will be as much as was asked for', () => {
    const { clock, bucket, ask } = filled(5, 10)
    expect(ask(10)).toBe(true)
    const waitMs = bucket.promise(3)
    expect(waitMs).toBe(600)
    clock.advance(waitMs - 1)
    expect(ask(3)).toBe(false)
    clock.advance(1)
    expect(ask(3)).toBe(true)
  })

  it('sends those whom it refuses together back one after the other', () => {
    const { clock, bucket, ask } = filled(1000, 1000)
    ask(1000)
    const waits = Array.from({ length: 100 }, () => bucket.promise(1))
    expect(waits).toEqual(Array.from({ length: 100 }, (_, index) => index + 1))
    const results = waits.map(() => {
      clock.advance(1)
      return ask()
    })
    expect(results).toEqual(waits.map(() => true))
  })

  it('makes nobody wait longer than the whole of it takes, however many others do not keep to what they are told', () => {
    const { clock, bucket, ask } = filled(1000, 2000)
    ask(2000)
    for (let call = 0; call < 100_000; call++) bucket.promise(1)
    expect(bucket.promise(1)).toBe(2000)
    clock.advance(2000)
    expect(ask(2000)).toBe(true)
  })

  it('is as new when as much time has passed as it says', () => {
    const { clock, bucket, ask } = filled(3, 10)
    expect(bucket.untilFullMs()).toBe(0)
    ask(10)
    expect(bucket.untilFullMs()).toBe(3334)
    clock.advance(3334)
    expect(bucket.untilFullMs()).toBe(0)
    expect(ask(10)).toBe(true)
  })

  it('never grants more than burst + rate × time, over whatever stretch, and nothing that was promised is kept from who waits', () => {
    const step = fc.record({ waitMs: fc.nat(700), count: fc.integer({ min: 1, max: 12 }) })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.array(step, { maxLength: 50 }), (perSecond, steps) => {
        const burst = 10
        const { clock, bucket, ask } = filled(perSecond, burst)
        const granted: { atMs: number; count: number }[] = []
        for (const { waitMs, count } of steps) {
          clock.advance(waitMs)
          const atMs = clock.monotonicMs()
          if (ask(count)) granted.push({ atMs, count })
          else expect(bucket.promise(count)).toBeGreaterThanOrEqual(1)
        }
        for (const [index, { atMs }] of granted.entries()) {
          let sum = 0
          for (const later of granted.slice(index)) {
            sum += later.count
            expect(sum).toBeLessThanOrEqual(burst + (perSecond * (later.atMs - atMs)) / 1000)
          }
        }
      }),
    )
  })

  it('is there for who comes back alone when he was told to', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.array(fc.nat(1500), { maxLength: 20 }),
        (perSecond, pauses) => {
          const { clock, bucket, ask } = filled(perSecond, 1000)
          for (const pause of pauses) {
            clock.advance(pause)
            while (ask(250));
            clock.advance(bucket.promise(250))
            expect(ask(250)).toBe(true)
          }
        },
      ),
    )
  })
})
