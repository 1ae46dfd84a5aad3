import type { Command } from '../../../server/core/command.ts'
import type { SubscribeRequest } from '../../../server/engine/subscribe.ts'
import type { Model, ModelOutcome } from '../../core/model.ts'
import type { Flags } from '../flags.ts'
import type { ExpectedStream } from './expect.ts'
import type { Kept } from './requests.ts'

/** What the daemon was asked, when it decided, what came of it, and what is to come of it. */
export type Question =
  | { readonly kind: 'command'; readonly command: Command; readonly requestId: string | undefined }
  | { readonly kind: 'subscribe'; readonly request: SubscribeRequest; readonly compactRevision: number }
  | { readonly kind: 'read'; readonly expect: (model: Model) => object }

export interface Asked {
  readonly question: Question
  /** The revision that it was decided at. */
  readonly atRevision: number
  /** The one that it made. */
  readonly madeRevision: number | undefined
  readonly servingMs: number
  readonly process: number
  readonly flags: Flags
  expected: Expected | undefined
  outcome: unknown
}

export type Expected =
  | { readonly kind: 'command'; readonly outcome: ModelOutcome; readonly revision: number }
  /** The answer that a request_id got before. */
  | { readonly kind: 'kept'; readonly kept: Kept; readonly reused: boolean }
  /** It may be forgotten, or be that of a later one: then it is a new request. */
  | {
      readonly kind: 'perhaps kept'
      readonly kept: readonly Kept[]
      readonly outcome: ModelOutcome
      readonly revision: number
    }
  | { readonly kind: 'stream'; readonly stream: ExpectedStream }
  | { readonly kind: 'read'; readonly value: object }

/** Refused without a look at the space. */
export function isTurnedAway(outcome: unknown): boolean {
  if (typeof outcome !== 'object' || outcome === null || !('reason' in outcome)) return false
  return outcome.reason === 'OVERLOADED' || outcome.reason === 'DRAINING' || outcome.reason === 'STORE_FAILED'
}
