import type { Store, StoreSize } from '../store/store.ts'

/** What can be seen of the engine at any time, without waiting for the disk: of a store that is stuck, or has failed, too. */
export interface Pulse extends SequencerPulse {
  readonly store: Store['kind']
  readonly size: StoreSize
  /** Ids that holders were told of before their turn, since the start. */
  readonly overruns: number
  readonly subscriptions: number
  /** How far each subscriber is behind. */
  lags(): readonly Lag[]
}

/** Counts since the start, and how the writing goes. */
export interface SequencerPulse {
  /** Answers that were given again to a request_id that came again. */
  readonly repeated: number
  /** Refusals of a request_id that came again with another meaning. */
  readonly reused: number
  /** Changes that wait for the disk, bytes. */
  readonly undurableBytes: number
  /** For how long the store has been writing what it writes now, ms; 0: nothing. */
  readonly writingMs: number
  /** The store failed, or the core broke. */
  readonly hasFailed: boolean
}

/** How far a subscriber is behind. */
export interface Lag {
  readonly subscriptionId: number
  /** Revisions that are durable and that its reader has not taken, or not found to be none of his. */
  readonly revisions: number
  /** What waits for it in memory. */
  readonly queuedBytes: number
}
