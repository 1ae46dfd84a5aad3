import { expect, it } from 'vitest'
import { createTurnstile } from '../../server/engine/turnstile.ts'

it('a turnstile lets so many through in one turn, in the order of asking', async () => {
  const turns: (() => void)[] = []
  const pass = createTurnstile((callback) => void turns.push(callback), 2)
  const passed: number[] = []
  const ask = (name: number) => void pass().then(() => passed.push(name))
  const turn = async () => {
    turns.shift()?.()
    await Promise.resolve()
  }
  for (const name of [1, 2, 3]) ask(name)
  expect(turns).toHaveLength(1)
  await turn()
  expect(passed).toEqual([1, 2])
  ask(4)
  await turn()
  expect(passed).toEqual([1, 2, 3, 4])
  expect(turns).toHaveLength(0)
  ask(5)
  await turn()
  expect(passed).toEqual([1, 2, 3, 4, 5])
})
