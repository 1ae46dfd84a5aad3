import type { FreeResult } from '../../proto/gen/ioasid/v1/FreeResult.ts'
import type { IoasidInfo } from '../../proto/gen/ioasid/v1/IoasidInfo.ts'
import type { Set as SetMessage } from '../../proto/gen/ioasid/v1/Set.ts'
import type { AnswerOf } from '../core/command.ts'
import { forEachId, PLAIN } from '../core/runs.ts'
import type { IoasidView, SetView } from '../core/view.ts'

/** Views and answers to messages. 64-bit numbers travel as decimal strings. */

/** The handle goes only to who showed it, or to the creator: nobody else passes one. */
export function encodeSet(set: SetView, setHandle = ''): SetMessage {
  return {
    set_handle: setHandle,
    set_id: String(set.setId),
    token: set.token,
    quota: set.quota,
    allocated: set.allocated,
    bound: set.bound,
    state: set.state,
    create_revision: String(set.createRevision),
  }
}

/** Private data are for who showed the set's handle. */
export function encodeIoasid(view: IoasidView, isOwner: boolean): IoasidInfo {
  return {
    ioasid: view.ioasid,
    set_id: String(view.setId),
    token: view.token,
    state: view.state,
    generation: String(view.generation),
    devices: [...view.devices],
    ...(view.spid === undefined ? {} : { spid: view.spid }),
    ...(view.bindRevision === undefined ? {} : { bind_revision: String(view.bindRevision) }),
    ...(view.privateData === undefined || !isOwner ? {} : { private_data: view.privateData }),
  }
}

/** About how many bytes of a page the message will take; never fewer than it does. */
export function weighIoasid({ token, devices, privateData }: IoasidView): number {
  const names = devices.reduce((sum, device) => sum + Buffer.byteLength(device) + 3, 0)
  return 80 + Buffer.byteLength(token) + names + (privateData?.length ?? 0)
}

export function weighSet({ token }: SetView): number {
  return 120 + Buffer.byteLength(token)
}

export function encodeFreed({ runs }: AnswerOf<'freed'>): FreeResult[] {
  const results: FreeResult[] = []
  forEachId(runs, PLAIN, (ioasid) => results.push({ ioasid, state: 'FREE' }))
  return results
}
