import type { AcquireResponse } from '../../proto/gen/ioasid/v1/AcquireResponse.ts'
import type { AllocateResponse } from '../../proto/gen/ioasid/v1/AllocateResponse.ts'
import type { FreeResponse } from '../../proto/gen/ioasid/v1/FreeResponse.ts'
import type { ReleaseResponse } from '../../proto/gen/ioasid/v1/ReleaseResponse.ts'
import type { Caller } from '../core/caller.ts'
import type { Answer, AnswerOf, Command } from '../core/command.ts'
import { type Failure, isFailure } from '../core/failure.ts'
import type { Revision } from '../core/ids.ts'
import { idsOf } from '../core/runs.ts'
import type { Engine } from '../engine/engine.ts'
import type { Outcome } from '../engine/sequencer.ts'
import { answered } from './change.ts'
import {
  type DecodeContext,
  decodeAcquire,
  decodeAllocate,
  decodeAttachData,
  decodeAttachSpid,
  decodeDetachData,
  decodeDetachSpid,
  decodeFree,
  decodeRelease,
  decodeRequestId,
} from './decode.ts'
import { encodeFreed } from './encode.ts'

/** The changes that are RPCs of their own and items of a Batch: the same request means the same in both. */
export const IOASID_CHANGES = {
  allocate: changeOf('allocated', decodeAllocate, ({ runs }, revision): AllocateResponse => {
    return { ioasids: idsOf(runs), revision }
  }),
  // The same ids as the first time, in the same order: a repeat means what the first request meant.
  free: changeOf('freed', decodeFree, (answer, revision, { ioasids }): FreeResponse => {
    return { results: encodeFreed(ioasids, answer), revision }
  }),
  attach_spid: changeOf('done', decodeAttachSpid, toDone),
  detach_spid: changeOf('done', decodeDetachSpid, toDone),
  attach_data: changeOf('done', decodeAttachData, toDone),
  detach_data: changeOf('done', decodeDetachData, toDone),
  acquire: changeOf('acquired', decodeAcquire, ({ references }, revision): AcquireResponse => {
    return { references: String(references), revision }
  }),
  release: changeOf('released', decodeRelease, ({ references, reclaimed }, revision): ReleaseResponse => {
    return { references: String(references), reclaimed, revision }
  }),
}

function toDone(_answer: AnswerOf<'done'>, revision: Revision) {
  return { revision }
}

export interface Change<Request, Response> {
  /** Decided when it returns. Throws Refused. */
  submit(engine: Engine, request: Request, caller: Caller): Promise<Outcome>
  /** What the request is answered with. */
  toResponse(request: Request, outcome: Outcome): Response | Failure
}

function changeOf<Request extends { readonly request_id: string }, Kind extends Answer['kind'], Response>(
  kind: Kind,
  decode: (context: DecodeContext, request: Request) => Command,
  encode: (answer: AnswerOf<Kind>, revision: Revision, request: Request) => Response,
): Change<Request, Response> {
  return {
    submit: (engine, request, caller) =>
      engine.submit(decode(engine, request), decodeRequestId(request, caller), caller),
    toResponse: (request, outcome) => {
      const changed = answered(outcome, kind)
      return isFailure(changed) ? changed : encode(changed.answer, changed.revision, request)
    },
  }
}
