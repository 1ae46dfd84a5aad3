import type { Model } from '../core/model.ts'
import { ask } from '../core/model-sets.ts'
import { answersSame, changesNothing } from './cause.ts'
import { copyOf } from './copy.ts'
import type { Change } from './history.ts'
import type { Known } from './known.ts'
import { answerShape, textOf } from './shapes.ts'
import type { Violation } from './violation.ts'

/** Names what is wrong with a revision that nothing explains, in the state before it. */
export function why(before: Model, revision: number, known: Known): Violation {
  const claims = known.claims.get(revision) ?? []
  const told = `which tells [${(known.logged.get(revision) ?? []).join('; ')}]`
  if (claims.length === 0) {
    return { rule: 'unexplained revision', what: `nobody made revision ${revision}, ${told}` }
  }
  const maker = claims.find((claim) => {
    const outcome = ask(copyOf(before), claim.ask.command)
    return 'happened' in outcome && outcome.happened.length > 0 && answersSame(outcome, claim)
  })
  const model = copyOf(before)
  if (maker !== undefined) ask(model, maker.ask.command)
  const [wrong] = claims.filter((claim) => claim !== maker && !changesNothing(model, claim))
  if (wrong === undefined) {
    return { rule: 'unexplained revision', what: `nobody of those who were told of it made ${revision}, ${told}` }
  }
  const said = `${wrong.id} ${textOf(wrong.ask.command)} was answered ${textOf(wrong.outcome)}`
  const outcome = ask(model, wrong.ask.command)
  const other = maker === undefined ? '' : `, and ${maker.id} ${textOf(maker.ask.command)} made ${revision}`
  const right = 'refused' in outcome ? `refused: ${outcome.refused}` : textOf(answerShape(outcome.answer))
  return { rule: ruleOf(before, wrong), what: `${said}${other}; right was ${right}` }
}

/** An id that was given though it was not free has a name of its own. */
function ruleOf({ sets }: Model, { outcome }: Change): string {
  const ids = outcome.kind === 'answer' && 'ids' in outcome.answer ? (outcome.answer.ids as number[]) : []
  const taken = sets.flatMap((set) => set.ids.filter(({ ioasid }) => ids.includes(ioasid)))
  if (taken.some(({ isPending }) => isPending)) return 'early reuse'
  return taken.length > 0 ? 'two owners' : 'wrong answer'
}
