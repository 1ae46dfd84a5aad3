import { permits } from '../core/access.ts'
import { ANYONE, type Caller } from '../core/caller.ts'
import type { Failure } from '../core/failure.ts'
import type { LeaseId } from '../core/ids.ts'
import { leaseNotFound } from '../core/lookup.ts'
import type { Outcome, Sequencer } from './sequencer.ts'
import { checkSpaceId } from './start-rules.ts'

/** A holder's word that it has cleaned up; the form is checked. */
export interface AcknowledgeRequest {
  readonly leaseId: LeaseId
  /** As the caller wrote it, perhaps one that is yet to come. */
  readonly revision: number
  /** Of which history the revision is; empty: not given. */
  readonly spaceId: string
}

export type Acknowledge = (request: AcknowledgeRequest, caller?: Caller) => Promise<Outcome>

/**
 * A revision of another history may be the number of a teardown of this one that nobody has cleaned up after: it is not
 * even decided on. What is refused before a cursor is looked at is refused first, as with a subscription.
 */
export function createAcknowledge({ read, submit }: Sequencer, spaceId: string): Acknowledge {
  return async ({ leaseId, revision, spaceId: asked }, caller = ANYONE) => {
    const command = { kind: 'acknowledge', leaseId, revision } as const
    const changed = checkSpaceId({ spaceId }, asked)
    if (changed === undefined) return await submit(command, undefined, caller)
    return await read((state): Failure => {
      return permits(state, command, caller) ?? (state.leases.has(leaseId) ? changed : leaseNotFound())
    })
  }
}
