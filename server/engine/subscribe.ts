import { mayWatch, type Owned, ownLease } from '../core/access.ts'
import type { Caller } from '../core/caller.ts'
import type { Decision } from '../core/command.ts'
import { decide } from '../core/decide.ts'
import type { NotificationType, Priority } from '../core/event.ts'
import { type Failure, fail, isFailure } from '../core/failure.ts'
import { namedSets } from '../core/holds.ts'
import { freezeIds } from '../core/id-pages.ts'
import { asRevision, type LeaseId, type Revision, type SetId } from '../core/ids.ts'
import { setNotFound } from '../core/lookup.ts'
import { isKnownSet } from '../core/query.ts'
import { type SnapshotItem, snapshotItems } from '../core/snapshot.ts'
import type { SetRecord, State } from '../core/state.ts'
import type { Feed } from './feed.ts'
import { type NamedSets, toNames } from './filter.ts'
import type { HoldStreams } from './hold-streams.ts'
import type { Commit } from './sequencer.ts'
import { checkCursor, checkSpaceId, type History } from './start-rules.ts'
import type { Subscription } from './subscription.ts'
import type { Teardowns } from './teardown.ts'
import type { Watchers } from './watchers.ts'

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
  /** undefined: it only watches. */
  readonly hold: { readonly leaseId: LeaseId; readonly priority: Priority } | undefined
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

export type Subscribe = (state: State, commit: Commit, history: History, asked: Asked) => Opened | Failure

/** Who asks for what. */
export interface Asked {
  readonly request: SubscribeRequest
  readonly caller: Caller
  /** Whose the sets are that are named by handle; looked for only where there is a policy. */
  readonly named: ReadonlyMap<SetId, Owned>
}

/** Where subscriptions are opened. */
export interface SubscribeOptions {
  readonly feed: Feed
  readonly holdStreams: HoldStreams
  readonly teardowns: Teardowns
  readonly watchers: Watchers
  readonly limits: SubscribeLimits
}

/** Opens subscriptions: everything is checked and fixed in one step, so that no change falls between snapshot and feed. */
export function createSubscribe({ feed, holdStreams, teardowns, watchers, limits }: SubscribeOptions): Subscribe {
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

  return (state, commit, history, { request, caller, named }) => {
    const { hold, start, heartbeatMs } = request
    const names = toNames(request.sets)
    // An administrator may look at everything; what he holds he needs a right to, like everybody.
    const watcher = hold === undefined ? caller : { ...caller, isAdmin: false }
    const denied =
      mayWatch(names, (setId) => named.get(setId), watcher) ?? ownLease(state, hold?.leaseId ?? null, caller)
    if (denied !== undefined) return denied
    const registration = hold === undefined ? NO_REGISTRATION : decide(state, { kind: 'register', ...hold, names })
    if (isFailure(registration)) return checkSets(state, request) ?? registration
    // A holder that comes back must name what it named, though some of its sets may have ended meanwhile.
    const resumes = hold !== undefined && registration.events.length === 0
    const replaces = hold !== undefined && holdStreams.has(hold.leaseId)
    const refusal =
      (resumes ? undefined : checkSets(state, request)) ??
      (replaces ? undefined : (checkRoom(feed, limits) ?? checkOwnRoom(watchers, caller))) ??
      checkSpaceId(history, request.spaceId) ??
      (start.kind === 'after' ? checkCursor(history, start.revision) : undefined)
    if (refusal !== undefined) return refusal

    const snapshot = start.kind === 'snapshot' ? takeSnapshot(state, namedSets(state, names)) : undefined
    if (snapshot !== undefined && isFailure(snapshot)) return snapshot
    // Nothing refuses any more. It changes nothing that the snapshot shows, so the snapshot is of this revision, too.
    commit(registration.events)
    const revision = start.kind === 'after' ? asRevision(start.revision) : state.revision
    const turn = hold === undefined ? undefined : teardowns.turnOf(hold.priority)
    const subscription = feed.subscribe(request, revision, heartbeatMs, turn)
    watchers.add(subscription, { caller: watcher, names, sets: named })
    if (hold !== undefined) holdStreams.open(hold.leaseId, subscription, state.revision)
    const close = () => {
      snapshot?.release()
      subscription.close()
    }
    return { subscription, revision, snapshot, close }
  }
}

const NO_REGISTRATION: Decision = { events: [], answer: { kind: 'done' } }

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

function checkOwnRoom(watchers: Watchers, { identity, rights }: Caller): Failure | undefined {
  const limit = rights?.limits.maxSubscriptions
  if (limit === undefined || watchers.count(identity) < limit) return undefined
  return fail('TOO_MANY', `The caller has ${limit} subscriptions already.`, { what: 'own_subscriptions', limit })
}
