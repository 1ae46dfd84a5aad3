import type { SubscribeRequest as WireSubscribe } from '../proto/gen/ioasid/v1/SubscribeRequest.ts'
import { abortSignal, check, flag, given, handle, listOf, name, oneOf, token, uint64, wholeNumber } from './check.ts'
import { invalidField } from './errors.ts'
import { MAX_NAMES } from './limits.ts'
import type { Start } from './resume.ts'
import type { HoldOptions, SubscribeOptions } from './subscription-types.ts'
import { NOTIFICATION_TYPES, type NotificationType } from './types.ts'

/** Those without which a holder would not know what to clean up. */
export const HOLD_TYPES = ['BIND', 'UNBIND', 'FREE'] as const satisfies readonly NotificationType[]

export const priorityField = oneOf(['CPU', 'IOMMU', 'DEVICE'])

const DEFAULT_HEARTBEAT_MS = 5_000
/** On top of three heartbeats: for a process, there or here, that was stopped for a moment. */
const SILENCE_MARGIN_MS = 1_000

/** What a caller wants of a subscription, checked, with its defaults. */
export interface Plan {
  /** The request without its start. */
  readonly request: WireSubscribe
  readonly start: Start
  /** Empty: not checked. */
  readonly spaceId: string
  /** After how long without a message a stream is dead. */
  readonly silenceMs: number
  readonly onLost: 'fail' | 'snapshot'
  readonly progress: boolean
  readonly connectTimeoutMs: number | undefined
  readonly signal: AbortSignal | undefined
  readonly onInterrupted: SubscribeOptions['onInterrupted']
}

export function planSubscription(options: SubscribeOptions): Plan {
  check(options, [
    'tokens',
    'setHandles',
    'all',
    'types',
    'start',
    'spaceId',
    'hold',
    'heartbeatMs',
    'onLost',
    'progress',
    'connectTimeoutMs',
    'signal',
    'onInterrupted',
  ])
  const { tokens = [], setHandles = [], all = false, heartbeatMs = DEFAULT_HEARTBEAT_MS } = options
  const { connectTimeoutMs, signal, onInterrupted } = options
  const request: WireSubscribe = {
    tokens: listOf(0, MAX_NAMES, token)('tokens', tokens),
    set_handles: listOf(0, MAX_NAMES, handle)('set_handles', setHandles),
    all: flag('all', all),
    ...given('types', options.types, listOf(0, NOTIFICATION_TYPES.length, oneOf(NOTIFICATION_TYPES))),
    heartbeat_ms: wholeNumber(100, 60_000)('heartbeat_ms', heartbeatMs),
  }
  const start = toStart(options.start)
  const names = tokens.length + setHandles.length
  if (names > MAX_NAMES) throw invalidField('tokens', `${names} names; at most ${MAX_NAMES} are allowed.`)
  if (names > 0 === all) throw invalidField('all', 'wanted alone, or else tokens or set_handles.')
  if (connectTimeoutMs !== undefined) wholeNumber(1, 86_400_000)('connect_timeout_ms', connectTimeoutMs)
  if (signal !== undefined) abortSignal('signal', signal)
  if (onInterrupted !== undefined && typeof onInterrupted !== 'function') {
    throw invalidField('on_interrupted', `a ${typeof onInterrupted}; a function is wanted.`)
  }
  return {
    request: options.hold === undefined ? request : { ...request, ...holdFields(options.hold, start, options.types) },
    start,
    spaceId: name('space_id', options.spaceId ?? ''),
    silenceMs: 3 * heartbeatMs + SILENCE_MARGIN_MS,
    onLost: oneOf(['fail', 'snapshot'])('on_lost', options.onLost ?? 'fail'),
    progress: flag('progress', options.progress ?? false),
    connectTimeoutMs,
    signal,
    onInterrupted,
  }
}

/** What the request of a holder has besides. */
export function holdFields(hold: HoldOptions, start: Start, types: readonly NotificationType[] = []): WireSubscribe {
  check(hold, ['leaseHandle', 'priority'])
  const fields: WireSubscribe = {
    hold: true,
    lease_handle: handle('lease_handle', hold.leaseHandle),
    ...given('priority', hold.priority, priorityField),
  }
  if (start.kind === 'now') throw invalidField('start', "'now' would skip teardowns; a hold has another one.")
  const missing = HOLD_TYPES.filter((type) => !types.includes(type))
  if (types.length > 0 && missing.length > 0) throw invalidField('types', `a hold wants ${missing.join(', ')} too.`)
  return fields
}

/** The request of one stream. */
export function streamRequest({ request }: Plan, start: Start, spaceId: string): WireSubscribe {
  const named = { ...request, space_id: spaceId }
  switch (start.kind) {
    case 'now':
      return { ...named, now: true }
    case 'snapshot':
      return { ...named, snapshot: true }
    case 'after':
      return { ...named, after_revision: start.revision.toString() }
  }
}

function toStart(start: SubscribeOptions['start']): Start {
  if (start === 'now' || start === 'snapshot') return { kind: start }
  if (typeof start !== 'object' || start === null) {
    throw invalidField('start', "not 'now', 'snapshot' or { afterRevision }.")
  }
  check(start, ['afterRevision'])
  uint64('after_revision', start.afterRevision)
  return { kind: 'after', revision: start.afterRevision }
}
