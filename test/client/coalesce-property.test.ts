import fc from 'fast-check'
import { expect, it } from 'vitest'
import { makeClient } from '../../client/client.ts'
import { fakeTransport } from './fake-transport.ts'
import { grpcError } from './grpc-error.ts'
import { manualClock, settle } from './manual-clock.ts'

/** What becomes of one RPC: lost is done, but its answer does not arrive; busy is refused by the daemon, item by item. */
const fate = fc.constantFrom('done', 'done', 'away', 'lost', 'busy')
const caller = fc.record({
  /** Turns of the event loop before it calls. */
  turnsBefore: fc.nat(2),
  /** Turns after which it gives up; undefined: it does not. */
  turnsUntilAbort: fc.option(fc.nat(4), { nil: undefined }),
})

type Wire = Record<string, unknown>

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** A daemon that remembers what it has done, by request_id. */
function daemonOf(fates: readonly string[]) {
  const done: number[] = []
  const received = new Set<number>()
  let rpcs = 0
  const allocate = ({ request_id }: Wire): object => {
    const caller = Number(request_id)
    if (!done.includes(caller)) done.push(caller)
    return { ioasids: [caller], revision: String(caller + 1) }
  }
  const answer = async (path: string, request: Wire): Promise<object> => {
    const fate = fates[rpcs] ?? 'done'
    rpcs += 1
    const isBatch = path.endsWith('/Batch')
    const items = isBatch ? (request['items'] as { allocate: Wire }[]).map((item) => item.allocate) : [request]
    for (const { request_id } of items) received.add(Number(request_id))
    if (fate === 'away') throw grpcError('UNAVAILABLE')
    if (fate === 'busy' && !isBatch) throw grpcError('UNAVAILABLE', 'busy', { reason: 'OVERLOADED' })
    const busy = { failure: { code: 14, reason: 'OVERLOADED', message: 'busy', metadata: {} } }
    const results = items.map((item) => (fate === 'busy' ? busy : { allocate: allocate(item) }))
    // Others call and give up meanwhile.
    await turn()
    await turn()
    if (fate === 'lost') throw grpcError('UNAVAILABLE')
    return isBatch ? { results } : (results[0] as { allocate: object }).allocate
  }
  return { done, received, answer }
}

it('whatever RPCs come to, each change is done once, in the order of the calls, and is told of its own', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(caller, { minLength: 1, maxLength: 12 }),
      fc.array(fate, { maxLength: 8 }),
      async (callers, fates) => {
        const { clock, advance, timers } = manualClock()
        const { done, received, answer } = daemonOf(fates)
        const client = makeClient(() => fakeTransport(answer).transport, clock)
        const ends: (number | string)[] = []
        const running: Promise<unknown>[] = []
        for (const [index, { turnsBefore, turnsUntilAbort }] of callers.entries()) {
          for (let count = 0; count < turnsBefore; count += 1) await turn()
          const user = new AbortController()
          const request = { setHandle: 'handle', requestId: String(index) }
          const call = client.allocate(request, { signal: user.signal }).then(
            ({ ioasids }) => {
              expect(ends[index]).toBeUndefined()
              ends[index] = ioasids[0] ?? -1
            },
            ({ code }) => {
              expect(ends[index]).toBeUndefined()
              ends[index] = code
            },
          )
          running.push(call)
          if (turnsUntilAbort === 0) user.abort()
          else if (turnsUntilAbort !== undefined) running.push(abortAfter(turnsUntilAbort, user))
        }
        for (let count = 0; count < 20; count += 1) await advance(500)
        await Promise.all(running)
        await settle()

        for (const [index, { turnsUntilAbort }] of callers.entries()) {
          if (turnsUntilAbort === undefined) expect(ends[index]).toBe(index)
          else expect([index, 'CANCELLED']).toContain(ends[index])
          // Who was told has it, and who gave up before it was sent has not.
          if (ends[index] === index) expect(done).toContain(index)
          if (turnsUntilAbort === 0) expect(received.has(index)).toBe(false)
        }
        expect(done).toEqual([...done].sort((a, b) => a - b))
        expect(timers()).toBe(0)
        await client.close()
      },
    ),
    { numRuns: 100 },
  )
})

async function abortAfter(turns: number, user: AbortController): Promise<void> {
  for (let count = 0; count < turns; count += 1) await turn()
  user.abort()
}
