import { ownLease, permits } from '../core/access.ts'
import { ANYONE, type Caller } from '../core/caller.ts'
import type { Answer, Command } from '../core/command.ts'
import { decide } from '../core/decide.ts'
import type { EndedBy, Entry, Event } from '../core/event.ts'
import { evolve } from '../core/evolve.ts'
import { type Failure, fail, isFailure } from '../core/failure.ts'
import { asRevision, type LeaseId, type Revision } from '../core/ids.ts'
import { endedBy, pastOf } from '../core/past.ts'
import { countResting, ripen } from '../core/rest.ts'
import type { State } from '../core/state.ts'
import { viewLease } from '../core/view.ts'
import type { MarkChange } from '../store/store.ts'
import { type Answers, type Place, type Remembered, readAnswers } from './answers.ts'
import type { ServingClock } from './clock.ts'
import { createGroupCommit, type GroupCommitOptions } from './group-commit.ts'
import type { LeaseTimes } from './lease-times.ts'
import type { SequencerPulse } from './pulse.ts'
import { createMeaningOf, type RequestKey } from './request-digest.ts'

/**
 * The one writer. A command is decided and evolved at once, in the order of arrival, and is ahead of the disk then; nothing
 * that was decided ahead of the disk leaves before its batch is durable (group-commit.ts): no answer, no refusal, no read,
 * no event (contract 2.3).
 */
export interface Sequencer {
  submit(command: Command, request: Request | undefined, caller?: Caller): Promise<Outcome>
  /** The query sees the state at once and may take something of it along; its answer waits for the disk. */
  read<Value>(query: (state: State) => Value): Promise<Value | Failure>
  /**
   * Looks at the state and changes it in one step, so that nothing happens between; the value waits for the disk. A step
   * that refuses must have committed nothing.
   */
  alter<Value extends object>(
    step: (state: State, commit: Commit) => Value | Failure,
    caller?: Caller,
  ): Promise<Value | Failure>
  /** Resolves when everything that was decided is durable, to a failure when it will not be known to be. */
  durable(): Promise<Failure | undefined>
  /** Writes a mark with the next batch. */
  mark(change: MarkChange): void
  /** Gives a lease its whole time again; of a HELD one it is a change. */
  renew(leaseId: LeaseId, caller?: Caller): Promise<Outcome>
  /** Ends the leases whose time is over. */
  expireLeases(): void
  /** Lets go of answers whose time is over, with the next batch. */
  forgetAnswers(): void
  /** Refuses what comes from now on with DRAINING; resolves when everything that was decided is durable. */
  drain(): Promise<void>
  /** The store failed in somebody else's hands: nothing is served any more. */
  stop(cause: unknown): void
  readonly state: State
  readonly servingMs: number
  /** How far back answers by request_id reach, ms. */
  readonly answersReachMs: number
  /** Whether something counts serving time, so that it must be kept on disk. */
  readonly isWaiting: boolean
  /** What can be seen of it at any time, without waiting for the disk. */
  readonly pulse: SequencerPulse
}

/** Makes events happen as one revision; without any nothing does. */
export type Commit = (events: readonly Event[]) => void

export interface Request {
  readonly key: RequestKey
  /** As the caller wrote it, for the refusal of one that means something else. */
  readonly requestId: string
}

export type Outcome = { readonly answer: Answer; readonly revision: Revision } | Failure

export interface SequencerOptions extends Omit<GroupCommitOptions, 'late'> {
  readonly state: State
  readonly answers: Answers
  readonly leaseTimes: LeaseTimes
  readonly serving: ServingClock
  /** What is decided but not durable is bounded; above it the answer is OVERLOADED at once. */
  readonly maxUndurableBytes: number
}

