import type { NotificationType, Priority } from '../../../server/core/event.ts'
import type { SubscribeRequest } from '../../../server/engine/subscribe.ts'
import type { Moment } from './moments.ts'

/** One connection of a subscriber, as the daemon serves it. */
export interface StreamRecord {
  readonly name: string
  readonly sets: SubscribeRequest['sets']
  readonly types: ReadonlySet<NotificationType>
  readonly hold: { readonly leaseId: number; readonly priority: Priority } | undefined
  readonly heartbeatMs: number
  readonly process: number
  /** Everything up to here was told. */
  cursor: number
  /** The revisions of its messages. */
  readonly told: Set<number>
  /** Since when its reader waits for the next message; undefined: it does not. */
  waiting: Moment | undefined
  /** When it was last told something. */
  lastTold: Moment
  /** For how long the disk had been writing by then. */
  diskMs: number
  isOpen: boolean
  /** The next revision that it is to be told of, if nobody has to be waited for any more, and since when. */
  due: { readonly revision: number; readonly since: Moment } | undefined
}

/** What a callback may take, with writes on the main thread in between. */
export const SLACK_MS = 250
/** The latest that a timer of the daemon is. */
export const LATE_MS = 450
