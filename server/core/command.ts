import type { Event, LeaseTerms, Names, Priority } from './event.ts'
import type { Failure } from './failure.ts'
import type { Ioasid, LeaseId, SetId, Spid } from './ids.ts'
import type { Runs } from './runs.ts'
import type { IoasidView, LeaseView, SetView } from './view.ts'

/**
 * What is asked for, after the form was checked and the defaults filled in (rpc/convert.ts). Two requests mean the same
 * if and only if their commands are equal: the digest of a request_id is made from it. A handle has become the number of
 * its set, NO_SET where it names none, so that "set" is checked in its turn and not earlier.
 */
export type Command = SetCommand | IoasidCommand | ReferenceCommand | LeaseCommand | HoldCommand

export type SetCommand =
  | {
      readonly kind: 'create_set'
      readonly token: string
      readonly quota: number
      /** null: none. */
      readonly leaseId: LeaseId | null
    }
  | { readonly kind: 'adjust_quota'; readonly setId: SetId; readonly quota: number }
  | { readonly kind: 'delete_set'; readonly setId: SetId; readonly force: boolean }
  /** An operator's, of a set whose handle is lost. */
  | { readonly kind: 'force_delete_set'; readonly setId: SetId }

export type IoasidCommand =
  | {
      readonly kind: 'allocate'
      readonly setId: SetId
      readonly count: number
      readonly min: number
      readonly max: number
      /** null: none; else `count` different ones, attached in this order to the ids in theirs. */
      readonly spids: readonly Spid[] | null
      readonly privateData: Uint8Array | null
    }
  | {
      readonly kind: 'free'
      readonly setId: SetId
      readonly ioasids: readonly Ioasid[]
      /** null: whatever it is. */
      readonly generation: number | null
    }
  | { readonly kind: 'free_all'; readonly setId: SetId }
  | {
      readonly kind: 'attach_spid'
      readonly setId: SetId
      readonly ioasid: Ioasid
      readonly spid: Spid
      readonly device: string
    }
  | { readonly kind: 'detach_spid'; readonly setId: SetId; readonly ioasid: Ioasid; readonly device: string }
  | {
      readonly kind: 'attach_data'
      readonly setId: SetId
      readonly ioasid: Ioasid
      readonly privateData: Uint8Array
    }
  | { readonly kind: 'detach_data'; readonly setId: SetId; readonly ioasid: Ioasid }

export type ReferenceCommand =
  | {
      readonly kind: 'acquire' | 'release'
      readonly set: SetRef
      readonly ioasid: Ioasid
      readonly leaseId: LeaseId
    }
  | {
      readonly kind: 'acquire_by_spid'
      readonly set: SetRef
      readonly spid: Spid
      readonly leaseId: LeaseId
    }

export type LeaseCommand =
  | { readonly kind: 'grant_lease'; readonly terms: LeaseTerms }
  | { readonly kind: 'revive_lease'; readonly leaseId: LeaseId }
  | { readonly kind: 'revoke_lease'; readonly leaseId: LeaseId }
  /** An operator's, of a lease whose handle is lost. */
  | { readonly kind: 'force_revoke_lease'; readonly leaseId: LeaseId }
  /** Its time is over: the engine's word, not a caller's. */
  | { readonly kind: 'expire_lease'; readonly leaseId: LeaseId }

export type HoldCommand =
  /** Whether the sets are known is checked by who opens the subscription: that depends on where it starts. */
  | { readonly kind: 'register'; readonly leaseId: LeaseId; readonly names: Names; readonly priority: Priority }
  /** Its holder may no longer see what it names: the engine's word, not a caller's. */
  | { readonly kind: 'end_registration'; readonly leaseId: LeaseId }
  /** revision: as the caller wrote it, perhaps one that is yet to come. */
  | { readonly kind: 'acknowledge'; readonly leaseId: LeaseId; readonly revision: number }

/** A set named by its token, or by a handle that was decoded to its number (NO_SET where it names none). */
export type SetRef = { readonly setId: SetId } | { readonly token: string }

/**
 * What the asker learns, besides the revision. Plain data: it is kept by request_id and must come out of the log as it
 * went in.
 */
export type Answer =
  | { readonly kind: 'set'; readonly set: SetView }
  /** runs: [first, count], in the order in which the ids were handed out. */
  | { readonly kind: 'allocated'; readonly runs: Runs }
  /**
   * References that keep each id pending, in the order of the request; empty when nobody held any. The ids are not named
   * again: an answer must fit a mark, however many they are and wherever they lie.
   */
  | { readonly kind: 'freed'; readonly references: readonly number[] }
  | { readonly kind: 'freed_all'; readonly reclaimed: number; readonly pending: number }
  | { readonly kind: 'acquired'; readonly references: number }
  | { readonly kind: 'found'; readonly view: IoasidView }
  | { readonly kind: 'released'; readonly references: number; readonly reclaimed: boolean }
  | { readonly kind: 'lease'; readonly lease: LeaseView }
  | { readonly kind: 'done' }

export type AnswerOf<Kind extends Answer['kind']> = Extract<Answer, { kind: Kind }>

/** Either events to commit (none: nothing had to change) with the answer to give, or why not. */
export type Decision = { readonly events: readonly Event[]; readonly answer: Answer } | Failure
