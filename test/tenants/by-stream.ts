import type { Attempt } from './attempt.ts'
import { to } from './peer.ts'
import type { World } from './world.ts'

/** Attempts to be told what happens to the victim, or to hold what is his. */

const watch = (what: object | ((world: World) => object), start: object = { now: true }) => {
  return (world: World) => to('Subscribe', { ...(typeof what === 'function' ? what(world) : what), ...start })
}
const hold = (start: object) => (world: World) => ({
  hold: true,
  lease_handle: world.own.lease.lease_handle,
  ...start,
})

const STARTS: readonly (readonly [how: string, start: object])[] = [
  ['from now on', { now: true }],
  ['with a snapshot', { snapshot: true }],
  ['from the beginning', { after_revision: '0' }],
  ['from a revision that never was', { after_revision: '1000000' }],
]

const FILTERS: readonly (readonly [what: string, filter: object | ((world: World) => object), twin?: object])[] = [
  ['the victim’s token', { tokens: ['vm-b'] }, { tokens: ['vm-none'] }],
  ['his own token and the victim’s', { tokens: ['vm-a', 'vm-b'] }, { tokens: ['vm-a', 'vm-none'] }],
  ['the victim’s token and his own', { tokens: ['vm-b', 'vm-a'] }, { tokens: ['vm-none', 'vm-a'] }],
  [
    'his own set by its handle, and the victim’s token',
    ({ own }) => ({ tokens: ['vm-b'], set_handles: [own.set.set_handle] }),
  ],
  [
    'his own token, and the victim’s set by its handle',
    ({ victims }) => ({ tokens: ['vm-a'], set_handles: [victims.set.set_handle] }),
  ],
  ['the token of a set that has ended', { tokens: ['vm-b/ended'] }, { tokens: ['vm-b/none'] }],
  ['a thousand tokens of his own, and the victim’s', { tokens: [...many(1000), 'vm-b'] }],
  ['everything', { all: true }],
]

function many(count: number): string[] {
  return Array.from({ length: count }, (_none, index) => `vm-a/${index}`)
}

const watching: readonly Attempt[] = FILTERS.flatMap(([what, filter, twin]) =>
  STARTS.map(([how, start]) => ({
    name: `watches ${what}, ${how}`,
    reason: 'NOT_PERMITTED',
    sent: watch(filter, start),
    ...(twin === undefined ? {} : { twin: watch(twin, start) }),
  })),
)

const holding: readonly Attempt[] = FILTERS.flatMap(([what, filter]) =>
  STARTS.slice(1, 3).map(([how, start]) => ({
    name: `holds ${what} with a lease of his own, ${how}`,
    reason: 'NOT_PERMITTED',
    sent: (world: World) => watch(filter, hold(start)(world))(world),
  })),
)

const others: readonly Attempt[] = [
  {
    name: 'watches the victim’s token for nothing but ends of sets',
    reason: 'NOT_PERMITTED',
    sent: watch({ tokens: ['vm-b'], types: ['SET_FREE'] }),
  },
  {
    name: 'watches the victim’s token in a history that he guesses',
    reason: 'NOT_PERMITTED',
    sent: watch({ tokens: ['vm-b'], space_id: '0' }, { after_revision: '0' }),
  },
  {
    name: 'watches everything, and the victim’s token too',
    reason: 'INVALID_FIELD',
    sent: watch({ tokens: ['vm-b'], all: true }),
    twin: watch({ tokens: ['vm-n'], all: true }),
  },
  {
    name: 'watches a set without a name',
    reason: 'INVALID_FIELD',
    sent: watch({ tokens: [''] }),
  },
  {
    name: 'watches nothing at all',
    reason: 'INVALID_FIELD',
    sent: watch({}),
  },
]

export const byStream: readonly Attempt[] = [...watching, ...holding, ...others]