export function createSequencer(options: SequencerOptions): Sequencer {
  const { store, state, answers, leaseTimes, clock, serving, maxUndurableBytes } = options
  const batches = createGroupCommit({ ...options, late: answers })
  const { keep, schedule, settled, stop } = batches
  const meaningOf = createMeaningOf(state.config.capacity)
  let draining: Failure | undefined
  let repeated = 0
  let reused = 0

  const refusal = () => batches.failure ?? draining
  const isOverloaded = () => batches.bytes > maxUndurableBytes

  /** The state may be half changed by what throws: nothing that follows from it may be written or told. */
  const orStop = (change: () => void) => {
    try {
      change()
    } catch (cause) {
      stop(cause)
      throw cause
    }
  }

  const tick = () => {
    const servingMs = Math.max(state.servingMs, serving.nowMs())
    orStop(() => ripen(state, servingMs))
    return servingMs
  }

  const commit = (events: readonly Event[], servingMs: number, by: EndedBy, actor: string): Revision => {
    const revision = asRevision(state.revision + 1)
    const past = pastOf(state, events, by)
    const known = actor === '' ? {} : { actor }
    const entry: Entry = { revision, servingMs, wallMs: clock.wallMs(), events, ...known, ...past }
    orStop(() => evolve(state, entry))
    batches.add(entry)
    for (const change of leaseTimes.follow(entry)) keep(change)
    return entry.revision
  }

  const submit: Sequencer['submit'] = async (command, request, caller = ANYONE) => {
    const refused = refusal()
    if (refused !== undefined) return refused
    if (isOverloaded()) return overloaded()
    const servingMs = tick()
    const denied = permits(state, command, caller)
    if (denied !== undefined) return (await settled()) ?? denied
    const place = request === undefined ? undefined : answers.find(request.key, servingMs)
    if (request !== undefined && place !== undefined) return repeat(command, request, place, caller)

    const decision = decide(state, command, caller)
    if (isFailure(decision)) return (await settled()) ?? decision
    const { events, answer } = decision
    const revision = events.length > 0 ? commit(events, servingMs, endedBy(command), caller.identity) : state.revision
    // Whether or not there was something to settle, its holder has shown that it lives.
    if (command.kind === 'acknowledge') keepAlive(command.leaseId)
    if (request !== undefined) {
      const meaning = meaningOf(command)
      const remembered = { meaning, servingMs, revision, answer }
      batches.expect(answers.remember(request.key, remembered))
    }
    schedule()
    return (await settled()) ?? { answer, revision }
  }

  let lastRead: { readonly mark: string; readonly answers: readonly Remembered[] } | undefined

  /** A Batch that is sent again asks for the answers of one mark, one after the other. */
  const answersOf = async (mark: string): Promise<readonly Remembered[] | undefined> => {
    if (lastRead?.mark === mark) return lastRead.answers
    const value = await store.readMark(mark)
    if (value === undefined) return undefined
    lastRead = { mark, answers: readAnswers(value) }
    return lastRead.answers
  }

  /** The same request_id again: the first one's answer, which may be on its way to the disk still. */
  const repeat = async (
    command: Command,
    request: Request,
    { mark, index }: Place,
    caller: Caller,
  ): Promise<Outcome> => {
    const failure = await settled()
    if (failure !== undefined) return failure
    const kept = (await answersOf(mark))?.[index]
    // Let go of between the look and the read: then this is a new request, as it would have been a moment later.
    if (kept === undefined) return submit(command, request, caller)
    const { meaning, revision, answer } = kept
    if (meaning === meaningOf(command)) {
      keepAlive(leaseKeptBy(command, answer))
      repeated += 1
      return (await settled()) ?? { answer, revision }
    }
    reused += 1
    const message = 'This request_id was used for another request.'
    return fail('REQUEST_ID_REUSED', message, { request_id: request.requestId })
  }

  /** Its holder counts from when it sent what was answered, so the first one's renewal is not enough. It changes nothing. */
  const keepAlive = (leaseId: LeaseId | undefined) => {
    const lease = leaseId === undefined ? undefined : state.leases.get(leaseId)
    if (refusal() !== undefined || lease === undefined || lease.isHeld) return
    keep(leaseTimes.renew(lease.leaseId, tick()))
    schedule()
  }

  const renew = async (leaseId: LeaseId, caller: Caller = ANYONE): Promise<Outcome> => {
    const lease = state.leases.get(leaseId)
    if (refusal() !== undefined || lease === undefined || lease.isHeld) {
      return submit({ kind: 'revive_lease', leaseId }, undefined, caller)
    }
    const denied = ownLease(state, leaseId, caller)
    if (denied !== undefined) return (await settled()) ?? denied
    if (isOverloaded()) return overloaded()
    keep(leaseTimes.renew(leaseId, tick()))
    const outcome: Outcome = { answer: { kind: 'lease', lease: viewLease(state, lease) }, revision: state.revision }
    schedule()
    return (await settled()) ?? outcome
  }

  return {
    state,
    submit,
    renew,
    expireLeases: () => {
      if (refusal() !== undefined) return
      for (const leaseId of leaseTimes.due(tick())) {
        // Nobody waits for it: who has lost a lease is told by LEASE_NOT_FOUND, and a core that broke has stopped serving.
        submit({ kind: 'expire_lease', leaseId }, undefined).catch(() => undefined)
      }
    },
    read: async (query) => {
      const refused = refusal()
      if (refused !== undefined) return refused
      tick()
      const value = query(state)
      return (await settled()) ?? value
    },
    alter: async (step, caller = ANYONE) => {
      const refused = refusal()
      if (refused !== undefined) return refused
      if (isOverloaded()) return overloaded()
      const servingMs = tick()
      const value = step(state, (events) => {
        if (events.length > 0) commit(events, servingMs, 'OWNER', caller.identity)
      })
      schedule()
      return (await settled()) ?? value
    },
    durable: async () => await settled(),
    mark: (change) => {
      keep(change)
      schedule()
    },
    forgetAnswers: () => {
      answers.forget(tick())
      schedule()
    },
    drain: async () => {
      draining ??= fail('DRAINING', 'The daemon is shutting down. Try again when it is back.')
      await settled()
    },
    stop,
    get servingMs() {
      return tick()
    },
    get answersReachMs() {
      return answers.reachMs(tick())
    },
    get isWaiting() {
      return countResting(state) > 0 || answers.count > 0 || leaseTimes.count > 0
    },
    get pulse() {
      const { bytes, writingMs, failure } = batches
      return { repeated, reused, undurableBytes: bytes, writingMs, hasFailed: failure !== undefined }
    },
  }
}

/** The lease that a request keeps alive beside what it changes. */
function leaseKeptBy(command: Command, answer: Answer): LeaseId | undefined {
  if (command.kind === 'acquire' || command.kind === 'acquire_by_spid') return command.leaseId
  return answer.kind === 'lease' ? answer.lease.leaseId : undefined
}

function overloaded(): Failure {
  const message = 'More is waiting for the disk than the daemon keeps. Try again in a moment.'
  return fail('OVERLOADED', message)
}
