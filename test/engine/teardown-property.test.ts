import fc from 'fast-check'
import { describe, it } from 'vitest'
import { startWaves } from '../support/wave-world.ts'

/**
 * Random owners, holders, acknowledgements, ends of leases, stopped readers and restarts, beside a model that writes every
 * reference down: whoever is told of a teardown is in his turn or marked, whoever is not told has somebody before him and
 * time left, everybody is told everything once and in order, and no id comes back while the model has a holder for it.
 */

const number = fc.nat(99)
const of = <const Kind extends string>(kind: Kind) => fc.record({ kind: fc.constant(kind), who: number, at: number })
const step = fc.oneof(
  { weight: 10, arbitrary: of('change') },
  { weight: 3, arbitrary: of('grant') },
  { weight: 5, arbitrary: of('open') },
  { weight: 8, arbitrary: of('acknowledge') },
  { weight: 1, arbitrary: of('revoke') },
  { weight: 3, arbitrary: of('renew') },
  { weight: 2, arbitrary: of('stop') },
  { weight: 6, arbitrary: of('time') },
  { weight: 1, arbitrary: of('restart') },
)

describe('whatever owners and holders do', () => {
  it('teardowns are told in waves, each holder is told everything once, and no id comes back while it is held', async () => {
    const steps = fc.array(step, { minLength: 40, maxLength: 120, size: 'max' })
    await fc.assert(
      fc.asyncProperty(steps, async (script) => {
        const { take } = await startWaves()
        for (const who of [0, 0, 12, 8]) await take({ kind: 'change', who, at: who })
        for (const who of [0, 1, 2]) {
          await take({ kind: 'grant', who, at: 1 })
          await take({ kind: 'open', who, at: 3 })
        }
        for (const taken of script) await take(taken)
      }),
      { numRuns: 40 },
    )
  }, 60_000)
})
