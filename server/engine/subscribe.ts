import type { NotificationType } from '../core/event.ts'
import { type Failure, fail, isFailure } from '../core/failure.ts'
import { freezeIds } from '../core/id-pages.ts'
import { asRevision, type Revision, type SetId } from '../core/ids.ts'
import { resolveSet, setNotFound } from '../core/lookup.ts'
import { isKnownSet } from '../core/query.ts'
import { type SnapshotItem, snapshotItems } from '../core/snapshot.ts'
import type { SetRecord, State } from '../core/state.ts'
import type { Feed } from './feed.ts'
import type { NamedSets } from './filter.ts'
import { checkCursor, checkSpaceId, type History } from './start-rules.ts'
import type { Subscription } from './subscription.ts'

/** What a subscriber asks for; the form is checked, handles are numbers of sets (NO_SET where they name none). */
export interface SubscribeRequest {
  readonly sets: 'all' | NamedSets
  readonly types: ReadonlySet<NotificationType>
  readonly start:
    | { readonly kind: 'now' }
    | { readonly kind: 'snapshot' }
    | { readonly kind: 'after'; readonly revision: number }
  /** Empty: not given. */
  readonly spaceId: string
  readonly heartbeatMs: number
}

/** A subscription that counts from `revision` on; the snapshot, if there is one, comes before anything else. */
export interface Opened {
  readonly subscription: Subscription
  readonly revision: Revision
  readonly snapshot: OpenSnapshot | undefined
  /** Ends the subscription and lets go of its snapshot. */
  close(): void
}

/** May pin a copy of the whole table, so it is let go of as soon as it was told. */
export interface OpenSnapshot {
  items(): Iterable<SnapshotItem>
  /** Releasing twice is no fault. */
  release(): void
}

export interface SubscribeLimits {
  readonly maxSubscriptions: number
  /** Snapshots of many ids that are being read at once: each may pin a copy of the table. */
  readonly maxOpenSnapshots: number
}

/** A snapshot of no more sets and ids is copied out at once and pins nothing. */
const SMALL_SNAPSHOT_ITEMS = 4096

export type Subscribe = (state: State, history: History, request: SubscribeRequest) => Opened | Failure

/** Opens subscriptions: everything is checked and fixed in one step, so that no change falls between snapshot and feed. */
export function createSubscribe(feed: Feed, limits: SubscribeLimits): Subscribe {
  let openSnapshots = 0

  const takeSnapshot = (state: State, sets: readonly SetRecord[]): OpenSnapshot | Failure => {
    const items = sets.reduce((sum, set) => sum + set.ids.count, sets.length)
    if (items <= SMALL_SNAPSHOT_ITEMS) return openSnapshot([...snapshotItems(state.table, sets)], () => undefined)
    const limit = limits.maxOpenSnapshots
    if (openSnapshots >= limit) {
      const message = `${limit} large snapshots are being read already.`
      return fail('TOO_MANY', message, { what: 'snapshots', limit, retry_after_ms: 1000 })
    }
    openSnapshots += 1
    return openSnapshot(snapshotItems(freezeIds(state.table), sets), () => {
      openSnapshots -= 1
    })
  }

  return (state, history, request) => {
    const refusal =
      checkSets(state, request) ??
      checkRoom(feed, limits) ??
      checkSpaceId(history, request.spaceId) ??
      (request.start.kind === 'after' ? checkCursor(history, request.start.revision) : undefined)
    if (refusal !== undefined) return refusal

    const snapshot = request.start.kind === 'snapshot' ? takeSnapshot(state, namedSets(state, request)) : undefined
    if (snapshot !== undefined && isFailure(snapshot)) return snapshot
    const revision = request.start.kind === 'after' ? asRevision(request.start.revision) : state.revision
    const subscription = feed.subscribe(request, revision, request.heartbeatMs)
    const close = () => {
      snapshot?.release()
      subscription.close()
    }
    return { subscription, revision, snapshot, close }
  }
}

function openSnapshot(made: Iterable<SnapshotItem>, onRelease: () => void): OpenSnapshot {
  let items: Iterable<SnapshotItem> | undefined = made
  return {
    items: () => items ?? [],
    release: () => {
      if (items === undefined) return
      items = undefined
      onRelease()
    },
  }
}

/** The handle of an ended set still names what the log holds of it, and nothing else. */
function checkSets(state: State, { sets, start }: SubscribeRequest): Failure | undefined {
  if (sets === 'all') return undefined
  const isNamed = (setId: SetId) => (start.kind === 'after' ? isKnownSet(state, setId) : state.sets.has(setId))
  return [...sets.setIds].every(isNamed) ? undefined : setNotFound()
}

function checkRoom(feed: Feed, { maxSubscriptions: limit }: SubscribeLimits): Failure | undefined {
  if (feed.subscriptions < limit) return undefined
  return fail('TOO_MANY', `There are ${limit} subscriptions already.`, { what: 'subscriptions', limit })
}

function namedSets(state: State, { sets }: SubscribeRequest): readonly SetRecord[] {
  if (sets === 'all') return [...state.sets.values()]
  const refs = [...[...sets.tokens].map((token) => ({ token })), ...[...sets.setIds].map((setId) => ({ setId }))]
  // A set may be named by its token and by its handle.
  const found = new Set(refs.map((ref) => resolveSet(state, ref)).filter((set) => set !== undefined))
  return [...found]
}
