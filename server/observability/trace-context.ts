/** A caller's place in a trace: W3C Trace Context, level 1. */
export interface TraceParent {
  /** 32 and 16 hexadecimal digits, not all 0. */
  readonly traceId: string
  readonly spanId: string
  readonly isSampled: boolean
}

/** `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`; a later version may have more behind another `-`. */
const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const NO_TRACE = '0'.repeat(32)
const NO_SPAN = '0'.repeat(16)
const MAX_LENGTH = 256

/** Strictly: what is not well formed begins no trace. values: of the header `traceparent`, of which there may be one. */
export function parseTraceParent(values: readonly unknown[]): TraceParent | undefined {
  const [text] = values
  if (values.length !== 1 || typeof text !== 'string' || text.length > MAX_LENGTH) return undefined
  const [, version, traceId, spanId, flags = '', rest] = FORM.exec(text) ?? []
  if (traceId === undefined || spanId === undefined || version === 'ff') return undefined
  if (version === '00' && rest !== undefined) return undefined
  if (traceId === NO_TRACE || spanId === NO_SPAN) return undefined
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 }
}
