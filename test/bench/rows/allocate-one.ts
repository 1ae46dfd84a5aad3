import { rowOf } from '../figures.ts'
import { ETCD } from '../programs.ts'
import { inRounds } from '../rounds.ts'
import type { Bench, Effort, Result } from '../row.ts'
import { inScope } from '../scope.ts'
import { loadDaemon, startBesideEtcd, WARM_MS } from './allocating.ts'

/** One caller who waits for each answer: what counts is the way through the server to the disk and back. */
async function run({ rounds, roundMs }: Effort): Promise<Result> {
  return await inScope(async (atEnd) => {
    const { set, toDaemon, toEtcd, create } = await startBesideEtcd(atEnd, 1)
    const variants = (forMs: number) => ({
      daemon: () => loadDaemon(set, toDaemon, 1, forMs),
      etcd: () => toEtcd.run(create, 1, { ms: forMs }),
    })
    await inRounds(1, variants(WARM_MS))
    const measured = await inRounds(rounds, variants(roundMs))
    return {
      rows: [
        rowOf(
          { name: 'allocate-one', unit: 'times etcd Txn', target: { kind: 'at least', value: 1.2 } },
          measured,
          ({ daemon, etcd: reference }) => daemon.perSecond / reference.perSecond,
          ({ daemon, etcd: reference }) => ({
            'ioasidd, calls/s': daemon.perSecond,
            'etcd, calls/s': reference.perSecond,
            'ioasidd, median ms': daemon.medianMs,
            'etcd, median ms': reference.medianMs,
          }),
        ),
      ],
    }
  })
}

export const allocateOneBench: Bench = {
  name: 'allocate-one',
  about: 'durable Allocate, one in flight, against etcd Txn create-if-absent',
  needs: [ETCD],
  run,
}
