import { openCalls } from '../load/calls.ts'
import { EVENTS_FIELD, put, putTogether, watchPrefixes } from '../load/etcd-requests.ts'
import { allocation, createSets, NOTIFICATIONS_FIELD, subscribeTo } from '../load/ioasidd-requests.ts'
import { openWatchers } from '../load/watchers.ts'
import { ETCD } from '../programs.ts'
import { ratioRow } from '../ratio.ts'
import type { Bench, Row } from '../row.ts'
import { type AtEnd, inScope } from '../scope.ts'
import { startBenchDaemon } from '../servers/daemon.ts'
import { startEtcd } from '../servers/etcd.ts'
import { deliverInRounds } from './deliver.ts'

const WATCHERS = 1_000
const CONNECTIONS = 10
const BURST = 16
/** Changes that are made and not told to all yet, so that neither server waits for the one who changes. */
const UNDER_WAY = 8
const CAPACITY = 1 << 24

/**
 * Deliveries a second: an event that is told to one watcher is one. Both servers are driven as fast as they tell, by one
 * program with all watchers in it, which takes a tenth of a core. A stream of ioasidd is one subscriber. Of etcd a
 * connection has one stream for all its watches, as etcd's own client in Go makes it; its watches on a stream each are
 * rows to be read only.
 *
 * A burst is one Allocate of 16 ids, told as one revision. Of etcd it is 16 puts at once; 16 puts in one Txn, which is one
 * revision too, are a row to be read only.
 */
export const fanOutBench: Bench = {
  name: 'fan-out',
  about: '1,000 streams of one token on 10 connections, events singly and 16 at a time, against as many etcd watches',
  needs: [ETCD],
  run: async (effort) =>
    await inScope(async (atEnd) => {
      const ioasidd = await startIoasidd(atEnd)
      const etcd = await startReference(atEnd)
      return { rows: rowsOf(await deliverInRounds({ ...ioasidd, ...etcd }, effort)) }
    }),
}

async function startIoasidd(atEnd: AtEnd) {
  const { address, stop } = await startBenchDaemon(['--capacity', String(CAPACITY)])
  atEnd(stop)
  const calls = await openCalls(address)
  atEnd(calls.close)
  const [setHandle = ''] = await createSets(calls, [{ token: 'vm' }])
  const requests = Array.from({ length: WATCHERS }, () => subscribeTo('vm'))
  const watchers = await openWatchers({
    address,
    connections: CONNECTIONS,
    requests,
    eventsField: NOTIFICATIONS_FIELD,
  })
  atEnd(watchers.close)
  const delivery = (ids: number) => ({
    watchers,
    change: allocation(calls, setHandle, ids),
    eventsPerChange: ids * WATCHERS,
    underWay: UNDER_WAY,
  })
  return { ioasidd: delivery(1), 'ioasidd, bursts': delivery(BURST) }
}

async function startReference(atEnd: AtEnd) {
  const { address, stop } = await startEtcd()
  atEnd(stop)
  const calls = await openCalls(address)
  atEnd(calls.close)
  const open = async (requests: Parameters<typeof openWatchers>[0]['requests']) => {
    const watchers = await openWatchers({ address, connections: CONNECTIONS, requests, eventsField: EVENTS_FIELD })
    atEnd(watchers.close)
    return watchers
  }
  const ofOneStream = Array.from({ length: WATCHERS / CONNECTIONS }, () => 'shared/')
  const shared = await open(Array.from({ length: CONNECTIONS }, () => watchPrefixes(ofOneStream)))
  const alone = await open(Array.from({ length: WATCHERS }, () => watchPrefixes(['alone/'])))
  const keysOf = (prefix: string) => Array.from({ length: BURST }, (_, index) => `${prefix}${index}`)
  const puts = keysOf('shared/').map((key) => put(calls, key))
  const single = { eventsPerChange: WATCHERS, underWay: UNDER_WAY }
  const burst = { eventsPerChange: BURST * WATCHERS, underWay: UNDER_WAY }
  return {
    etcd: { ...single, watchers: shared, change: put(calls, 'shared/0') },
    'etcd, 16 puts': { ...burst, watchers: shared, change: () => Promise.all(puts.map((putOne) => putOne())) },
    'etcd, Txn of 16': { ...burst, watchers: shared, change: putTogether(calls, keysOf('shared/')) },
    'etcd, streams': { ...single, watchers: alone, change: put(calls, 'alone/0') },
    'etcd, streams, Txn of 16': { ...burst, watchers: alone, change: putTogether(calls, keysOf('alone/')) },
  }
}

type Name = keyof Awaited<ReturnType<typeof startIoasidd>> | keyof Awaited<ReturnType<typeof startReference>>

function rowsOf(rounds: readonly Readonly<Record<Name, number>>[]): readonly Row[] {
  const row = (ours: Name, theirs: Name, name: string, unit: string, target?: Row['target']) =>
    ratioRow({ name, unit, ...(target && { target }) }, rounds, { ours, theirs, what: 'deliveries/s' })
  const [one, burst] = ['ioasidd', 'ioasidd, bursts'] as const
  const onStreams = 'times etcd, each watch on a stream of its own'
  return [
    row(one, 'etcd', 'fan-out', 'times etcd', { kind: 'at least', value: 2 }),
    row(burst, 'etcd, 16 puts', 'fan-out bursts', 'times etcd, 16 puts at once', { kind: 'at least', value: 8 }),
    row(burst, 'etcd, Txn of 16', 'fan-out bursts, Txn', 'times etcd, 16 puts in one Txn'),
    row(one, 'etcd, streams', 'fan-out, streams', onStreams),
    row(burst, 'etcd, streams, Txn of 16', 'fan-out bursts, Txn, streams', `${onStreams}, 16 puts in one Txn`),
  ]
}
