import { type Failure, isFailure } from '../../../server/core/failure.ts'
import type { Outcome } from '../../../server/engine/sequencer.ts'
import type { ModelOutcome } from '../../core/model.ts'
import { showAnswer } from '../../core/model-happenings.ts'
import type { Sim } from '../sim.ts'
import { type Asked, isTurnedAway } from './asked.ts'
import type { Kept } from './requests.ts'
import { isSame, show } from './same.ts'

/** What the engine answered, as the oracle is told of it. */
export interface OpenedStream {
  readonly revision: number
  readonly snapshot: object | undefined
}

/** What came of a question, and what the model makes of it. */
export function compareWithModel(sim: Sim, asked: Asked): void {
  const { expected, outcome, question } = asked
  if (expected === undefined || isTurnedAway(outcome)) return
  sim.coverage.count('answer compared')
  const wrong = (wanted: unknown, checker: 'answers-in-order' | 'exactly-once' | 'snapshot' = 'answers-in-order') => {
    const about =
      question.kind === 'command' ? question.command : question.kind === 'read' ? 'a read' : question.request
    const given = question.kind === 'read' ? '' : `is answered with ${show(outcome)}, `
    sim.report(checker, `${show(about)} at revision ${asked.atRevision} ${given}not ${show(wanted)}`)
  }
  switch (expected.kind) {
    case 'read':
      sim.coverage.count('read compared')
      if (!isSame(outcome, expected.value)) wrong(firstDifference(outcome, expected.value))
      return
    case 'stream': {
      const { stream } = expected
      const opened = outcome as OpenedStream | Failure
      // How many there are changes with every reader that leaves: whether there were as many is not looked at.
      if (isFailure(opened) && opened.reason === 'TOO_MANY' && opened.metadata['what'] === 'subscriptions') return
      if ('refused' in stream) {
        if (!isFailure(opened) || !isRefused(opened, stream)) wrong(stream)
      } else if (isFailure(opened) || opened.revision !== stream.revision) wrong(stream)
      else if (stream.registers !== (asked.madeRevision !== undefined)) wrong(stream)
      else if (!isSame(opened.snapshot, stream.snapshot)) wrong(stream.snapshot, 'snapshot')
      return
    }
    case 'kept': {
      const { kept, reused } = expected
      const given = outcome as Outcome
      // It was let go of while this one waited for the disk: then this one was decided later than it was put.
      if (!kept.isSure && isAnew(given, asked)) return
      if (reused) {
        sim.coverage.count('request_id reused')
        const refused = { refused: 'REQUEST_ID_REUSED', facts: { request_id: kept.requestId } }
        if (!isFailure(given) || !isRefused(given, refused)) wrong(refused, 'exactly-once')
        return
      }
      sim.coverage.count('answered from memory')
      if (kept.process !== asked.process) sim.coverage.count('answered from memory after a restart')
      if (!isKept(given, kept)) wrong(kept, 'exactly-once')
      return
    }
    case 'perhaps kept':
      if (expected.kept.some((kept) => isKept(outcome as Outcome, kept))) return
      if (isExpected(outcome as Outcome, expected.outcome, expected.revision)) return
      // Or it was decided later than it was put, when what was kept had just been let go of.
      if (isLater(outcome as Outcome, asked)) return
      return wrong([expected.kept, expected.outcome], 'exactly-once')
    case 'command':
      if ('happened' in expected.outcome && expected.outcome.happened.length > 0 && asked.madeRevision === undefined) {
        wrong(expected.outcome)
      } else if (!isExpected(outcome as Outcome, expected.outcome, expected.revision)) wrong(expected.outcome)
  }
}

function isAnew(outcome: Outcome, { atRevision }: Asked): boolean {
  return isFailure(outcome) || outcome.revision >= atRevision
}

function isLater(outcome: Outcome, { atRevision }: Asked): boolean {
  return isFailure(outcome) || outcome.revision > atRevision
}

function isKept(given: Outcome, kept: Kept): boolean {
  if (isFailure(given)) return false
  return given.revision === kept.revision && isSame(showAnswer(given.answer), kept.answer)
}

function isExpected(given: Outcome, outcome: ModelOutcome, revision: number): boolean {
  if ('refused' in outcome) return isFailure(given) && isRefused(given, outcome)
  if (isFailure(given)) return false
  return given.revision === revision && isSame(showAnswer(given.answer), outcome.answer)
}

function isRefused({ reason, metadata }: Failure, { refused, facts }: Extract<ModelOutcome, { refused: string }>) {
  return reason === refused && isSame(metadata, facts)
}

/** Of two large values, what is worth a sentence. */
function firstDifference(a: unknown, b: unknown, path = ''): string {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return `${path}: ${show(b)}`
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const [x, y] = [Reflect.get(a, key), Reflect.get(b, key)]
    if (key !== 'sinceWallMs' && !isSame(x, y)) return firstDifference(x, y, `${path}.${key}`)
  }
  return `${path}: ${show(b)}`
}
