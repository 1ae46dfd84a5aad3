import { connect } from '../support/wire.ts'
import type { Target } from './target.ts'

/** A well-behaved client that asks again and again while others are hostile. */
export interface Others {
  /** Stops asking. Rejects if one question was not answered. */
  stop(): Promise<Latencies>
}

export interface Latencies {
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

const PAUSE_MS = 2

export async function watchOthers({ address }: Pick<Target, 'address'>): Promise<Others> {
  const wire = connect(address)
  // Connected before anybody is hostile.
  await wire.call('ioasid.v1.AdminService', 'GetStatus', {})
  const took: number[] = []
  let isStopping = false
  const asking = (async () => {
    while (!isStopping) {
      const startMs = performance.now()
      await wire.call('ioasid.v1.AdminService', 'GetStatus', {})
      took.push(performance.now() - startMs)
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  })()
  // It is told to whoever stops it, and is not unhandled until then.
  asking.catch(() => undefined)
  return {
    stop: async () => {
      isStopping = true
      await asking.finally(wire.close)
      return summarise(took)
    },
  }
}

export function summarise(took: readonly number[]): Latencies {
  const sorted = [...took].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}

export function print({ count, p50Ms, p99Ms, maxMs }: Latencies): string {
  return `p50 ${p50Ms.toFixed(1)} p99 ${p99Ms.toFixed(1)} max ${maxMs.toFixed(1)} ms (${count} questions)`
}
