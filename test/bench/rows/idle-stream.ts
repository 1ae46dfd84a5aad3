import { setTimeout as delay } from 'node:timers/promises'
import { NOTIFICATIONS_FIELD, subscribeTo } from '../load/ioasidd-requests.ts'
import { openWatchers } from '../load/watchers.ts'
import { median } from '../median.ts'
import type { Bench } from '../row.ts'
import { residentOf } from '../rss.ts'
import { inScope } from '../scope.ts'
import { startBenchDaemon } from '../servers/daemon.ts'

const SUBSCRIBERS = 10_000
const CONNECTIONS = 100
/** Each is another daemon, and waits for heartbeats: more would take minutes. */
const MOST_ROUNDS = 3
/** After the start. */
const START_MS = 2_000
/** Three heartbeats of each stream, 5 s apart. */
const SETTLE_MS = 16_000
const SAMPLES = 20
const SAMPLE_MS = 100

/**
 * What a new daemon's resident memory grows by with 10,000 subscriptions to which nothing happens, each to its own token,
 * on 100 connections, when each has had three heartbeats. Nobody asks it to collect garbage: what V8 leaves lying about
 * an operator pays for too.
 */
export const idleStreamBench: Bench = {
  name: 'idle-stream',
  about: 'resident memory of the daemon for one of 10,000 idle subscriptions',
  needs: [],
  run: async ({ rounds, say }) => {
    const measured: Memory[] = []
    for (let round = 0; round < Math.min(rounds, MOST_ROUNDS); round += 1) {
      say(`idle-stream: ${SUBSCRIBERS} streams, 20 s`)
      measured.push(await measure())
    }
    const middle = median(measured.map(({ fullKiB }) => fullKiB))
    const { emptyKiB = 0, fullKiB = 0 } = measured.find((memory) => memory.fullKiB === middle) ?? {}
    return {
      rows: [
        {
          name: 'idle stream',
          unit: 'KiB of RSS a stream',
          target: { kind: 'at most', value: 10 },
          rounds: measured.map((memory) => (memory.fullKiB - memory.emptyKiB) / SUBSCRIBERS),
          figures: { 'RSS before, MiB': emptyKiB / 1024, 'RSS with 10,000, MiB': fullKiB / 1024 },
        },
      ],
    }
  },
}

interface Memory {
  readonly emptyKiB: number
  readonly fullKiB: number
}

async function measure(): Promise<Memory> {
  return await inScope(async (atEnd) => {
    const { address, pid, stop } = await startBenchDaemon(['--store', 'memory'])
    atEnd(stop)
    const emptyKiB = await settledKiB(pid, START_MS)
    const watchers = await openWatchers({
      address,
      connections: CONNECTIONS,
      requests: Array.from({ length: SUBSCRIBERS }, (_, index) => subscribeTo(`vm-${index}`)),
      eventsField: NOTIFICATIONS_FIELD,
    })
    atEnd(watchers.close)
    return { emptyKiB, fullKiB: await settledKiB(pid, SETTLE_MS) }
  })
}

async function settledKiB(pid: number, afterMs: number): Promise<number> {
  await delay(afterMs)
  const samples: number[] = []
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    samples.push(residentOf(pid).rssKiB)
    await delay(SAMPLE_MS)
  }
  return median(samples)
}
