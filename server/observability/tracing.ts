import {
  type Context,
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import type { Reason } from '../core/failure.ts'
import type { CallTrace, Outcome } from '../rpc/observer.ts'
import { statusCode } from '../rpc/status.ts'
import type { Trace } from './call-observer.ts'
import { parseTraceParent, type TraceParent } from './trace-context.ts'

/**
 * A span for each call, below the caller's, where an OpenTelemetry provider is registered in this process; without one the
 * caller's trace is still in the log. Loaded only with --tracing. Nothing of a request becomes an attribute.
 */
export function createTrace(version: string): Trace {
  return (method, service, { metadata }) => {
    const parent = parseTraceParent(metadata.get('traceparent'))
    // Asked for each time: a provider may be registered later than the daemon starts.
    const tracer = trace.getTracer('ioasidd', version)
    const attributes = { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': method }
    const span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, contextOf(parent))
    const { traceId, spanId } = span.spanContext()
    if (!isSpanContextValid(span.spanContext())) return undefined
    const end: CallTrace['end'] = (outcome) => {
      span.setAttribute('rpc.grpc.status_code', codeOf(outcome))
      if (outcome !== 'OK') {
        span.setAttribute('ioasid.reason', outcome)
        if (isFault(outcome)) span.setStatus({ code: SpanStatusCode.ERROR, message: outcome })
      }
      span.end()
    }
    return { traceId, spanId, end }
  }
}

function contextOf(parent: TraceParent | undefined): Context {
  if (parent === undefined) return ROOT_CONTEXT
  const { traceId, spanId, isSampled } = parent
  const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true })
}

/** A server's span is in error where the server is to blame: a request that was refused was served. */
function isFault(outcome: Outcome): boolean {
  return outcome === 'INTERNAL' || outcome === 'STORE_FAILED' || outcome === 'OVERLOADED'
}

const OTHER_CODES: Readonly<Record<Exclude<Outcome, Reason>, number>> = { OK: 0, CANCELLED: 1, INTERNAL: 13 }

function codeOf(outcome: Outcome): number {
  return outcome === 'OK' || outcome === 'CANCELLED' || outcome === 'INTERNAL'
    ? OTHER_CODES[outcome]
    : statusCode({ reason: outcome })
}
