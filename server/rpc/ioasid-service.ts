import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import type { IoasidServiceHandlers } from '../../proto/gen/ioasid/v1/IoasidService.ts'
import { isCreator, mayLook, mayLookAtId } from '../core/access.ts'
import type { Caller } from '../core/caller.ts'
import type { SetRef } from '../core/command.ts'
import { type Failure, isFailure } from '../core/failure.ts'
import { resolveSet } from '../core/lookup.ts'
import { BEFORE_ALL, findBySpid, getIoasid, listIoasids } from '../core/query.ts'
import type { State } from '../core/state.ts'
import type { IoasidView } from '../core/view.ts'
import type { Engine } from '../engine/engine.ts'
import { runBatch } from './batch.ts'
import { change } from './change.ts'
import { decodeFindBySpid, decodeFreeAll, decodePresented, decodeRequestId, decodeSetRef } from './decode.ts'
import type { SizedBatch } from './definitions.ts'
import { encodeIoasid, weighIoasid } from './encode.ts'
import { type Change, IOASID_CHANGES } from './ioasid-changes.ts'
import { decodePage, encodePage } from './paging.ts'
import { type Calls, unary } from './unary.ts'

/** The methods that are served with their messages as they are; grpc-js answers UNIMPLEMENTED to what is missing. */
type Served =
  | 'Allocate'
  | 'Free'
  | 'FreeAll'
  | 'GetIoasid'
  | 'FindBySpid'
  | 'ListIoasids'
  | 'AttachSpid'
  | 'DetachSpid'
  | 'AttachData'
  | 'DetachData'
  | 'Acquire'
  | 'Release'

/** Whether who calls sees what an owner sees: contract section 4, IoasidInfo. */
function isOwn(state: State, caller: Caller, ref: SetRef, isPresented: boolean): boolean {
  const set = resolveSet(state, ref)
  return isPresented || caller.isAdmin || (set !== undefined && isCreator(caller, set))
}

/** What an owner sees besides, if the id still lives the life that was found. */
function withOwn(view: IoasidView, now: IoasidView | Failure): IoasidView {
  if (isFailure(now) || now.ioasid !== view.ioasid || now.generation !== view.generation) return view
  return { ...view, privateData: now.privateData, holders: now.holders }
}

/** IoasidService: contract section 4. */
export function createIoasidService(engine: Engine, calls: Calls): UntypedServiceImplementation {
  const changing = <Request, Response extends object>(name: string, change: Change<Request, Response>) =>
    unary<Request, Response>(calls, name, async (request, caller) => {
      return change.toResponse(request, await change.submit(engine, request, caller))
    })
  const handlers: Pick<IoasidServiceHandlers, Served> = {
    Allocate: changing('Allocate', IOASID_CHANGES.allocate),
    Free: changing('Free', IOASID_CHANGES.free),
    AttachSpid: changing('AttachSpid', IOASID_CHANGES.attach_spid),
    DetachSpid: changing('DetachSpid', IOASID_CHANGES.detach_spid),
    AttachData: changing('AttachData', IOASID_CHANGES.attach_data),
    DetachData: changing('DetachData', IOASID_CHANGES.detach_data),
    Acquire: changing('Acquire', IOASID_CHANGES.acquire),
    Release: changing('Release', IOASID_CHANGES.release),

    FreeAll: unary(calls, 'FreeAll', async (request, caller) => {
      const changed = await change(engine, decodeFreeAll(engine, request), request, 'freed_all', caller)
      if (isFailure(changed)) return changed
      return { reclaimed: changed.answer.reclaimed, pending: changed.answer.pending, revision: changed.revision }
    }),

    GetIoasid: unary(calls, 'GetIoasid', async ({ ioasid, set_handle }, caller) => {
      const presented = decodePresented(engine, set_handle)
      const ref = presented === undefined ? undefined : { setId: presented }
      const seen = await engine.read((state) => {
        const denied = ref === undefined ? mayLookAtId(state, ioasid, caller) : mayLook(state, ref, caller)
        const view = denied ?? getIoasid(state, ioasid, presented)
        return isFailure(view) ? view : { view, isOwn: isOwn(state, caller, ref ?? view, ref !== undefined) }
      })
      return isFailure(seen) ? seen : { info: encodeIoasid(seen.view, seen.isOwn) }
    }),

    FindBySpid: unary(calls, 'FindBySpid', async (request, caller) => {
      const { set: ref, spid: wanted, leaseId } = decodeFindBySpid(engine, request)
      const look = (state: State) => ({
        view: findBySpid(state, ref, wanted),
        isOwn: isOwn(state, caller, ref, 'setId' in ref),
        revision: state.revision,
      })
      if (leaseId !== null) {
        const acquiring = { kind: 'acquire_by_spid', set: ref, spid: wanted, leaseId } as const
        // Looked at in the same step, behind the change: an answer keeps neither private data nor holders.
        const [changed, seen] = await Promise.all([
          change(engine, acquiring, request, 'found', caller),
          engine.read(look),
        ])
        if (isFailure(changed)) return changed
        const { view } = changed.answer
        const info = isFailure(seen) ? encodeIoasid(view, false) : encodeIoasid(withOwn(view, seen.view), seen.isOwn)
        return { info, revision: changed.revision }
      }
      // Without a lease it changes nothing, but the form of a request is not looked at by halves.
      decodeRequestId(request, caller)
      const found = await engine.read((state) => mayLook(state, ref, caller) ?? look(state))
      if (isFailure(found)) return found
      if (isFailure(found.view)) return found.view
      return { info: encodeIoasid(found.view, found.isOwn), revision: String(found.revision) }
    }),

    ListIoasids: unary(calls, 'ListIoasids', async (request, caller) => {
      const ref = decodeSetRef(engine, request)
      const list = 'setId' in ref ? `ioasids of set ${ref.setId}` : `ioasids of token ${ref.token}`
      const { limit, cursor } = decodePage(request, list, 2)
      const after = cursor === undefined ? BEFORE_ALL : { generation: cursor[0] ?? 0, ioasid: cursor[1] ?? 0 }
      const listed = await engine.read((state) => {
        const page = mayLook(state, ref, caller) ?? listIoasids(state, ref, after, limit)
        return isFailure(page) ? page : { page, isOwn: isOwn(state, caller, ref, 'setId' in ref) }
      })
      if (isFailure(listed)) return listed
      const place = encodePage(listed.page, list, weighIoasid, (view) => [view.generation, view.ioasid])
      const infos = place.items.map((view) => encodeIoasid(view, listed.isOwn))
      return { infos, next_page_token: place.nextPageToken }
    }),
  }
  return {
    ...handlers,
    Batch: unary(calls, 'Batch', (batch: SizedBatch, caller) => runBatch(engine, calls.log, batch, caller)),
  }
}
