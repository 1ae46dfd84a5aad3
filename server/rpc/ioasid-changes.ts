import type { AcquireRequest__Output } from '../../proto/gen/ioasid/v1/AcquireRequest.ts'
import type { AcquireResponse } from '../../proto/gen/ioasid/v1/AcquireResponse.ts'
import type { AllocateRequest__Output } from '../../proto/gen/ioasid/v1/AllocateRequest.ts'
import type { AllocateResponse } from '../../proto/gen/ioasid/v1/AllocateResponse.ts'
import type { AttachDataRequest__Output } from '../../proto/gen/ioasid/v1/AttachDataRequest.ts'
import type { AttachSpidRequest__Output } from '../../proto/gen/ioasid/v1/AttachSpidRequest.ts'
import type { DetachDataRequest__Output } from '../../proto/gen/ioasid/v1/DetachDataRequest.ts'
import type { DetachSpidRequest__Output } from '../../proto/gen/ioasid/v1/DetachSpidRequest.ts'
import type { FreeRequest__Output } from '../../proto/gen/ioasid/v1/FreeRequest.ts'
import type { FreeResponse } from '../../proto/gen/ioasid/v1/FreeResponse.ts'
import type { ReleaseRequest__Output } from '../../proto/gen/ioasid/v1/ReleaseRequest.ts'
import type { ReleaseResponse } from '../../proto/gen/ioasid/v1/ReleaseResponse.ts'
import type { Caller } from '../core/caller.ts'
import type { Command } from '../core/command.ts'
import { type Failure, isFailure } from '../core/failure.ts'
import type { Revision } from '../core/ids.ts'
import { idsOf } from '../core/runs.ts'
import type { Engine } from '../engine/engine.ts'
import { change } from './change.ts'
import {
  decodeAcquire,
  decodeAllocate,
  decodeAttachData,
  decodeAttachSpid,
  decodeDetachData,
  decodeDetachSpid,
  decodeFree,
  decodeRelease,
} from './decode.ts'
import { encodeFreed } from './encode.ts'

/** The changes that are RPCs of their own and items of a Batch: the same request means the same in both. */
export interface IoasidChanges {
  allocate(request: AllocateRequest__Output, caller: Caller): Promise<AllocateResponse | Failure>
  free(request: FreeRequest__Output, caller: Caller): Promise<FreeResponse | Failure>
  attach_spid(request: AttachSpidRequest__Output, caller: Caller): Promise<Done | Failure>
  detach_spid(request: DetachSpidRequest__Output, caller: Caller): Promise<Done | Failure>
  attach_data(request: AttachDataRequest__Output, caller: Caller): Promise<Done | Failure>
  detach_data(request: DetachDataRequest__Output, caller: Caller): Promise<Done | Failure>
  acquire(request: AcquireRequest__Output, caller: Caller): Promise<AcquireResponse | Failure>
  release(request: ReleaseRequest__Output, caller: Caller): Promise<ReleaseResponse | Failure>
}

interface Done {
  readonly revision: Revision
}

export function createIoasidChanges(engine: Engine): IoasidChanges {
  const done = async (command: Command, request: { readonly request_id: string }, caller: Caller) => {
    const changed = await change(engine, command, request, 'done', caller)
    return isFailure(changed) ? changed : { revision: changed.revision }
  }
  return {
    allocate: async (request, caller) => {
      const changed = await change(engine, decodeAllocate(engine, request), request, 'allocated', caller)
      return isFailure(changed) ? changed : { ioasids: idsOf(changed.answer.runs), revision: changed.revision }
    },
    free: async (request, caller) => {
      const changed = await change(engine, decodeFree(engine, request), request, 'freed', caller)
      if (isFailure(changed)) return changed
      // The same ids as the first time, in the same order: a repeat means what the first request meant.
      return { results: encodeFreed(request.ioasids, changed.answer), revision: changed.revision }
    },
    attach_spid: async (request, caller) => done(decodeAttachSpid(engine, request), request, caller),
    detach_spid: async (request, caller) => done(decodeDetachSpid(engine, request), request, caller),
    attach_data: async (request, caller) => done(decodeAttachData(engine, request), request, caller),
    detach_data: async (request, caller) => done(decodeDetachData(engine, request), request, caller),
    acquire: async (request, caller) => {
      const changed = await change(engine, decodeAcquire(engine, request), request, 'acquired', caller)
      if (isFailure(changed)) return changed
      return { references: String(changed.answer.references), revision: changed.revision }
    },
    release: async (request, caller) => {
      const changed = await change(engine, decodeRelease(engine, request), request, 'released', caller)
      if (isFailure(changed)) return changed
      const { references, reclaimed } = changed.answer
      return { references: String(references), reclaimed, revision: changed.revision }
    },
  }
}
