import type { Event } from './event.ts'
import type { Failure } from './failure.ts'
import type { Ioasid, SetId, Spid } from './ids.ts'
import type { Runs } from './runs.ts'
import type { SetView } from './view.ts'

/**
 * What is asked for, after the form was checked and the defaults filled in (rpc/convert.ts). Two requests mean the same
 * if and only if their commands are equal: the digest of a request_id is made from it. A handle has become the number of
 * its set, NO_SET where it names none, so that "set" is checked in its turn and not earlier.
 */
export type Command = SetCommand | IoasidCommand

export type SetCommand =
  | { readonly kind: 'create_set'; readonly token: string; readonly quota: number; readonly leased: boolean }
  | { readonly kind: 'adjust_quota'; readonly setId: SetId; readonly quota: number }
  | { readonly kind: 'delete_set'; readonly setId: SetId; readonly force: boolean }

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

/**
 * What the asker learns, besides the revision. Plain data: it is kept by request_id and must come out of the log as it
 * went in.
 */
export type Answer =
  | { readonly kind: 'set'; readonly set: SetView }
  /** runs: [first, count], in the order in which the ids were handed out. */
  | { readonly kind: 'allocated'; readonly runs: Runs }
  /** runs: [first, count], in the order of the request. */
  | { readonly kind: 'freed'; readonly runs: Runs }
  | { readonly kind: 'freed_all'; readonly reclaimed: number }
  | { readonly kind: 'done' }

export type AnswerOf<Kind extends Answer['kind']> = Extract<Answer, { kind: Kind }>

/** Either events to commit (none: nothing had to change) with the answer to give, or why not. */
export type Decision = { readonly events: readonly Event[]; readonly answer: Answer } | Failure
