import type { Config } from '../config.ts'
import type { Clock } from '../engine/clock.ts'
import type { DaemonLog } from '../log.ts'
import type { CallObserver } from '../rpc/observer.ts'
import { VERSION } from '../version.ts'
import { type CallLog, createCallLog } from './call-log.ts'
import { createCallObserver, type Trace } from './call-observer.ts'
import { dump } from './dump.ts'
import { type LoopWatch, watchLoop } from './event-loop.ts'
import { createLoopDelay } from './host-families.ts'
import { type OperatorServer, startOperatorServer } from './http.ts'
import { createMetrics, type Limits, type Sources } from './metrics.ts'
import type { Check } from './readiness.ts'
import { createRecorder, type Recorder } from './recorder.ts'

/** What an operator sees of the daemon: metrics, readiness, lines of calls, traces, and how things are on demand. */
export interface Observability {
  readonly calls: CallObserver
  readonly onCommit: (entries: number, durationMs: number) => void
  /** Why metrics cannot be served: one sentence. undefined: they are, or nobody asked for them. */
  readonly problem: string | undefined
  /** The daemon serves from now on. health: is told when the event loop is late, and when it is well again. */
  serving(sources: Sources, health: { setServing(isServing: boolean): void }): void
  /** It takes leave: not ready from now on. */
  draining(): void
  /** Calls have no lines any more: what is said next is the last word. */
  silence(): void
  /** Writes how things are to the log. */
  dump(): Promise<void>
  stop(): void
}

/** Before anything else is opened, so that it can be seen that the daemon starts. */
export async function startObservability(config: Config, clock: Clock, log: DaemonLog): Promise<Observability> {
  const { slowCallMs, tracing, maxEventLoopDelayMs } = config.observability
  const recorder = createRecorder()
  const callLog = createCallLog(log, clock.after)
  const phase = createPhase()
  const limits: Limits = {
    teardownTimeoutMs: config.limits.teardownTimeoutMs,
    maxSubscriptions: config.limits.maxSubscriptions,
    maxConnections: config.maxConnections,
    maxEventLoopDelayMs,
  }
  const trace = tracing ? await loadTrace(log) : undefined
  const calls = createCallObserver({ recorder, callLog, nowMs: clock.monotonicMs, slowMs: slowCallMs, trace })
  const server = await startServer({ config, clock, log, recorder, phase, limits })

  return {
    calls,
    onCommit: recorder.committed,
    problem: server !== undefined && 'problem' in server ? server.problem : undefined,
    serving: (sources, health) => {
      const onChange = (isLate: boolean, delayMs: number) => {
        const facts = { delay_ms: Math.round(delayMs), max_ms: maxEventLoopDelayMs }
        if (isLate) log.warn(facts, 'the event loop is late: NOT_SERVING until it is in time again')
        else log.info(facts, 'the event loop is in time again: SERVING')
        health.setServing(!isLate)
      }
      phase.serving(sources, watchLoop({ clock, maxDelayMs: maxEventLoopDelayMs, onChange }))
    },
    draining: phase.draining,
    silence: callLog.stop,
    dump: () => {
      const { sources, checks, loopDelayMs } = phase
      return dump({ sources, checks, limits, loopDelayMs, clock, log })
    },
    stop: () => {
      endAll(phase, callLog)
      if (server !== undefined && !('problem' in server)) server.stop()
    },
  }
}

function endAll(phase: Phase, callLog: CallLog): void {
  phase.stop()
  callLog.stop()
}

/** Where the daemon is between its start and its end. */
interface Phase {
  readonly sources: Sources | undefined
  readonly checks: readonly Check[]
  readonly loopDelayMs: number
  serving(sources: Sources, watch: LoopWatch): void
  draining(): void
  stop(): void
}

function createPhase(): Phase {
  let sources: Sources | undefined
  let watch: LoopWatch | undefined
  let isDraining = false
  const checks: readonly Check[] = [
    { name: 'startup', problem: () => (sources === undefined ? 'the store is being opened' : undefined) },
    { name: 'store', problem: () => (sources?.engine.pulse.hasFailed ? 'failed: the log says how' : undefined) },
    { name: 'drain', problem: () => (isDraining ? 'the daemon is shutting down' : undefined) },
    {
      name: 'event-loop',
      problem: () => (watch?.isLate ? `was late by ${Math.round(watch.delayMs)} ms in the last second` : undefined),
    },
  ]
  return {
    checks,
    get sources() {
      return sources
    },
    get loopDelayMs() {
      return watch?.delayMs ?? 0
    },
    serving: (from, by) => {
      sources = from
      watch = by
    },
    draining: () => {
      isDraining = true
    },
    stop: () => watch?.stop(),
  }
}

interface ServerParts {
  readonly config: Config
  readonly clock: Clock
  readonly log: DaemonLog
  readonly recorder: Recorder
  readonly phase: Phase
  readonly limits: Limits
}

/** undefined: nobody asked for it. prom-client is loaded only here. */
async function startServer(parts: ServerParts): Promise<OperatorServer | { readonly problem: string } | undefined> {
  const { config, clock, log, recorder, phase, limits } = parts
  const { metricsListen: address } = config.observability
  if (address === null) return undefined
  const module = await orMissing(import('./exposition.ts'))
  if (module === undefined) {
    return { problem: '--metrics-listen needs the package prom-client: install ioasidd without --omit=optional' }
  }
  const { checks } = phase
  const sources = () => phase.sources
  const loopDelay = createLoopDelay()
  const metrics = createMetrics({ recorder, sources, checks, limits, loopDelay, version: VERSION, clock, log })
  const exposition = module.createExposition()
  const write = async (form: 'text' | 'openmetrics') => exposition.write(await metrics.families(), form)
  const server = await startOperatorServer({ address, checks, metrics: write, log })
  if (!('problem' in server)) log.info({ address: server.address.text }, 'metrics are served')
  return server
}

async function loadTrace(log: DaemonLog): Promise<Trace | undefined> {
  const module = await orMissing(import('./tracing.ts'))
  if (module === undefined) log.warn({}, '--tracing does nothing: the package @opentelemetry/api is missing')
  return module?.createTrace(VERSION)
}

async function orMissing<Module>(module: Promise<Module>): Promise<Module | undefined> {
  try {
    return await module
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw cause
  }
}
