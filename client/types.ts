/** What the daemon tells of. Numbers of 64 bits are bigint where they name something, and number where they count. */

/**
 * A group of IOASIDs with a quota, created for one owner, a VM for example.
 *
 * @example
 * const { set } = await client.createSet({ token: 'vm-a', quota: 16 })
 * console.log(`${set.token}: ${set.allocated} of ${set.quota} ids`)
 */
export interface IoasidSet {
  /**
   * The capability that changes take; keep it like a key. It is told to who presented it and, where there is a policy, to
   * the identity that created the set, so that a handle that is lost is found by getSet with the token. Else empty.
   */
  readonly setHandle: string
  /** The public number, never 0 and never used twice. */
  readonly setId: bigint
  /** The public name, 1 to 255 bytes; empty: an anonymous set. */
  readonly token: string
  /** In ids: both a limit and a reservation. 0: neither. */
  readonly quota: number
  /** How many ids it has, pending ones included. */
  readonly allocated: number
  /** How many of them are FREE_PENDING. */
  readonly freePending: number
  /** How many of them have a SPID attached; pending ones do not count. */
  readonly bound: number
  /** DRAINING: deleted while ids are pending. GONE: seen only in the answer to the request that ended it. */
  readonly state: 'ACTIVE' | 'DRAINING' | 'GONE'
  /** The lease that the set ends with; undefined: none. */
  readonly leaseId: bigint | undefined
  /** The revision of its SET_ALLOC. */
  readonly createRevision: bigint
  /**
   * The identity that created it: `spiffe://domain/path`, `dns:host` or `cn:name` of a certificate, `uid:1000` of a process
   * on the daemon's host. Told to administrators and, where there is a policy, to that identity itself. Empty where it is
   * not told, and where nobody knows it.
   */
  readonly owner: string
}

/**
 * An allocated id and all that is known of it.
 *
 * @example
 * const { ioasid, spid, generation } = await client.getIoasid({ ioasid: 7 })
 */
export interface IoasidInfo {
  /** The id (PASID), 1 ... capacity-1. */
  readonly ioasid: number
  /** The set that it belongs to. */
  readonly setId: bigint
  /** That set's token; empty for an anonymous set. */
  readonly token: string
  /** The set-private id (guest PASID), 0 ... 0xFFFFFFFE; undefined: none attached. */
  readonly spid: number | undefined
  /** ACTIVE: bound, or a lease holds a reference. FREE_PENDING: freed, and holders still clean up. */
  readonly state: 'IDLE' | 'ACTIVE' | 'FREE_PENDING'
  /** The sum of all leases' counts. */
  readonly references: number
  /** The revision at which it was allocated: tells two lives of the same id apart. */
  readonly generation: bigint
  /** The revision of the BIND of `spid`: tells two bindings apart; undefined: not bound. */
  readonly bindRevision: bigint | undefined
  /** The devices that bind it, at most 64, in the order of their attachment; '' is the unnamed one. */
  readonly devices: readonly string[]
  /** 1 to 4,096 bytes; undefined: none attached, or not for the caller to see. */
  readonly privateData: Uint8Array | undefined
  /** Who holds references, by leaseId ascending; empty: nobody, or not for the caller to see. */
  readonly holders: readonly Holder[]
}

/**
 * One lease's references to one id.
 *
 * @example
 * for (const { name, count } of info.holders) console.log(`${name} holds ${count}`)
 */
export interface Holder {
  /** The lease's public number. */
  readonly leaseId: bigint
  /** The lease's name, may be empty. */
  readonly name: string
  /** How many references it holds. */
  readonly count: number
  /** The revision of the first of its present run of references. */
  readonly sinceRevision: bigint
  /** The wall time of that revision, to the millisecond. */
  readonly sinceTime: Date
  /** The revision of the latest teardown that it has yet to acknowledge; undefined: none. */
  readonly awaitingRevision: bigint | undefined
}

/**
 * What became of one id that was freed.
 *
 * @example
 * const { results } = await client.free({ setHandle, ioasids: [7] })
 * const pending = results.filter((result) => result.state === 'FREE_PENDING')
 */
