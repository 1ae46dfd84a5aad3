import type { Caller } from '../core/caller.ts'
import type { Answer, AnswerOf, Command } from '../core/command.ts'
import { type Failure, isFailure } from '../core/failure.ts'
import type { Revision } from '../core/ids.ts'
import type { Engine } from '../engine/engine.ts'
import type { Outcome } from '../engine/sequencer.ts'
import { decodeRequestId } from './decode.ts'

/** Submits a change and gives back its answer, which is of the kind that the command has. */
export async function change<Kind extends Answer['kind']>(
  engine: Engine,
  command: Command,
  request: { readonly request_id: string },
  kind: Kind,
  caller: Caller,
): Promise<{ readonly answer: AnswerOf<Kind>; readonly revision: Revision } | Failure> {
  return answered(await engine.submit(command, decodeRequestId(request, caller), caller), kind)
}

/** An outcome whose answer is of the kind that was to be expected. */
export function answered<Kind extends Answer['kind']>(
  outcome: Outcome,
  kind: Kind,
): { readonly answer: AnswerOf<Kind>; readonly revision: Revision } | Failure {
  if (isFailure(outcome)) return outcome
  const { answer, revision } = outcome
  if (!isOfKind(answer, kind)) throw new Error(`the answer is ${answer.kind}, not ${kind}`)
  return { answer, revision }
}

function isOfKind<Kind extends Answer['kind']>(answer: Answer, kind: Kind): answer is AnswerOf<Kind> {
  return answer.kind === kind
}
