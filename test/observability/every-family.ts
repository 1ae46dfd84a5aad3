import type { Family } from '../../server/observability/families.ts'
import { createLoopDelay } from '../../server/observability/host-families.ts'
import { createMetrics } from '../../server/observability/metrics.ts'
import { createRecorder } from '../../server/observability/recorder.ts'
import { run } from '../support/engine.ts'
import { keepLines } from './lines.ts'

/** Every metric of the daemon's own that there can be: with a store on disk, and a certificate. */
export async function everyFamily(): Promise<readonly Family[]> {
  const { engine, clock } = await run()
  const disk = { directory: '/tmp', file: '/etc/hostname' }
  const connections = { count: 0, refused: 0 }
  const sources = { engine, connections, inFlightBytes: () => 0, disk, certificateExpiry: () => 2e9 }
  const metrics = createMetrics({
    recorder: createRecorder(),
    sources: () => sources,
    checks: [],
    limits: { teardownTimeoutMs: 1, maxSubscriptions: 1, maxConnections: 1, maxEventLoopDelayMs: 1 },
    loopDelay: createLoopDelay(),
    version: '1.2.3',
    clock,
    log: keepLines().log,
  })
  return metrics.families()
}
