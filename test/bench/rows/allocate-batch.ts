import { type Rate, rowOf } from '../figures.ts'
import { putLoad, putManyLoad } from '../load/etcd-load.ts'
import { type Loader, openLoader } from '../load/load.ts'
import { openSubscriber, type Subscriber } from '../load/subscriber.ts'
import { ETCD } from '../programs.ts'
import { inRounds } from '../rounds.ts'
import type { Bench, Effort, Result } from '../row.ts'
import { inScope } from '../scope.ts'
import { type DaemonSet, startDaemonSet } from '../servers/daemon-set.ts'
import { startEtcd } from '../servers/etcd.ts'
import { WARM_MS } from './allocating.ts'

/**
 * Ids in batches, durable, with one subscriber who is told of each: a round ends when he was told of the last one, so that
 * nothing is put off. Etcd puts a key for each id with as many calls under way as suit it; beside that, to be fair, how it
 * does with as many puts in one Txn as it takes by default.
 */

const IDS = 1_024
const PUTS_OF_A_TXN = 128

async function loadBatches(set: DaemonSet, loader: Loader, subscriber: Subscriber, forMs: number): Promise<Rate> {
  const startMs = performance.now()
  const told = subscriber.told()
  const { answers } = await loader.run(set.allocate(IDS), 2, { ms: forMs })
  const ids = answers * IDS
  await subscriber.untilTold(told + ids)
  const perSecond = (ids / (performance.now() - startMs)) * 1_000
  // He is told of their end too: each id has a FREE and a RECLAIM.
  const freed = await set.freeAll()
  await subscriber.untilTold(told + ids + 2 * freed)
  return { perSecond }
}

async function run({ rounds, roundMs }: Effort): Promise<Result> {
  return await inScope(async (atEnd) => {
    const etcd = await startEtcd()
    atEnd(etcd.stop)
    const set = await startDaemonSet()
    atEnd(set.stop)
    const subscriber = await openSubscriber(set.address, 'loaded')
    atEnd(subscriber.close)
    const toDaemon = await openLoader(set.address, 1)
    atEnd(toDaemon.close)
    const toEtcd = await openLoader(etcd.address, 2)
    atEnd(toEtcd.close)
    const [put, putMany] = [putLoad(), putManyLoad(PUTS_OF_A_TXN)]
    const variants = (forMs: number) => ({
      daemon: () => loadBatches(set, toDaemon, subscriber, forMs),
      puts: () => toEtcd.run(put, 100, { ms: forMs }),
      txns: async (): Promise<Rate> => {
        const { perSecond } = await toEtcd.run(putMany, 2, { ms: forMs })
        return { perSecond: perSecond * PUTS_OF_A_TXN }
      },
    })
    await inRounds(1, variants(WARM_MS))
    const measured = await inRounds(rounds, variants(roundMs))
    return {
      rows: [
        rowOf(
          { name: 'allocate-batch', unit: 'times etcd Put', target: { kind: 'at least', value: 10 } },
          measured,
          (round) => round.daemon.perSecond / round.puts.perSecond,
          (round) => ({ 'ioasidd, ids/s': round.daemon.perSecond, 'etcd, puts/s': round.puts.perSecond }),
        ),
        rowOf(
          { name: 'allocate-batch txn', unit: `times etcd Txn of ${PUTS_OF_A_TXN} Puts` },
          measured,
          (round) => round.daemon.perSecond / round.txns.perSecond,
          (round) => ({ 'ioasidd, ids/s': round.daemon.perSecond, 'etcd, puts/s': round.txns.perSecond }),
        ),
      ],
    }
  })
}

export const allocateBatchBench: Bench = {
  name: 'allocate-batch',
  about: 'durable Allocate of 1,024 ids a call, 2 in flight, one subscriber, against etcd Put of as many keys',
  needs: [ETCD],
  run,
}
