import type { Command } from '../../server/core/command.ts'
import type { Entry } from '../../server/core/event.ts'
import { readKey, requestKey } from '../../server/engine/request-digest.ts'
import { decodePart } from '../../server/store/codec.ts'
import { contradicts, createModel, type Model } from '../core/model.ts'
import { type Answers, createAnswers, type Sent } from './checkers/answers.ts'
import { createLeases, type Leases } from './checkers/leases.ts'
import { createLives, type Lives } from './checkers/lives.ts'
import { createMoments, type Moments } from './checkers/moments.ts'
import { checkPresent } from './checkers/present.ts'
import { LATE_MS, SLACK_MS, type StreamRecord } from './checkers/stream-record.ts'
import { createStreams, type Streams } from './checkers/streams.ts'
import { createUsers, type Users } from './checkers/users.ts'
import { createWaves, type Waves } from './checkers/waves.ts'
import type { Process } from './daemon.ts'
import type { Flags } from './flags.ts'
import type { Sim } from './sim.ts'

/** All checkers together, and what they are told. */
export interface Oracle {
  readonly model: Model
  readonly answers: Answers
  readonly streams: Streams
  readonly waves: Waves
  readonly leases: Leases
  readonly users: Users
  readonly moments: Moments
  readonly lives: Lives
  /** An entry has reached the disk. */
  follow(entry: Entry): void
  /** After each callback: what is there now. */
  look(process: Process | undefined): void
  serves(process: Process): void
  ends(process: Process): void
  contradicts(flags: Flags): boolean
  /** A request that carries a request_id, as it was sent. */
  sent(requestId: string, command: Command): void
}

export const CALLER = ''

/** Serving time is kept so often at least. */
const BEAT_MS = 500

export interface OracleOptions {
  readonly flags: Flags
  /** Those that the daemon serves now. */
  readonly streams: () => Iterable<StreamRecord>
}

export function createOracle(sim: Sim, options: OracleOptions): Oracle {
  const { disk, coverage } = sim
  let { flags } = options
  let seenRevision = 0
  /** What the last process had served, whether anything waited for it, and how much of it may be lost. */
  let servedMs = 0
  let isWaiting = false
  let lossMs = 0
  const model = createModel(flags.space)
  /** The same request_id may have been sent with several meanings. */
  const sent: Sent[] = []
  const moments = createMoments(sim)
  const users = createUsers(sim, () => lives)
  const lives = createLives(sim, { moments, space: () => flags.space, userOf: users.userOf })
  const answers = createAnswers(sim, {
    model,
    requestsOf: (revision) => {
      const keys = requestsOf(sim, revision)
      const isNamed = ({ requestId }: Sent) => keys.includes(requestKey(CALLER, requestId))
      return [...sent.filter(isNamed), ...sent.filter((each) => !isNamed(each))]
    },
    endOfSet: lives.endOfSet,
  })
  const waves = createWaves(sim, {
    moments,
    model,
    teardownTimeoutMs: () => flags.limits.teardownTimeoutMs,
    catchUp: answers.catchUp,
  })
  const streams = createStreams(sim, { moments, waves, lives })
  const leases = createLeases(sim, moments)

  return {
    model,
    answers,
    streams,
    waves,
    leases,
    users,
    moments,
    lives,
    follow: (entry) => {
      moments.noteDurable(entry.revision)
      users.follow(entry)
      lives.follow(entry)
      waves.follow(entry)
      countKinds(coverage.count, entry)
      answers.catchUp()
      for (const stream of options.streams()) streams.look(stream)
    },
    look: (process) => {
      const state = process?.serving?.state
      if (state === undefined) return
      leases.look(state)
      if (state.revision === seenRevision) return
      for (let revision = seenRevision + 1; revision <= state.revision; revision++) moments.noteDecided(revision)
      seenRevision = state.revision
      checkPresent(sim, state)
    },
    serves: (process) => {
      answers.forget()
      const state = process.serving?.state
      if (state === undefined) return
      const lostMs = servedMs - state.servingMs
      sim.world.loseServed(Math.max(0, lostMs))
      if (isWaiting && lostMs > lossMs) {
        sim.report('restart', `${lostMs} ms of serving time are lost, and at most ${lossMs} were not on the disk`)
      }
      const durable = disk.history.length
      if (state.revision !== durable) {
        sim.report('restart', `the daemon starts at revision ${state.revision}, and the disk has ${durable}`)
      }
      flags = process.flags
      model.config = flags.space
      seenRevision = state.revision
      checkPresent(sim, state)
      waves.restarted()
      leases.restarted(state, flags.limits.leaseGraceMs)
      answers.age(state.servingMs, flags.limits)
    },
    ends: (process) => {
      const state = process.serving?.state
      if (state !== undefined) {
        answers.age(state.servingMs, process.flags.limits)
        isWaiting = state.leases.size > 0 || state.resting.count > 0
        servedMs = state.servingMs
        // It is kept every half grace, or twice a second; timers are late, and the disk takes its time.
        lossMs = Math.min(process.flags.limits.leaseGraceMs / 2, BEAT_MS) + LATE_MS + SLACK_MS + disk.lagMs()
      }
      answers.forget()
    },
    contradicts: (next) => {
      answers.forget()
      return contradicts(model, next.space)
    },
    sent: (requestId, command) => {
      sent.push({ command, requestId })
    },
  }
}

/** Who was answered with a revision, by what is kept on the disk. */
function requestsOf({ disk }: Sim, revision: number): string[] {
  const [from, to] = [Buffer.from('answer/'), Buffer.from('answer0')]
  const keys: string[] = []
  for (const { key, value } of disk.tables.range('marks', from, to)) {
    const { payload } = decodePart(value, `mark ${key}`)
    const kept: readonly { readonly key: string; readonly revision: number }[] = JSON.parse(
      String(Buffer.from(payload)),
    )
    for (const each of kept) if (each.revision === revision) keys.push(readKey(each.key))
  }
  return keys
}

function countKinds(count: Sim['coverage']['count'], { events }: Entry): void {
  const kinds = new Set(events.map(({ kind }) => kind))
  if (kinds.has('RECLAIM')) {
    if (kinds.has('ACKNOWLEDGE')) count('id reclaimed by an acknowledgement')
    else if (kinds.has('LEASE_END')) count('id reclaimed by the end of a lease')
    else if (kinds.has('RELEASE')) count('id reclaimed by a release')
    else count('id reclaimed at once')
  }
  if (kinds.has('SET_DRAIN')) count('set drained')
  if (kinds.has('REGISTER')) count('hold registered')
  if (kinds.has('ACKNOWLEDGE')) count('teardown acknowledged')
  if (kinds.has('LEASE_REVIVE')) count('held lease revived')
}