export interface FreeResult {
  /** The id. */
  readonly ioasid: number
  /** FREE: reclaimed. FREE_PENDING: holders still clean up. */
  readonly state: 'FREE' | 'FREE_PENDING'
  /** The references that it waits for; 0 when FREE. */
  readonly references: number
}

/**
 * Counts, limits and revisions of the daemon, all at one revision.
 *
 * @example
 * const { available, revision } = await client.getStatus()
 */
export interface DaemonStatus {
  /** The daemon's version. */
  readonly version: string
  /** Names this history of the space; a restored backup gets a new one. */
  readonly spaceId: string
  /** Ids in the space, 0 ... capacity-1. */
  readonly capacity: number
  /** The sum of all sets' quotas, in ids. */
  readonly reserved: number
  /** The largest quota that createSet would grant, in ids. */
  readonly available: number
  /** Live sets, draining ones included. */
  readonly sets: number
  /** Allocated ids, pending ones included. */
  readonly allocated: number
  /** Ids that are FREE_PENDING. */
  readonly freePending: number
  /** Free ids whose reuse delay has not passed. */
  readonly resting: number
  /** Leases, held ones included. */
  readonly leases: number
  /** Open subscription streams of the daemon. */
  readonly subscriptions: number
  /** The current revision; 0: nothing ever changed. */
  readonly revision: bigint
  /** The oldest cursor that works; 0: nothing was compacted. */
  readonly compactRevision: bigint
  /** How far back a request_id is known, in ms of serving time. */
  readonly requestWindowMs: number
  /** Where it keeps its data: `memory`, `lmdb`. */
  readonly store: string
  /** What the daemon is to the space. */
  readonly role: 'LEADER' | 'FOLLOWER'
  /** Ids that holders were told of before their turn since the daemon started. */
  readonly overruns: number
}

interface EventHead<Type extends string> {
  /** What happened. */
  readonly type: Type
  /** When; the same for all events of one change. In a snapshot the snapshot's. */
  readonly revision: bigint
  /** The set's token; empty for an anonymous set. */
  readonly token: string
  /** The set's public number. */
  readonly setId: bigint
  /** It tells of present state, not of a change. */
  readonly snapshot: boolean
}

interface Quota {
  /** The quota from now on, in ids; 0: none. */
  readonly quota: number
}

interface Life {
  /** The id. */
  readonly ioasid: number
  /** The revision of its ALLOC: which life. */
  readonly generation: bigint
}

interface Binding {
  /** The set-private id (guest PASID). */
  readonly spid: number
  /** The revision of the BIND: which binding. */
  readonly bindRevision: bigint
}

/** What a holder is told of a teardown. */
interface Teardown {
  /** The time was up before this holder's turn had come: holders before it may still use the id. */
  readonly overrun: boolean
}

type Carried = keyof (Quota & Life & Binding & Teardown)

/** What an event does not carry is undefined, so that `const { type, spid } = event` can be written. */
type EventOf<Type extends string, Fields = unknown> = EventHead<Type> &
  Fields & { readonly [Field in Exclude<Carried, keyof Fields>]?: undefined }

/**
 * One event, told apart by `type`; what its type does not carry is undefined. BIND and UNBIND of an id strictly
 * alternate; RECLAIM is the end of a life: the id may be handed out again after it.
 *
 * @example
 * const { type, spid, ioasid } = event
 * if (type === 'BIND') table.set(spid, ioasid)
 */
export type IoasidNotification =
  | EventOf<'SET_ALLOC', Quota>
  | EventOf<'SET_ADJUST', Quota>
  | EventOf<'SET_FREE'>
  | EventOf<'ALLOC', Life>
  | EventOf<'BIND', Life & Binding>
  | EventOf<'UNBIND', Life & Binding & Teardown>
  | EventOf<'FREE', Life & Teardown>
  | EventOf<'RECLAIM', Life>

/**
 * The type of an event, for the filter of a subscription.
 *
 * @example
 * const types: NotificationType[] = ['BIND', 'UNBIND']
 */
export type NotificationType = IoasidNotification['type']

/**
 * Every type of event, for a program that offers them.
 *
 * @example
 * const isType = (text: string) => NOTIFICATION_TYPES.some((type) => type === text)
 */
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
