import { describe, expect, it } from 'vitest'
import { createPageTurns } from '../../server/rpc/page-turns.ts'

function started() {
  const begun: number[] = []
  const turns = createPageTurns(() => Promise.resolve())
  const enter = (name: number) => turns.enter(() => void begun.push(name))
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  return { begun, enter, settle }
}

describe('pages of one connection', () => {
  it('are four at a time, and the others wait in the order of asking', async () => {
    const { begun, enter, settle } = started()
    const calls = [1, 2, 3, 4, 5, 6].map(enter)
    await settle()
    expect(begun).toEqual([1, 2, 3, 4])
    calls[2]?.leave()
    calls[2]?.leave()
    await settle()
    expect(begun).toEqual([1, 2, 3, 4, 5])
    calls[0]?.leave()
    await settle()
    expect(begun).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('that were given up are not made, and keep nobody waiting', async () => {
    const { begun, enter, settle } = started()
    const calls = [1, 2, 3, 4, 5, 6].map(enter)
    calls[0]?.leave()
    calls[4]?.leave()
    await settle()
    expect(begun).toEqual([2, 3, 4, 6])
  })
})
