import type { Owned } from '../core/access.ts'
import { ANYONE, type Caller, type Rights } from '../core/caller.ts'
import type { Command } from '../core/command.ts'
import { type Failure, isFailure } from '../core/failure.ts'
import { asRevision, type LeaseId, type Revision, type SetId } from '../core/ids.ts'
import { type Status, status } from '../core/query.ts'
import type { Contradiction } from '../core/reindex.ts'
import type { SpaceConfig, State } from '../core/state.ts'
import type { Store } from '../store/store.ts'
import { type Acknowledge, createAcknowledge } from './acknowledge.ts'
import type { AnswerLimits } from './answers.ts'
import { type Backup, createBackups } from './backup.ts'
import { type Clock, createServingClock } from './clock.ts'
import { createFeed } from './feed.ts'
import { createFigures, type Figures } from './figures.ts'
import { storeFailed } from './group-commit.ts'
import { createHandles, type Handles } from './handles.ts'
import { createHistory, type History } from './history.ts'
import { createHoldStreams } from './hold-streams.ts'
import { createLeaseTimes } from './lease-times.ts'
import { createFindNamed } from './named-sets.ts'
import { openSpace } from './open-space.ts'
import type { Pulse } from './pulse.ts'
import { type Commit, createSequencer, type Outcome, type Request } from './sequencer.ts'
import { compacted, futureRevision } from './start-rules.ts'
import { createSubscribe, type Opened, type SubscribeLimits, type SubscribeRequest } from './subscribe.ts'
import { createTeardowns } from './teardown.ts'
import { startUpkeep } from './upkeep.ts'
import { createWatchers, forbiddenHolds, withRights } from './watchers.ts'

/** The space, served: what rpc/ calls. Everything that it answers is durable. */
export interface Engine {
  readonly spaceId: string
  readonly capacity: number
  readonly handles: Handles
  /** Carries out a change. With a request: exactly once. */
  submit(command: Command, request: Request | undefined, caller?: Caller): Promise<Outcome>
  /** A holder has cleaned up. */
  readonly acknowledge: Acknowledge
  /** Gives a lease its whole time again. */
  renew(leaseId: LeaseId, caller?: Caller): Promise<Outcome>
  /** What is left of a lease's time; 0 of a HELD one. */
  remainingMs(leaseId: LeaseId): number
  read<Value>(query: (state: State) => Value): Promise<Value | Failure>
  subscribe(request: SubscribeRequest, caller?: Caller): Promise<Opened | Failure>
  /**
   * A new policy: subscriptions and hold registrations that it does not allow any longer end. Resolves when that is
   * durable.
   */
  enforce(rightsOf: (identity: string) => Rights | undefined): Promise<void>
  status(): Promise<EngineStatus | Failure>
  /** Counts of the space, as durable as any answer. */
  figures(): Promise<Figures | Failure>
  /** What can be seen at any time: of a store that is stuck, or has failed, too. */
  readonly pulse: Pulse
  /** Who had an id when, as far as it is on record. */
  readonly history: History
  /** Drops the history at or below a revision. */
  compact(revision: number): Promise<Compacted | Failure>
  /** Everything at the present revision, for who reads it at his own speed. */
  backup(): Promise<Backup | Failure>
  /** What a subscriber is told when what it had yet to read is not kept any longer. */
  compacted(): Failure
  /** Refuses new work and ends every subscription with a failure; resolves when all that was decided is durable. */
  drain(failure: Failure): Promise<void>
}

export interface Compacted {
  readonly revision: Revision
  readonly compactRevision: Revision
}

export interface EngineStatus extends Status {
  readonly spaceId: string
  readonly store: Store['kind']
  readonly subscriptions: number
  readonly compactRevision: Revision
  readonly requestWindowMs: number
  /** Ids that holders were told of before their turn, since the start. */
  readonly overruns: number
}

export interface EngineOptions {
  readonly store: Store
  readonly clock: Clock
  readonly space: SpaceConfig
  readonly limits: AnswerLimits & SubscribeLimits & EngineLimits
  /** Called with each batch that has become durable: how many entries, and how long the store took. */
  readonly onCommit?: ((entries: number, durationMs: number) => void) | undefined
  /** Called once: the store failed, or the core broke. The process must not go on serving. */
  readonly onFailure: (cause: unknown) => void
}

export interface EngineLimits {
  readonly leaseGraceMs: number
  readonly teardownTimeoutMs: number
  readonly historyRevisions: number
  readonly historyBytes: number
  readonly snapshotEvery: number
  readonly maxUndurableBytes: number
  readonly ringBytes: number
  readonly maxQueuedBytes: number
}

const NOBODYS: ReadonlyMap<SetId, Owned> = new Map()

/** The longest time between two beats: with a late timer it is still less than the second that counts, and is kept. */
const MAX_BEAT_MS = 500

