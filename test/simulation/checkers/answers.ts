import type { Command } from '../../../server/core/command.ts'
import type { Entry } from '../../../server/core/event.ts'
import { asLeaseId } from '../../../server/core/ids.ts'
import type { State } from '../../../server/core/state.ts'
import type { AnswerLimits } from '../../../server/engine/answers.ts'
import type { Model, ModelOutcome } from '../../core/model.ts'
import { happenings, inOrderOfIds } from '../../core/model-happenings.ts'
import { ask } from '../../core/model-sets.ts'
import type { Flags } from '../flags.ts'
import type { Sim } from '../sim.ts'
import { type Asked, type Expected, isTurnedAway, type Question } from './asked.ts'
import { compareWithModel } from './compare.ts'
import { copyOf, expectStream } from './expect.ts'
import { createRequests, type Kept, meaningOf } from './requests.ts'
import { isSame, show } from './same.ts'

/**
 * A naive model of the contract answers the same questions, in the order in which the daemon decided them, as far as what
 * was decided is on the disk: what a crash undid was never asked.
 */
export interface Answers {
  /** Asks the daemon; `put` decides at once. */
  ask(
    question: Question,
    state: State,
    process: { readonly number: number; readonly flags: Flags },
    put: () => void,
  ): Asked
  /** What came of it has left the daemon. */
  answer(asked: Asked, outcome: unknown, servingMs: number): void
  /** Goes on to what is on the disk. */
  catchUp(): void
  /** What was decided and is not on the disk never was. */
  forget(): void
  /** Answers are kept for so long and no longer, so many and no more. */
  age(servingMs: number, limits: AnswerLimits): void
}

/** A request as it was sent. */
export interface Sent {
  readonly command: Command
  readonly requestId: string
}

export interface AnswersOptions {
  readonly model: Model
  /** What may have made a revision: first those whose answers are on the disk and say so, then all that were sent. */
  readonly requestsOf: (revision: number) => readonly Sent[]
  readonly endOfSet: (setId: number) => number | undefined
}

