import { forgetEndedSets } from '../core/ended-sets.ts'
import { evolve } from '../core/evolve.ts'
import type { Revision } from '../core/ids.ts'
import { type Contradiction, createReplay, emptyBase, reindex } from '../core/reindex.ts'
import { ripen } from '../core/rest.ts'
import type { SpaceConfig, State } from '../core/state.ts'
import type { Mark, Store } from '../store/store.ts'
import { type AnswerLimits, type Answers, createAnswers, isAnswerMark } from './answers.ts'
import { isLeaseMark } from './lease-times.ts'
import { NEVER_RESTORED, numberFrom, RESTORED_MARK, readRestored } from './restored.ts'

/** The mark of serving time; the others are answers, leases, and what a restore says of itself. */
export const CLOCK_MARK = 'clock'

export function numberMark(key: string, value: number): Mark {
  return { key, value: Buffer.from(String(value)) }
}

export function readNumber({ value }: Mark): number {
  return Number(Buffer.from(value).toString())
}

export interface OpenSpace {
  readonly state: State
  readonly answers: Answers
  /** When leases end, as it was kept. */
  readonly leaseMarks: readonly Mark[]
  readonly spaceId: string
  readonly handleKey: Uint8Array
  readonly compactRevision: Revision
}

/** Restart = newest snapshot + the entries after it, brought under today's configuration. */
export async function openSpace(
  store: Store,
  config: SpaceConfig,
  limits: AnswerLimits,
): Promise<OpenSpace | Contradiction> {
  const { base, entries, marks, spaceId, handleKey, compactRevision } = await store.load()
  const answers = createAnswers(limits)
  const leaseMarks: Mark[] = []
  let restored = NEVER_RESTORED
  let servingMs = 0
  for await (const mark of marks) {
    if (isAnswerMark(mark.key)) answers.restore(mark)
    else if (isLeaseMark(mark.key)) leaseMarks.push(mark)
    else if (mark.key === CLOCK_MARK) servingMs = readNumber(mark)
    else if (mark.key === RESTORED_MARK) restored = readRestored(mark)
  }

  const replay = createReplay(numberFrom(base ?? emptyBase(config.capacity), restored))
  for await (const entry of entries) evolve(replay, entry)
  forgetEndedSets(replay.endedSets, compactRevision)
  ripen(replay, servingMs)

  const state = reindex(replay, config, restored.servingMs)
  return 'contradiction' in state ? state : { state, answers, leaseMarks, spaceId, handleKey, compactRevision }
}
