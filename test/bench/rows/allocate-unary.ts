import { type Rate, rowOf } from '../figures.ts'
import { createLoad } from '../load/etcd-load.ts'
import { type H2loadFigures, h2load } from '../load/h2load.ts'
import { type Loader, openLoader } from '../load/load.ts'
import { ETCD, H2LOAD } from '../programs.ts'
import { inRounds } from '../rounds.ts'
import type { Bench, Effort, Result } from '../row.ts'
import { inScope } from '../scope.ts'
import { allocateRequest, type DaemonSet, startDaemonSet } from '../servers/daemon-set.ts'
import { startEtcd } from '../servers/etcd.ts'
import { startNoop } from '../servers/noop.ts'

/**
 * Durable Allocate calls of one id each, 2 connections with 50 under way each.
 *
 * Before the no-op server the load is h2load, which nobody here wrote. It has one body for all calls, and etcd's create-if-absent
 * needs another key in each: with one body all but the first would find the key, write nothing and be fast. So before etcd both
 * servers are loaded by load.ts, which costs a call some microseconds and looks into each answer.
 */

export const CONNECTIONS = 2
export const IN_FLIGHT = 100
export const WARM_MS = 2_000
/** An id and a revision of one byte each, with their tags and the length of the list. */
const LEAST_ANSWER_BYTES = 5

/** The path is the daemon's for the no-op server, too. */
async function h2loadAllocate(address: string, request: Buffer, forMs: number): Promise<H2loadFigures> {
  return await h2load({
    address,
    path: '/ioasid.v1.IoasidService/Allocate',
    request,
    connections: CONNECTIONS,
    inFlight: IN_FLIGHT / CONNECTIONS,
    forMs,
    leastAnswerBytes: LEAST_ANSWER_BYTES,
  })
}

/** The daemon under h2load; afterwards its set is empty, and had as many ids as h2load was given. */
export async function h2loadDaemon(set: DaemonSet, forMs: number): Promise<H2loadFigures> {
  const figures = await h2loadAllocate(set.address, allocateRequest(set.setHandle, 1), forMs)
  const freed = await set.freeAll()
  if (freed < figures.answers)
    throw new Error(`h2load has ${figures.answers} answers, the daemon allocated ${freed} ids`)
  return figures
}

/** The daemon under load.ts; afterwards its set is empty. */
export async function loadDaemon(set: DaemonSet, loader: Loader, inFlight: number, forMs: number) {
  const figures = await loader.run(set.allocate(1), inFlight, { ms: forMs })
  await set.freeAll()
  return figures
}

async function run({ rounds, roundMs }: Effort): Promise<Result> {
  return await inScope(async (atEnd) => {
    const noop = await startNoop()
    atEnd(noop.stop)
    const etcd = await startEtcd()
    atEnd(etcd.stop)
    const set = await startDaemonSet()
    atEnd(set.stop)
    const toDaemon = await openLoader(set.address, CONNECTIONS)
    atEnd(toDaemon.close)
    const toEtcd = await openLoader(etcd.address, CONNECTIONS)
    atEnd(toEtcd.close)
    const request = allocateRequest(set.setHandle, 1)
    const create = createLoad()
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
