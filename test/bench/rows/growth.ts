import { rowOf } from '../figures.ts'
import { H2LOAD } from '../programs.ts'
import { inRounds } from '../rounds.ts'
import type { Bench, Effort, Result } from '../row.ts'
import { inScope } from '../scope.ts'
import { h2loadDaemon } from './allocating.ts'
import { startGrown } from './grown.ts'

const SETS = 100_000
const SUBSCRIBERS = 10_000
const FILL = 0.99
/** What is left free is allocated in a few seconds; each round gives back what it took. */
const MOST_MS = 1_000

/**
 * The same load on two daemons: one with a set, the other with as many sets, subscribers and ids as it is made for. The
 * subscribers are of other sets; what those of the loaded one cost is fan-out's row.
 */
async function run({ rounds, roundMs, say }: Effort): Promise<Result> {
  return await inScope(async (atEnd) => {
    const small = await startGrown()
    atEnd(small.stop)
    const large = await startGrown()
    atEnd(large.stop)
    say('  growing …')
    await large.growSets(SETS)
    await large.fill(FILL)
    await large.growSubscribers(SUBSCRIBERS)
    const variants = (forMs: number) => ({
      small: () => h2loadDaemon(small, forMs),
      large: () => h2loadDaemon(large, forMs),
    })
    await inRounds(2, variants(MOST_MS))
    const measured = await inRounds(rounds, variants(Math.min(roundMs, MOST_MS)))
    return {
      rows: [
        rowOf(
          { name: 'growth', unit: 'times the same, one set, empty', target: { kind: 'at least', value: 0.9 } },
          measured,
          (round) => round.large.perSecond / round.small.perSecond,
          (round) => ({ 'large, calls/s': round.large.perSecond, 'small, calls/s': round.small.perSecond }),
        ),
      ],
    }
  })
}

export const growthBench: Bench = {
  name: 'growth',
  about: 'allocate-unary with 100,000 sets, 10,000 subscribers, space 99 % full, against one set and empty',
  needs: [H2LOAD],
  run,
}
