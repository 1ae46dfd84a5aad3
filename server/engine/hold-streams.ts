import type { Entry } from '../core/event.ts'
import { fail } from '../core/failure.ts'
import type { LeaseId, Revision } from '../core/ids.ts'
import { leaseNotFound } from '../core/lookup.ts'
import type { Subscription } from './subscription.ts'

/** The open streams of holders, at most one of each lease: contract section 4, Hold. */
export interface HoldStreams {
  has(leaseId: LeaseId): boolean
  /** Ends the lease's earlier stream. revision: the one at which it was opened, perhaps ahead of the disk. */
  open(leaseId: LeaseId, subscription: Subscription, revision: Revision): void
  /** Entries that became durable: the stream of a lease that they end, or whose time they end, ends. */
  follow(entries: readonly Entry[]): void
}

export function createHoldStreams(): HoldStreams {
  const streams = new Map<LeaseId, { readonly subscription: Subscription; readonly revision: Revision }>()

  return {
    has: (leaseId) => streams.has(leaseId),
    open: (leaseId, subscription, revision) => {
      const { subscriptionId } = subscription
      const message = `Subscription ${subscriptionId} holds for the lease now.`
      streams.get(leaseId)?.subscription.end(fail('SUPERSEDED', message, { subscription_id: subscriptionId }))
      streams.set(leaseId, { subscription, revision })
      subscription.signal.addEventListener('abort', () => {
        if (streams.get(leaseId)?.subscription === subscription) streams.delete(leaseId)
      })
    },
    follow: (entries) => {
      for (const { revision, events } of entries) {
        for (const event of events) {
          if (event.kind !== 'LEASE_END' && event.kind !== 'LEASE_HELD') continue
          const stream = streams.get(event.leaseId)
          // A later one belongs to a lease that was revived meanwhile.
          if (stream !== undefined && stream.revision < revision) stream.subscription.end(leaseNotFound())
        }
      }
    },
  }
}