export async function startEngine(options: EngineOptions): Promise<Engine | Contradiction> {
  const { store, clock, space, limits, onCommit } = options
  const opened = await openSpace(store, space, limits)
  if ('contradiction' in opened) return opened
  const { state, answers, leaseMarks, spaceId, handleKey } = opened
  const leaseTimes = createLeaseTimes(state, leaseMarks, limits.leaseGraceMs)

  const feed = createFeed({
    store,
    clock,
    start: state.revision,
    ringBytes: limits.ringBytes,
    maxQueuedBytes: limits.maxQueuedBytes,
    compactRevision: () => upkeep.compactRevision,
  })
  const holdStreams = createHoldStreams()
  const teardowns = createTeardowns({
    state,
    timeoutMs: limits.teardownTimeoutMs,
    servingMs: () => sequencer.servingMs,
    durable: () => sequencer.durable(),
  })
  const sequencer = createSequencer({
    store,
    state,
    answers,
    leaseTimes,
    clock,
    serving: createServingClock(clock, state.servingMs),
    maxUndurableBytes: limits.maxUndurableBytes,
    onCommit,
    publish: (entries) => {
      feed.publish(entries)
      // After it, so that whoever looks again finds what he was offered.
      teardowns.follow(entries)
      holdStreams.follow(entries)
    },
    onFailure: (cause) => {
      void upkeep.stop()
      feed.endAll(storeFailed())
      backups.endAll(storeFailed())
      options.onFailure(cause)
    },
  })
  const upkeep = startUpkeep({
    ...limits,
    store,
    sequencer,
    clock,
    compactRevision: opened.compactRevision,
    beatMs: Math.min(limits.leaseGraceMs / 2, MAX_BEAT_MS),
    onFailure: sequencer.stop,
  })
  let policy: ((identity: string) => Rights | undefined) | undefined
  const watchers = createWatchers()
  const subscribe = createSubscribe({ feed, holdStreams, teardowns, watchers, limits })
  const compactRevision = () => upkeep.compactRevision
  const findNamed = createFindNamed({ store, read: sequencer.read, compactRevision, soon: clock.soon })
  const backups = createBackups({
    store,
    clock,
    genesis: { spaceId, handleKey },
    read: sequencer.read,
    compactRevision,
  })

  return {
    spaceId,
    capacity: space.capacity,
    handles: createHandles(handleKey),
    submit: sequencer.submit,
    acknowledge: createAcknowledge(sequencer, spaceId),
    renew: sequencer.renew,
    remainingMs: (leaseId) => leaseTimes.remainingMs(leaseId, sequencer.servingMs),
    read: sequencer.read,
    subscribe: async (request, caller = ANYONE) => {
      const isAsked = caller.rights !== undefined && request.sets !== 'all'
      const named = isAsked ? await findNamed(request.sets.setIds) : NOBODYS
      if (isFailure(named)) return named
      const open = ({ revision }: State, commit: Commit) => {
        // The policy may have changed while the log was read.
        const asked = { request, caller: withRights(caller, policy?.(caller.identity) ?? caller.rights), named }
        return subscribe(state, commit, { spaceId, revision, compactRevision: upkeep.compactRevision }, asked)
      }
      // Who only watches changes nothing, and is not refused for what waits for the disk.
      if (request.hold === undefined) return await sequencer.read((current) => open(current, () => undefined))
      return await sequencer.alter(open, caller)
    },
    enforce: async (rightsOf) => {
      policy = rightsOf
      // First, so that nobody is told of what his reference does not protect any longer.
      watchers.enforce(rightsOf)
      const ended = forbiddenHolds(state, rightsOf).map(({ leaseId }) =>
        sequencer.submit({ kind: 'end_registration', leaseId }, undefined),
      )
      await Promise.all(ended)
    },
    figures: createFigures({ store, sequencer, compactRevision: () => upkeep.compactRevision }),
    get pulse() {
      const { subscriptions, lags } = feed
      return {
        ...sequencer.pulse,
        store: store.kind,
        size: store.size(),
        overruns: teardowns.overruns,
        subscriptions,
        lags,
      }
    },
    history: createHistory({
      store,
      read: sequencer.read,
      compactRevision,
      soon: clock.soon,
    }),
    compact: async (revision) => {
      const known = await sequencer.read((current) => current.revision)
      if (typeof known !== 'number') return known
      if (revision > known) return futureRevision(known, revision)
      await upkeep.compact(asRevision(revision))
      return await sequencer.read((current) => ({
        revision: current.revision,
        compactRevision: upkeep.compactRevision,
      }))
    },
    backup: backups.open,
    compacted: () => compacted(upkeep.compactRevision),
    status: () =>
      sequencer.read((current) => ({
        ...status(current),
        spaceId,
        store: store.kind,
        subscriptions: feed.subscriptions,
        compactRevision: upkeep.compactRevision,
        requestWindowMs: sequencer.answersReachMs,
        overruns: teardowns.overruns,
      })),
    drain: async (failure) => {
      feed.endAll(failure)
      backups.endAll(failure)
      // No beat after this: it would write behind the last batch, to a store that is closed then.
      const tidied = upkeep.stop()
      await sequencer.drain()
      await tidied
    },
  }
}
