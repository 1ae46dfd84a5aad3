import { openCalls } from '../load/calls.ts'
import { EVENTS_FIELD, put, watchKeys } from '../load/etcd-requests.ts'
import { allocation, createSets, NOTIFICATIONS_FIELD, subscribeTo } from '../load/ioasidd-requests.ts'
import { openWatchers, type StreamRequest, type Watchers } from '../load/watchers.ts'
import { percentile } from '../percentile.ts'
import { ETCD } from '../programs.ts'
import { ratioRow } from '../ratio.ts'
import { inRounds } from '../rounds.ts'
import type { Bench } from '../row.ts'
import { type AtEnd, inScope } from '../scope.ts'
import { startBenchDaemon } from '../servers/daemon.ts'
import { startEtcd } from '../servers/etcd.ts'

const CAPACITY = 1 << 24
const WARM_MS = 2_000
/** A p99 of fewer is chance. */
const LEAST_CHANGES = 300
/** Differences below it are the reader's own. */
const LEAST_MS = 0.001

/**
 * How long after the answer to a change somebody else still does not know of it: 0 where the notification is there first.
 * One change at a time, one subscriber. Answer and notification come on connections of their own and are read by the same
 * bytes-counting reader, so that neither waits while the other is decoded. The second row is the whole of it, from the call
 * being sent until the notification is there.
 */
export const noticeLatencyBench: Bench = {
  name: 'notice-latency',
  about: "from a change's answer to the notification at its one subscriber, p99, against etcd's put and watch",
  needs: [ETCD],
  run: async ({ rounds, roundMs }) =>
    await inScope(async (atEnd) => {
      const [ioasidd, etcd] = [await startIoasidd(atEnd), await startReference(atEnd)]
      for (const path of [ioasidd, etcd]) await measure(path, WARM_MS)
      const measured = await inRounds(rounds, {
        ioasidd: () => measure(ioasidd, roundMs),
        etcd: () => measure(etcd, roundMs),
      })
      const of = (pick: (figures: Figures) => number) =>
        measured.map((round) => ({ ioasidd: pick(round.ioasidd), etcd: pick(round.etcd) }))
      const sides = { ours: 'ioasidd', theirs: 'etcd' } as const
      const target = { kind: 'at most', value: 0.7 } as const
      return {
        rows: [
          ratioRow(
            { name: 'notice-latency', unit: 'times etcd, p99', target },
            of(({ afterAnswerP99Ms }) => afterAnswerP99Ms),
            { ...sides, what: 'ms from the answer' },
          ),
          ratioRow(
            { name: 'notice-latency, from the call', unit: 'times etcd, p99' },
            of(({ afterCallP99Ms }) => afterCallP99Ms),
            { ...sides, what: 'ms from the call' },
          ),
        ],
      }
    }),
}

/** A change and who is told of it. */
interface Path {
  readonly watchers: Watchers
  /** Resolves when the answer is there. */
  readonly change: () => Promise<unknown>
}

interface Figures {
  readonly afterAnswerP99Ms: number
  readonly afterCallP99Ms: number
}

async function startIoasidd(atEnd: AtEnd): Promise<Path> {
  const { address, stop } = await startBenchDaemon(['--capacity', String(CAPACITY)])
  atEnd(stop)
  const calls = await openCalls(address)
  atEnd(calls.close)
  const [setHandle = ''] = await createSets(calls, [{ token: 'vm' }])
  const watchers = await openWatcher(address, subscribeTo('vm'), NOTIFICATIONS_FIELD)
  atEnd(watchers.close)
  return { watchers, change: allocation(calls, setHandle, 1) }
}

async function startReference(atEnd: AtEnd): Promise<Path> {
  const { address, stop } = await startEtcd()
  atEnd(stop)
  const calls = await openCalls(address)
  atEnd(calls.close)
  const watchers = await openWatcher(address, watchKeys(['vm']), EVENTS_FIELD)
  atEnd(watchers.close)
  return { watchers, change: put(calls, 'vm') }
}

async function openWatcher(address: string, watch: StreamRequest, eventsField: number): Promise<Watchers> {
  return await openWatchers({ address, connections: 1, requests: [watch], eventsField })
}

async function measure({ watchers, change }: Path, forMs: number): Promise<Figures> {
  const afterAnswerMs: number[] = []
  const afterCallMs: number[] = []
  const startMs = performance.now()
  while (performance.now() - startMs < forMs || afterAnswerMs.length < LEAST_CHANGES) {
    const calledMs = performance.now()
    const told = watchers.reached(watchers.events + 1).then(() => performance.now())
    const answered = change().then(() => performance.now())
    const [answeredMs, toldMs] = await Promise.all([answered, told])
    afterAnswerMs.push(Math.max(LEAST_MS, toldMs - answeredMs))
    afterCallMs.push(toldMs - calledMs)
  }
  return { afterAnswerP99Ms: percentile(afterAnswerMs, 99), afterCallP99Ms: percentile(afterCallMs, 99) }
}
