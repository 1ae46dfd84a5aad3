import { type Rate, rowOf } from '../figures.ts'
import { ETCD, H2LOAD } from '../programs.ts'
import { inRounds } from '../rounds.ts'
import type { Bench, Effort, Result } from '../row.ts'
import { inScope } from '../scope.ts'
import { allocateRequest } from '../servers/daemon-set.ts'
import { startNoop } from '../servers/noop.ts'
import {
  CONNECTIONS,
  h2loadAllocate,
  h2loadDaemon,
  IN_FLIGHT,
  loadDaemon,
  startBesideEtcd,
  WARM_MS,
} from './allocating.ts'

/**
 * Durable Allocate calls of one id each, 2 connections with 50 under way each.
 *
 * Before the no-op server the load is h2load, which nobody here wrote. It has one body for all calls, and etcd's create-if-absent
 * needs another key in each: with one body all but the first would find the key, write nothing and be fast. So before etcd both
 * servers are loaded by load.ts, which costs a call some microseconds and looks into each answer.
 */

async function run({ rounds, roundMs }: Effort): Promise<Result> {
  return await inScope(async (atEnd) => {
    const noop = await startNoop()
    atEnd(noop.stop)
    const { set, toDaemon, toEtcd, create } = await startBesideEtcd(atEnd, CONNECTIONS)
    const request = allocateRequest(set.setHandle, 1)
    const variants = (forMs: number): Record<'noop' | 'h2loaded' | 'daemon' | 'etcd', () => Promise<Rate>> => ({
      noop: () => h2loadAllocate(noop.address, request, forMs),
      h2loaded: () => h2loadDaemon(set, forMs),
      daemon: () => loadDaemon(set, toDaemon, IN_FLIGHT, forMs),
      etcd: () => toEtcd.run(create, IN_FLIGHT, { ms: forMs }),
    })
    await inRounds(1, variants(WARM_MS))
    const measured = await inRounds(rounds, variants(roundMs))
    return {
      rows: [
        rowOf(
          { name: 'allocate-unary', unit: 'times a no-op grpc-js server', target: { kind: 'at least', value: 0.9 } },
          measured,
          (round) => round.h2loaded.perSecond / round.noop.perSecond,
          (round) => ({ 'ioasidd, calls/s': round.h2loaded.perSecond, 'no-op, calls/s': round.noop.perSecond }),
        ),
        rowOf(
          { name: 'allocate-unary etcd', unit: 'times etcd Txn', target: { kind: 'at least', value: 3 } },
          measured,
          (round) => round.daemon.perSecond / round.etcd.perSecond,
          (round) => ({ 'ioasidd, calls/s': round.daemon.perSecond, 'etcd, calls/s': round.etcd.perSecond }),
        ),
      ],
    }
  })
}

export const allocateUnaryBench: Bench = {
  name: 'allocate-unary',
  about: 'durable Allocate, 100 in flight, against a no-op grpc-js server and etcd Txn create-if-absent',
  needs: [H2LOAD, ETCD],
  run,
}
