import type { Binding } from '../../proto/gen/ioasid/v1/Binding.ts'
import type { Life } from '../../proto/gen/ioasid/v1/Life.ts'
import type { BindingView, LifeView, Moment } from '../engine/history.ts'
import { encodeTime } from './encode.ts'

/** Lives of an id to messages. */

export function encodeLife({ token, setId, from, to, endedBy, allocatedBy, freedBy, bindings }: LifeView): Life {
  return {
    token,
    set_id: String(setId),
    generation: String(from.revision),
    ...encodeSpan(from, to),
    ...(endedBy === undefined ? {} : { ended_by: endedBy }),
    allocated_by: allocatedBy,
    freed_by: freedBy,
    bindings: bindings.map(encodeBinding),
  }
}

function encodeBinding({ spid, from, to, boundBy, unboundBy }: BindingView): Binding {
  return { spid, ...encodeSpan(from, to), bound_by: boundBy, unbound_by: unboundBy }
}

function encodeSpan(from: Moment, to: Moment | undefined) {
  const began = { from_revision: String(from.revision), from_time: encodeTime(from.wallMs) }
  return to === undefined ? began : { ...began, to_revision: String(to.revision), to_time: encodeTime(to.wallMs) }
}

/** About how many bytes the message will take; never fewer than it does. */
export function weighLife({ token, allocatedBy, freedBy, bindings }: LifeView): number {
  const texts = [token, allocatedBy, freedBy, ...bindings.flatMap(({ boundBy, unboundBy }) => [boundBy, unboundBy])]
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 110 + 80 * bindings.length)
}
