import { describe, expect, it } from 'vitest'
import type { Command } from '../../server/core/command.ts'
import type { LeaseId, SetId } from '../../server/core/ids.ts'
import { command, createSet, grantLease, memoryStore, must, request, run } from '../support/engine.ts'

/** Changes of one id each, in an order in which they follow one another. */
const CHANGES: readonly [string, (setId: SetId, id: number, leaseId: LeaseId) => Command][] = [
  ['allocate', (setId) => command.allocate(setId)],
  ['attach_spid', (setId, id) => command.attachSpid(setId, id, id, '')],
  ['acquire', (setId, id, leaseId) => command.acquire(setId, id, leaseId)],
  ['release', (setId, id, leaseId) => command.release(setId, id, leaseId)],
  ['detach_spid', (setId, id) => command.detachSpid(setId, id)],
  ['free', (setId, id) => command.free(setId, [id])],
]

describe('what an answer is thought to weigh', () => {
  it('lets sixty-four answers to small changes share a mark, whichever they are', async () => {
    const store = memoryStore()
    const { engine } = await run({ store })
    const setId = await createSet(engine, 'vm')
    const leaseId = await grantLease(engine, 60_000)
    let before = 0
    for (const [kind, change] of CHANGES) {
      const sent = Array.from({ length: 128 }, (_, index) =>
        engine.submit(change(setId, index + 1, leaseId), request(crypto.randomUUID())),
      )
      for (const outcome of await Promise.all(sent)) must(outcome)
      const marks = await answerMarks(store)
      expect(marks - before, kind).toBe(2)
      before = marks
    }
  })

  it('counts a change that waits for the disk for about what it takes', async () => {
    const { engine } = await run()
    const setId = await createSet(engine, 'vm')
    must(await engine.submit(command.allocate(setId), undefined))
    const bytesOf = async (change: Command) => {
      const sent = engine.submit(change, request(crypto.randomUUID()))
      const { undurableBytes } = engine.pulse
      must(await sent)
      return undurableBytes
    }
    // An entry of one event is a quarter of a KiB, and the answer less.
    expect(await bytesOf(command.attachSpid(setId, 1, 9, ''))).toBeLessThan(512)
  })
})

async function answerMarks(store: ReturnType<typeof memoryStore>): Promise<number> {
  let marks = 0
  for await (const { key } of (await store.load()).marks) if (key.startsWith('answer/')) marks += 1
  return marks
}