export function createAnswers(sim: Sim, { model, requestsOf, endOfSet }: AnswersOptions): Answers {
  const { disk, report } = sim
  const requests = createRequests()
  let queue: Asked[] = []

  const entryOf = (revision: number): Entry => {
    const entry = disk.history[revision - 1]
    if (entry === undefined) throw new Error(`there is no entry ${revision}`)
    return entry
  }

  /** Has the model do what an entry says that the daemon did. */
  const carryOut = (command: Command, { revision, events }: Entry): ModelOutcome => {
    const outcome = ask(model, command)
    const wrong = (why: string) => report('answers-in-order', `${show(command)} made revision ${revision}${why}`)
    if ('refused' in outcome) wrong(`, and is to be refused: ${show(outcome)}`)
    else if (!isSame(inOrderOfIds(happenings(events)), inOrderOfIds(outcome.happened))) {
      wrong(` with ${show(happenings(events))}, not ${show(outcome.happened)}`)
    } else if (model.revision !== revision) wrong(', and has nothing to change')
    return outcome
  }

  const keep = (asked: Asked, outcome: ModelOutcome, revision: number, command: Command, requestId: string) => {
    if ('refused' in outcome) return
    const kept: Kept = {
      requestId,
      meaning: meaningOf(command, asked.flags.space.capacity),
      servingMs: asked.servingMs,
      answer: outcome.answer,
      revision,
      process: asked.process,
      // What changed nothing is kept by a mark of its own, on the disk for sure when it was answered.
      isSure: asked.madeRevision !== undefined,
    }
    requests.keep(kept)
    requests.age(asked.servingMs, asked.flags.limits)
  }

  const settleCommand = (asked: Asked, { command, requestId }: Extract<Question, { kind: 'command' }>): Expected => {
    const { madeRevision, flags } = asked
    requests.age(asked.servingMs, flags.limits)
    const all = requestId === undefined ? [] : requests.find(requestId)
    const known = all.at(-1)
    if (known?.isSure) {
      if (madeRevision !== undefined) {
        report('exactly-once', `request ${requestId} changes something twice: ${known.revision} and ${madeRevision}`)
        ask(model, command)
      }
      return { kind: 'kept', kept: known, reused: known.meaning !== meaningOf(command, flags.space.capacity) }
    }
    const outcome = madeRevision === undefined ? ask(copyOf(model), command) : carryOut(command, entryOf(madeRevision))
    const revision = madeRevision ?? asked.atRevision
    const isChange = 'happened' in outcome && outcome.happened.length > 0
    // Who would have changed something and did not was turned away (overloaded), or is answered from memory.
    if (requestId !== undefined && isChange === (madeRevision !== undefined)) {
      keep(asked, outcome, revision, command, requestId)
    }
    return known === undefined
      ? { kind: 'command', outcome, revision }
      : { kind: 'perhaps kept', kept: all, outcome, revision }
  }

  const settle = (asked: Asked): void => {
    const { question, madeRevision } = asked
    model.nowMs = asked.servingMs
    if (question.kind === 'command') asked.expected = settleCommand(asked, question)
    else if (question.kind === 'read') asked.expected = { kind: 'read', value: question.expect(model) }
    else {
      const { request, compactRevision } = question
      const stream = expectStream(model, request, { compactRevision, endOfSet })
      asked.expected = { kind: 'stream', stream }
      if (madeRevision === undefined || request.hold === undefined) return
      if ('refused' in stream || !stream.registers) {
        report('answers-in-order', `${show(request)} registers at ${madeRevision}, and is to change nothing`)
      }
      const { sets } = request
      const names =
        sets === 'all' ? sets : { tokens: [...sets.tokens].sort(), setIds: [...sets.setIds].sort((a, b) => a - b) }
      carryOut({ kind: 'register', ...request.hold, names }, entryOf(madeRevision))
    }
  }

  /** Nobody's question: a lease whose time is over, or a request that was decided later than it was put. */
  const settleOwn = (entry: Entry) => {
    const [first] = entry.events
    model.nowMs = entry.servingMs
    const isEnd = first?.kind === 'LEASE_END' || first?.kind === 'LEASE_HELD'
    const expiry: Command[] = isEnd ? [{ kind: 'expire_lease', leaseId: asLeaseId(first.leaseId) }] : []
    // Where its answer is on the disk, that says whose it was; it may have been let go of in the same batch.
    const late = requestsOf(entry.revision).filter(({ requestId }) => !requests.find(requestId).at(-1)?.isSure)
    const changes = (command: Command) => {
      const outcome = ask(copyOf(model), command)
      return 'happened' in outcome && isSame(inOrderOfIds(happenings(entry.events)), inOrderOfIds(outcome.happened))
    }
    const command = [...expiry, ...late.map((sent) => sent.command)].find(changes)
    if (command === undefined) {
      report('answers-in-order', `revision ${entry.revision} was asked for by nobody: ${show(entry.events)}`)
      return
    }
    if (command.kind === 'expire_lease') {
      sim.coverage.count(first?.kind === 'LEASE_END' ? 'lease expired' : 'lease held')
    }
    const outcome = carryOut(command, entry)
    const sent = late.find((each) => each.command === command)
    if (sent !== undefined && 'answer' in outcome) {
      const { requestId } = sent
      const { revision, servingMs } = entry
      const meaning = meaningOf(command, model.config.capacity)
      requests.keep({ requestId, meaning, servingMs, answer: outcome.answer, revision, process: 0, isSure: true })
    }
  }

  const catchUp = () => {
    for (;;) {
      const head = queue[0]
      const durable = disk.history.length
      if (head !== undefined && head.atRevision === model.revision) {
        if (head.madeRevision !== undefined && head.madeRevision > durable) return
        queue.shift()
        settle(head)
      } else if (head !== undefined && head.atRevision < model.revision) {
        report('answers-in-order', `${show(head.question)} was decided at revision ${head.atRevision}, out of order`)
        return
      } else if (model.revision < durable) {
        const before = model.revision
        settleOwn(entryOf(before + 1))
        if (model.revision === before) return
      } else return
    }
  }

  return {
    ask: (question, state, { number, flags }, put) => {
      const atRevision = state.revision
      put()
      const madeRevision = state.revision > atRevision ? state.revision : undefined
      const asked: Asked = {
        question,
        atRevision,
        madeRevision,
        servingMs: state.servingMs,
        process: number,
        flags,
        expected: undefined,
        outcome: undefined,
      }
      queue.push(asked)
      return asked
    },
    answer: (asked, outcome, servingMs) => {
      asked.outcome = outcome
      requests.age(servingMs, asked.flags.limits)
      const decided = asked.madeRevision ?? asked.atRevision
      catchUp()
      if (asked.expected !== undefined) compareWithModel(sim, asked)
      else if (!isTurnedAway(outcome)) {
        report(
          'durable-before-visible',
          `${show(asked.question)} is answered at revision ${decided}, and only ${disk.history.length} are on the disk`,
        )
      }
      const expected = asked.expected
      if (isTurnedAway(outcome)) return
      // Now it is known that the mark is on the disk.
      if (expected?.kind === 'command' && asked.question.kind === 'command' && asked.question.requestId !== undefined) {
        const kept = requests.find(asked.question.requestId).at(-1)
        if (kept !== undefined && kept.revision === expected.revision && kept.process === asked.process) {
          kept.isSure = true
          requests.age(asked.servingMs, asked.flags.limits)
        }
      }
    },
    catchUp,
    age: requests.age,
    forget: () => {
      catchUp()
      queue = []
    },
  }
}
