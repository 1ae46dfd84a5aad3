import type { Binding } from '../../proto/gen/ioasid/v1/Binding.ts'
import type { Life } from '../../proto/gen/ioasid/v1/Life.ts'
import type { BindingView, LifeView, Moment } from '../engine/history.ts'
import { encodeTime } from './encode.ts'

/** Lives of an id to messages. */

export function encodeLife({ token, setId, from, to, endedBy, bindings }: LifeView): Life {
  return {
    token,
    set_id: String(setId),
    generation: String(from.revision),
    ...encodeSpan(from, to),
    ...(endedBy === undefined ? {} : { ended_by: endedBy }),
    bindings: bindings.map(encodeBinding),
  }
}

function encodeBinding({ spid, from, to }: BindingView): Binding {
  return { spid, ...encodeSpan(from, to) }
}

function encodeSpan(from: Moment, to: Moment | undefined) {
  const began = { from_revision: String(from.revision), from_time: encodeTime(from.wallMs) }
  return to === undefined ? began : { ...began, to_revision: String(to.revision), to_time: encodeTime(to.wallMs) }
}

/** About how many bytes the message will take; never fewer than it does. */
export function weighLife({ token, bindings }: LifeView): number {
  return 100 + Buffer.byteLength(token) + 70 * bindings.length
}
