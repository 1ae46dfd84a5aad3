import type { Ioasid, LeaseId, Revision, SetId } from './ids.ts'
import type { Runs } from './runs.ts'

/**
 * What happened: the only thing the log holds, and the only thing that changes a state (evolve.ts). Plain data, so that it
 * can be printed, compared, written as JSON and told to a subscriber. Ids are named as runs (runs.ts); what ends
 * something carries the beginning of what it ends, so that a reader of the log needs no other entry to say what it was.
 */

/** The set an event belongs to. The token travels with it because a subscription by token reads entries of sets that are long gone. */
export interface SetName {
  readonly setId: SetId
  readonly token: string
}

interface OfSet {
  readonly set: SetName
}

export type SetEvent =
  /** leaseId: the lease that the set ends with, or NO_LEASE. */
  | (OfSet & { readonly kind: 'SET_ALLOC'; readonly quota: number; readonly leaseId: LeaseId })
  | (OfSet & { readonly kind: 'SET_ADJUST'; readonly quota: number })
  /** owner: the identity that had created it; left out: not known. Who asks for its past later is told by it whether he may. */
  | (OfSet & { readonly kind: 'SET_FREE'; readonly owner?: string })

export type IdEvent =
  /** runs: [first, count]. The generation is the entry's revision. */
  | (OfSet & { readonly kind: 'ALLOC'; readonly runs: Runs })
  /** runs: [first, count, spid, generation], the SPID ascending with the id. The bind_revision is the entry's revision. */
  | (OfSet & { readonly kind: 'BIND'; readonly runs: Runs; readonly device: string })
  /** runs: [first, count, spid, generation, bindRevision]. pending: freed with it, and the SPID stays taken until RECLAIM. */
  | (OfSet & { readonly kind: 'UNBIND'; readonly runs: Runs; readonly pending: boolean })
  /** runs: [first, count, generation]: free was asked for. pending: references are left, so RECLAIM comes later. */
  | (OfSet & { readonly kind: 'FREE'; readonly runs: Runs; readonly pending: boolean })
  /** runs: [first, count, generation]: the number returns to the space. */
  | (OfSet & { readonly kind: 'RECLAIM'; readonly runs: Runs })

/** Changes that nobody is notified of. */
export type SilentEvent =
  /** A further device binds an id that has its SPID already. */
  | (OfSet & { readonly kind: 'DEVICE_ATTACH'; readonly ioasid: Ioasid; readonly device: string })
  /** One of several devices lets go. */
  | (OfSet & { readonly kind: 'DEVICE_DETACH'; readonly ioasid: Ioasid; readonly device: string })
  /** runs: [first, count]; the same bytes for each id, null takes them away. */
  | (OfSet & { readonly kind: 'DATA'; readonly runs: Runs; readonly data: Uint8Array | null })

  /** Deleted while ids are pending: nothing new, and SET_FREE with the last RECLAIM. */
  | (OfSet & { readonly kind: 'SET_DRAIN' })
  /** One more reference of a lease. */
  | (OfSet & { readonly kind: 'ACQUIRE'; readonly ioasid: Ioasid; readonly leaseId: LeaseId })
  /** One reference less. */
  | (OfSet & { readonly kind: 'RELEASE'; readonly ioasid: Ioasid; readonly leaseId: LeaseId })

/** Of a lease, and of no set. */
export type LeaseEvent =
  | { readonly kind: 'LEASE_GRANT'; readonly leaseId: LeaseId; readonly terms: LeaseTerms }
  /** Its time is over, its sets end; its references stay. */
  | { readonly kind: 'LEASE_HELD'; readonly leaseId: LeaseId }
  | { readonly kind: 'LEASE_REVIVE'; readonly leaseId: LeaseId }
  /** It is gone, and every reference of it. */
  | { readonly kind: 'LEASE_END'; readonly leaseId: LeaseId }
  /** From here on it holds what its registration matches. */
  | { readonly kind: 'REGISTER'; readonly leaseId: LeaseId; readonly names: Names; readonly priority: Priority }
  /** Its registration ends, since its holder may no longer see what it names; the references that it has stay. */
  | { readonly kind: 'DEREGISTER'; readonly leaseId: LeaseId }
  /** Its holder's word that it has cleaned up after every teardown up to a revision. */
  | { readonly kind: 'ACKNOWLEDGE'; readonly leaseId: LeaseId; readonly acknowledged: Revision }

/** Sets by token, whether they exist yet or not, and by number: their union. Both ascending, none twice. */
export type Names = 'all' | { readonly tokens: readonly string[]; readonly setIds: readonly SetId[] }

/** When a holder is told of a teardown. */
export type Priority = 'CPU' | 'IOMMU' | 'DEVICE'

/** What a lease was granted for. */
export interface LeaseTerms {
  readonly name: string
  readonly ttlMs: number
  /** What becomes of its references when its time is over. */
  readonly onExpiry: 'RELEASE' | 'HOLD'
}

/** Events that a subscriber can see: contract section 4, `Notification`. */
export type TellableEvent = SetEvent | IdEvent
export type Event = TellableEvent | SilentEvent | LeaseEvent
export type NotificationType = TellableEvent['kind']

export const NOTIFICATION_TYPES: readonly NotificationType[] = [
  'SET_ALLOC',
  'SET_FREE',
  'SET_ADJUST',
  'ALLOC',
  'BIND',
  'UNBIND',
  'FREE',
  'RECLAIM',
]

/** One revision: everything that one request changed, seen whole or not at all. */
export interface Entry {
  readonly revision: Revision
  /** Serving time at which it was decided; the reuse delay of what it reclaims counts from here. */
  readonly servingMs: number
  /** Wall clock, for people; nothing is decided by it. */
  readonly wallMs: number
  readonly events: readonly Event[]
  /** Who freed what it frees; left out: its owner. */
  readonly by?: EndedBy
  /** The identity whose request it was; left out: nobody's, or nobody knows whose. */
  readonly actor?: string
  /** Beside each event where the past of its ids goes on (past.ts); left out where nothing has a past. */
  readonly past?: Past
}

/** Who freed an id: contract section 4, GetHistory. */
export type EndedBy = 'OWNER' | 'LEASE' | 'OPERATOR'

export type Past = readonly Runs[]

/**
 * About how many bytes an entry takes in memory and on disk. Bounds that are stated in bytes (undurable work, the ring)
 * are counted with it, so that nobody has to encode an entry to know whether there is room for it.
 */
export function weigh(entry: Entry): number {
  let bytes = 128 + (entry.actor?.length ?? 0)
  for (const past of entry.past ?? []) bytes += past.length * 8
  for (const event of entry.events) {
    bytes += 96
    if ('set' in event) bytes += event.set.token.length
    if (event.kind === 'REGISTER') bytes += weighNames(event.names)
    if ('runs' in event) bytes += event.runs.length * 8
    if (event.kind === 'DATA' && event.data !== null) bytes += event.data.length
  }
  return bytes
}

function weighNames(names: Names): number {
  if (names === 'all') return 0
  return names.tokens.reduce((bytes, token) => bytes + token.length + 3, 8 * names.setIds.length)
}
