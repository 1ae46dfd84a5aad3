import type { Entry, Event, Names, NotificationType, SetName, TellableEvent } from '../core/event.ts'
import { NOTIFICATION_TYPES } from '../core/event.ts'
import type { SetId } from '../core/ids.ts'

/**
 * What a subscriber named. A filter is a wall: an event passes if its token was named, byte by byte, or its set's number,
 * which the edge got out of a handle; nothing else is looked at.
 */
export interface Filter {
  readonly sets: 'all' | NamedSets
  readonly types: ReadonlySet<NotificationType>
}

export interface NamedSets {
  readonly tokens: ReadonlySet<string>
  readonly setIds: ReadonlySet<SetId>
}

/** The same names in the one order in which the core compares them. */
export function toNames(sets: Filter['sets']): Names {
  if (sets === 'all') return sets
  return { tokens: [...sets.tokens].sort(), setIds: [...sets.setIds].sort((a, b) => a - b) }
}

export const ALL_TYPES: ReadonlySet<NotificationType> = new Set(NOTIFICATION_TYPES)

function namesSet({ sets }: Filter, { setId, token }: SetName): boolean {
  return sets === 'all' || sets.tokens.has(token) || sets.setIds.has(setId)
}

/** The events of an entry that pass, in their order. */
export function select(filter: Filter, entry: Entry): readonly TellableEvent[] {
  return entry.events.filter((event): event is TellableEvent => {
    return isTellable(event) && filter.types.has(event.kind) && namesSet(filter, event.set)
  })
}

export function isTellable(event: Event): event is TellableEvent {
  switch (event.kind) {
    case 'DEVICE_ATTACH':
    case 'DEVICE_DETACH':
    case 'DATA':
    case 'SET_DRAIN':
    case 'ACQUIRE':
    case 'RELEASE':
    case 'LEASE_GRANT':
    case 'LEASE_HELD':
    case 'LEASE_REVIVE':
    case 'LEASE_END':
    case 'REGISTER':
    case 'DEREGISTER':
    case 'ACKNOWLEDGE':
      return false
    default:
      return true
  }
}
