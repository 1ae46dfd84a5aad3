import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createInFlight } from '../../server/rpc/in-flight.ts'

const LIMITS = { perConnectionBytes: 40, totalBytes: 100 }

function open(count: number) {
  const cut: [name: number, bytes: number][] = []
  const inFlight = createInFlight(LIMITS)
  const accounts = Array.from({ length: count }, (_, name) => inFlight.open((bytes) => void cut.push([name, bytes])))
  const [first, second, third, fourth] = accounts
  if (first === undefined || second === undefined) throw new Error('at least two')
  return { cut, accounts, first, second, third: third ?? first, fourth: fourth ?? first }
}

describe('what peers make the daemon keep', () => {
  it('is refused to a connection that has no room for it, and then does not count', () => {
    const { first, cut } = open(2)
    expect(first.take(40)).toBe(true)
    expect(first.take(1)).toBe(false)
    first.give(1)
    expect(first.take(1)).toBe(true)
    expect(cut).toEqual([])
  })

  it('counts beyond that room where it is there already', () => {
    const { first } = open(2)
    first.add(60)
    expect(first.take(1)).toBe(false)
    first.give(30)
    expect(first.take(10)).toBe(true)
  })

  it('cuts off the connection with the most when all together have too much, and nobody else', () => {
    const { first, second, third, cut } = open(3)
    first.take(30)
    second.add(45)
    third.take(25)
    expect(cut).toEqual([])
    third.take(1)
    expect(cut).toEqual([[1, 45]])
  })

  it('takes nothing into account of a connection that was cut off', () => {
    const { first, second, third, fourth, cut } = open(4)
    first.add(101)
    expect(cut).toEqual([[0, 101]])
    first.add(1000)
    first.give(1000)
    second.add(40)
    third.add(40)
    fourth.add(20)
    expect(cut).toHaveLength(1)
    fourth.add(1)
    expect(cut).toEqual([
      [0, 101],
      [1, 40],
    ])
  })

  it('is never more than the bound, whatever comes', () => {
    const step = fc.record({ name: fc.nat(3), bytes: fc.nat(60), how: fc.constantFrom('take', 'add', 'give') })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { accounts, cut } = open(4)
        const kept = [0, 0, 0, 0]
        for (const { name, bytes, how } of steps) {
          const account = accounts[name]
          if (account === undefined || cut.some(([gone]) => gone === name)) continue
          const before = kept[name] ?? 0
          const change = how === 'give' ? -Math.min(bytes, before) : bytes
          kept[name] = before + change
          if (how === 'give') account.give(-change)
          else if (how === 'add') account.add(bytes)
          else if (!account.take(bytes)) kept[name] = before
          else expect(kept[name]).toBeLessThanOrEqual(LIMITS.perConnectionBytes)
          for (const [gone] of cut) kept[gone] = 0
          expect(kept.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(LIMITS.totalBytes)
        }
      }),
    )
  })
})
