import { Metadata } from '@grpc/grpc-js'
import {
  type Attributes,
  type Context,
  type Span,
  type SpanOptions,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import { afterEach, describe, expect, it } from 'vitest'
import { parseTraceParent } from '../../server/observability/trace-context.ts'
import { createTrace } from '../../server/observability/tracing.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

describe('traceparent', () => {
  it.each([
    [`00-${TRACE}-${SPAN}-01`, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    [`00-${TRACE}-${SPAN}-03`, true],
    [`cc-${TRACE}-${SPAN}-01`, true],
    [`cc-${TRACE}-${SPAN}-01-what-is-yet-to-come`, true],
  ])('%s is taken', (text, isSampled) => {
    expect(parseTraceParent([text])).toEqual({ traceId: TRACE, spanId: SPAN, isSampled })
  })

  it.each([
    [''],
    [`00-${TRACE}-${SPAN}`],
    [`00-${TRACE}-${SPAN}-01-more`],
    [`00-${TRACE}-${SPAN}-1`],
    [`00-${TRACE}-${SPAN}-01 `],
    [`00-${TRACE.toUpperCase()}-${SPAN}-01`],
    [`00-${TRACE.slice(1)}-${SPAN}-01`],
    [`00-${'0'.repeat(32)}-${SPAN}-01`],
    [`00-${TRACE}-${'0'.repeat(16)}-01`],
    [`ff-${TRACE}-${SPAN}-01`],
    [`0g-${TRACE}-${SPAN}-01`],
    [`cc-${TRACE}-${SPAN}-01-${'x'.repeat(300)}`],
  ])('%j is not', (text) => {
    expect(parseTraceParent([text])).toBeUndefined()
  })

  it('twice, or as bytes, it is not taken', () => {
    const text = `00-${TRACE}-${SPAN}-01`
    expect(parseTraceParent([text, text])).toBeUndefined()
    expect(parseTraceParent([Buffer.from(text)])).toBeUndefined()
    expect(parseTraceParent([])).toBeUndefined()
  })
})

interface Made {
  readonly name: string
  readonly options: SpanOptions
  readonly parent: unknown
  readonly attributes: Attributes
  status: unknown
  isEnded: boolean
}

/** A provider as an SDK registers one, which keeps its spans. */
function register(): Made[] {
  const made: Made[] = []
  const startSpan = (name: string, options: SpanOptions = {}, context?: Context) => {
    const parent = context === undefined ? undefined : trace.getSpanContext(context)
    const span: Made = {
      name,
      options,
      parent,
      attributes: { ...options.attributes },
      status: undefined,
      isEnded: false,
    }
    made.push(span)
    const own = { traceId: parent?.traceId ?? 'c'.repeat(32), spanId: 'd'.repeat(16), traceFlags: 1 }
    return {
      spanContext: () => own,
      setAttribute: (key: string, value: string | number) => {
        span.attributes[key] = value
      },
      setStatus: (status: unknown) => {
        span.status = status
      },
      end: () => {
        span.isEnded = true
      },
    } as unknown as Span
  }
  const provider = { getTracer: () => ({ startSpan }) } as unknown as TracerProvider
  trace.setGlobalTracerProvider(provider)
  return made
}
afterEach(() => trace.disable())

function callWith(traceparent?: string) {
  const metadata = new Metadata()
  if (traceparent !== undefined) metadata.set('traceparent', traceparent)
  metadata.set('authorization', 'secret')
  return { metadata, getPeer: () => '127.0.0.1:9', getAuthContext: () => ({}) }
}

const SERVICE = 'ioasid.v1.IoasidService'

describe('a call', () => {
  it('is a span below its caller, named by its method, where a provider is registered', () => {
    const made = register()
    const traced = createTrace('1.2.3')('Allocate', SERVICE, callWith(`00-${TRACE}-${SPAN}-01`))
    expect(traced).toMatchObject({ traceId: TRACE, spanId: 'd'.repeat(16) })
    traced?.end('OK')
    expect(made).toMatchObject([
      {
        name: 'Allocate',
        parent: { traceId: TRACE, spanId: SPAN, isRemote: true },
        attributes: {
          'rpc.system': 'grpc',
          'rpc.service': SERVICE,
          'rpc.method': 'Allocate',
          'rpc.grpc.status_code': 0,
        },
        status: undefined,
        isEnded: true,
      },
    ])
    expect(JSON.stringify(made)).not.toContain('secret')
  })

  it('that is refused says why, and is in error only where the daemon is to blame', () => {
    const made = register()
    const start = createTrace('1.2.3')
    start('Allocate', SERVICE, callWith())?.end('QUOTA_EXCEEDED')
    start('Allocate', SERVICE, callWith())?.end('INTERNAL')
    expect(made).toMatchObject([
      { attributes: { 'rpc.grpc.status_code': 8, 'ioasid.reason': 'QUOTA_EXCEEDED' }, status: undefined },
      { attributes: { 'rpc.grpc.status_code': 13, 'ioasid.reason': 'INTERNAL' }, status: { code: 2 } },
    ])
  })

  it('has its caller’s place in the log where no provider is registered, and none without a caller’s', () => {
    const start = createTrace('1.2.3')
    expect(start('Free', SERVICE, callWith(`00-${TRACE}-${SPAN}-00`))).toMatchObject({ traceId: TRACE, spanId: SPAN })
    expect(start('Free', SERVICE, callWith())).toBeUndefined()
    expect(start('Free', SERVICE, callWith('nonsense'))).toBeUndefined()
  })
})
