import { flag } from './config-flags.ts'
import { bytes, count } from './config-values.ts'
import type { LoadLimits } from './rpc/load.ts'
import type { OwnLoadLimits } from './rpc/own-limits.ts'

/** How much load one identity may make, where there is a policy; and all together, always. */
export const LOAD_FLAGS = {
  'max-calls': flag('Limits', count(1, 10_000_000), '65536', 'calls under way, of all connections'),
  'max-requests': flag('Limits', count(1, 100_000_000), '200000', 'requests a second; each item of a Batch is one'),
  'max-own-connections': flag(
    'Limits',
    count(1, 1_000_000),
    '256',
    'connections of one identity, where there is a policy',
  ),
  'max-own-calls': flag('Limits', count(1, 10_000_000), '4096', 'calls under way, streams too, likewise'),
  'max-own-requests': flag('Limits', count(1, 100_000_000), '2000', 'requests a second, likewise'),
  'max-own-in-flight': flag('Limits', bytes('8MiB', '64GiB'), '32MiB', 'requests and unread answers, likewise'),
} as const

type Values = Readonly<Record<keyof typeof LOAD_FLAGS, number>>

/** How much load there may be. */
export interface LoadConfig {
  /** Of one identity, where there is a policy. */
  readonly own: OwnLoadLimits
  readonly all: LoadLimits
}

export function loadOf(values: Values): LoadConfig {
  return {
    own: {
      maxConnections: values['max-own-connections'],
      maxCalls: values['max-own-calls'],
      maxRequests: values['max-own-requests'],
      maxInFlightBytes: values['max-own-in-flight'],
    },
    all: { maxCalls: values['max-calls'], maxRequests: values['max-requests'] },
  }
}
