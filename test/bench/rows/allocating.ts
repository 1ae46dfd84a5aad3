import { createLoad } from '../load/etcd-load.ts'
import { type H2loadFigures, h2load } from '../load/h2load.ts'
import { type Loader, openLoader } from '../load/load.ts'
import type { AtEnd } from '../scope.ts'
import { allocateRequest, type DaemonSet, startDaemonSet } from '../servers/daemon-set.ts'
import { startEtcd } from '../servers/etcd.ts'

/** How Allocate is loaded, for all rows that do. */

export const CONNECTIONS = 2
export const IN_FLIGHT = 100
export const WARM_MS = 2_000
/** An id and a revision of one byte each, with their tags and the length of the list. */
const LEAST_ANSWER_BYTES = 5

/** The path is the daemon's for the no-op server, too. */
export async function h2loadAllocate(address: string, request: Buffer, forMs: number): Promise<H2loadFigures> {
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

/** The daemon and etcd, each with what loads it. */
export async function startBesideEtcd(atEnd: AtEnd, connections: number) {
  const etcd = await startEtcd()
  atEnd(etcd.stop)
  const set = await startDaemonSet()
  atEnd(set.stop)
  const toDaemon = await openLoader(set.address, connections)
  atEnd(toDaemon.close)
  const toEtcd = await openLoader(etcd.address, connections)
  atEnd(toEtcd.close)
  return { set, toDaemon, toEtcd, create: createLoad() }
}
