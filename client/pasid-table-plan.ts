import { abortSignal, check } from './check.ts'
import { invalidField } from './errors.ts'
import type { OpenLeaseOptions, Priority } from './lease-types.ts'
import type { OpenPasidTableOptions } from './pasid-table-types.ts'
import { HOLD_TYPES, type Plan, planSubscription, priorityField } from './subscribe-request.ts'

const DEFAULT_TTL_MS = 10_000

/** What a caller wants of a table, checked, with its defaults. */
export interface TablePlan extends Pick<OpenPasidTableOptions, 'onBind' | 'onUnbind' | 'onError' | 'signal'> {
  readonly lease: OpenLeaseOptions
  readonly priority: Priority | undefined
  /** Without the hold, which is of a lease that is still to be granted. */
  readonly subscription: Plan
  /** It has one name, so that a SPID says everything. */
  readonly isOfOne: boolean
}

const handlerField = (field: string, value: unknown): void => {
  if (typeof value !== 'function') throw invalidField(field, `a ${typeof value}; a function is wanted.`)
}

export function planTable(options: OpenPasidTableOptions): TablePlan {
  check(options, [
    'tokens',
    'setHandles',
    'all',
    'priority',
    'onBind',
    'onUnbind',
    'onError',
    'name',
    'ttlMs',
    'onExpiry',
    'heartbeatMs',
    'signal',
    'onInterrupted',
  ])
  const { priority, onBind, onUnbind, onError, name, ttlMs = DEFAULT_TTL_MS, onExpiry, signal, ...rest } = options
  handlerField('on_bind', onBind)
  handlerField('on_unbind', onUnbind)
  if (onError !== undefined) handlerField('on_error', onError)
  if (signal !== undefined) abortSignal('signal', signal)
  const { tokens = [], setHandles = [] } = rest
  return {
    onBind,
    onUnbind,
    onError,
    signal,
    lease: { name, ttlMs, onExpiry },
    priority: priority === undefined ? undefined : priorityField('priority', priority),
    subscription: planSubscription({
      ...rest,
      types: HOLD_TYPES,
      start: 'snapshot',
      onLost: 'snapshot',
      progress: true,
    }),
    isOfOne: new Set(tokens).size + new Set(setHandles).size === 1,
  }
}
