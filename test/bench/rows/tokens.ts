import { openCalls } from '../load/calls.ts'
import { EVENTS_FIELD, putTogether, watchKeys } from '../load/etcd-requests.ts'
import { allocations, createSets, NOTIFICATIONS_FIELD, subscribeTo } from '../load/ioasidd-requests.ts'
import type { StreamRequest } from '../load/watchers.ts'
import { openWatchers } from '../load/watchers.ts'
import { ETCD } from '../programs.ts'
import { ratioRow } from '../ratio.ts'
import type { Bench } from '../row.ts'
import { type AtEnd, inScope } from '../scope.ts'
import { startBenchDaemon } from '../servers/daemon.ts'
import { startEtcd } from '../servers/etcd.ts'
import { deliverInRounds } from './deliver.ts'

const SUBSCRIBERS = 10_000
const CONNECTIONS = 100
/** As many puts as etcd takes in a Txn. */
const CHANGED_TOGETHER = 128
const UNDER_WAY = 8
const CAPACITY = 1 << 24

/**
 * Events a second where each of 10,000 subscribers has a set of its own: how much an event costs that one of very many
 * wants. What changes comes 128 at a time, for 128 subscribers: in a Batch, as the SDK sends concurrent calls, and of etcd
 * in a Txn, so that it is the telling that is measured. Of etcd a connection has one stream for its 100 watches, as etcd's own
 * client in Go makes it; watches on a stream each are a row to be read only.
 */
export const tokensBench: Bench = {
  name: 'tokens',
  about: '10,000 subscribers with a token each, told of 128 changes of different sets at a time, against etcd watches',
  needs: [ETCD],
  run: async (effort) =>
    await inScope(async (atEnd) => {
      const deliveries = { ioasidd: await startIoasidd(atEnd), ...(await startReference(atEnd)) }
      const rounds = await deliverInRounds(deliveries, effort)
      const [ours, what] = ['ioasidd', 'events/s'] as const
      const row = { name: 'tokens', unit: 'times etcd', target: { kind: 'at least', value: 2 } } as const
      const onStreams = { name: 'tokens, streams', unit: 'times etcd, each watch on a stream of its own' }
      return {
        rows: [
          ratioRow(row, rounds, { ours, theirs: 'etcd', what }),
          ratioRow(onStreams, rounds, { ours, theirs: 'etcd, streams', what }),
        ],
      }
    }),
}

async function startIoasidd(atEnd: AtEnd) {
  const { address, stop } = await startBenchDaemon(['--capacity', String(CAPACITY)])
  atEnd(stop)
  const tokens = Array.from({ length: SUBSCRIBERS }, (_, index) => `vm-${index}`)
  const calls = await openCalls(address)
  atEnd(calls.close)
  const sets = tokens.map((token) => ({ token }))
  const handles = await createSets(calls, sets)
  const watchers = await openWatchers({
    address,
    connections: CONNECTIONS,
    requests: tokens.map(subscribeTo),
    eventsField: NOTIFICATIONS_FIELD,
  })
  atEnd(watchers.close)
  const changes = groupsOf(handles, CHANGED_TOGETHER).map((some) => allocations(calls, some))
  return { watchers, change: inTurn(changes), eventsPerChange: CHANGED_TOGETHER, underWay: UNDER_WAY }
}

async function startReference(atEnd: AtEnd) {
  const { address, stop } = await startEtcd()
  atEnd(stop)
  const calls = await openCalls(address)
  atEnd(calls.close)
  const deliveryOf = async (keys: readonly string[], requests: readonly StreamRequest[]) => {
    const watchers = await openWatchers({ address, connections: CONNECTIONS, requests, eventsField: EVENTS_FIELD })
    atEnd(watchers.close)
    const changes = groupsOf(keys, CHANGED_TOGETHER).map((some) => putTogether(calls, some))
    return { watchers, change: inTurn(changes), eventsPerChange: CHANGED_TOGETHER, underWay: UNDER_WAY }
  }
  const shared = Array.from({ length: SUBSCRIBERS }, (_, index) => `shared-${index}`)
  const alone = Array.from({ length: SUBSCRIBERS }, (_, index) => `alone-${index}`)
  const onOneStream = groupsOf(shared, SUBSCRIBERS / CONNECTIONS).map(watchKeys)
  return {
    etcd: await deliveryOf(shared, onOneStream),
    'etcd, streams': await deliveryOf(
      alone,
      alone.map((key) => watchKeys([key])),
    ),
  }
}

/** Whole groups; what is over is left out. */
function groupsOf<Item>(items: readonly Item[], size: number): readonly (readonly Item[])[] {
  const groups = Math.floor(items.length / size)
  return Array.from({ length: groups }, (_, group) => items.slice(group * size, (group + 1) * size))
}

/** One after the other, and again from the first. */
function inTurn(changes: readonly (() => Promise<unknown>)[]): () => Promise<unknown> {
  let next = 0
  return async () => await changes[next++ % changes.length]?.()
}
