import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import type { IoasidServiceHandlers } from '../../proto/gen/ioasid/v1/IoasidService.ts'
import { type Failure, isFailure } from '../core/failure.ts'
import { BEFORE_ALL, findBySpid, getIoasid, listIoasids } from '../core/query.ts'
import type { IoasidView } from '../core/view.ts'
import type { Engine } from '../engine/engine.ts'
import { runBatch, type SizedBatch } from './batch.ts'
import { change } from './change.ts'
import { decodeFindBySpid, decodeFreeAll, decodePresented, decodeRequestId, decodeSetRef } from './decode.ts'
import { encodeIoasid, weighIoasid } from './encode.ts'
import { createIoasidChanges } from './ioasid-changes.ts'
import type { Log } from './log.ts'
import { decodePage, encodePage } from './paging.ts'
import { unary } from './unary.ts'

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

/** What an owner sees besides, if the id still lives the life that was found. */
function withOwn(view: IoasidView, now: IoasidView | Failure): IoasidView {
  if (isFailure(now) || now.ioasid !== view.ioasid || now.generation !== view.generation) return view
  return { ...view, privateData: now.privateData, holders: now.holders }
}

/** IoasidService: contract section 4. isAdmin: whoever calls may use AdminService, and so sees what an owner sees. */
export function createIoasidService(engine: Engine, log: Log, isAdmin: boolean): UntypedServiceImplementation {
  const changes = createIoasidChanges(engine)
  const handlers: Pick<IoasidServiceHandlers, Served> = {
    Allocate: unary(log, 'Allocate', changes.allocate),
    Free: unary(log, 'Free', changes.free),
    AttachSpid: unary(log, 'AttachSpid', changes.attach_spid),
    DetachSpid: unary(log, 'DetachSpid', changes.detach_spid),
    AttachData: unary(log, 'AttachData', changes.attach_data),
    DetachData: unary(log, 'DetachData', changes.detach_data),
    Acquire: unary(log, 'Acquire', changes.acquire),
    Release: unary(log, 'Release', changes.release),

    FreeAll: unary(log, 'FreeAll', async (request) => {
      const changed = await change(engine, decodeFreeAll(engine, request), request, 'freed_all')
      if (isFailure(changed)) return changed
      return { reclaimed: changed.answer.reclaimed, pending: changed.answer.pending, revision: changed.revision }
    }),

    GetIoasid: unary(log, 'GetIoasid', async ({ ioasid, set_handle }) => {
      const presented = decodePresented(engine, set_handle)
      const view = await engine.read((state) => getIoasid(state, ioasid, presented))
      return isFailure(view) ? view : { info: encodeIoasid(view, isAdmin || presented !== undefined) }
    }),

    FindBySpid: unary(log, 'FindBySpid', async (request) => {
      const { set: ref, spid: wanted, leaseId } = decodeFindBySpid(engine, request)
      if (leaseId !== null) {
        const acquiring = { kind: 'acquire_by_spid', set: ref, spid: wanted, leaseId } as const
        // Looked at in the same step, behind the change: an answer keeps neither private data nor holders.
        const [changed, seen] = await Promise.all([
          change(engine, acquiring, request, 'found'),
          engine.read((state) => ({ now: findBySpid(state, ref, wanted) })),
        ])
        if (isFailure(changed)) return changed
        const { view } = changed.answer
        const info = encodeIoasid(isFailure(seen) ? view : withOwn(view, seen.now), isAdmin || 'setId' in ref)
        return { info, revision: changed.revision }
      }
      // Without a lease it changes nothing, but the form of a request is not looked at by halves.
      decodeRequestId(request)
      const found = await engine.read((state) => ({
        view: findBySpid(state, ref, wanted),
        revision: state.revision,
      }))
      if (isFailure(found)) return found
      if (isFailure(found.view)) return found.view
      return { info: encodeIoasid(found.view, isAdmin || 'setId' in ref), revision: String(found.revision) }
    }),

    ListIoasids: unary(log, 'ListIoasids', async (request) => {
      const ref = decodeSetRef(engine, request)
      const list = 'setId' in ref ? `ioasids of set ${ref.setId}` : `ioasids of token ${ref.token}`
      const { limit, cursor } = decodePage(request, list, 2)
      const after = cursor === undefined ? BEFORE_ALL : { generation: cursor[0] ?? 0, ioasid: cursor[1] ?? 0 }
      const page = await engine.read((state) => listIoasids(state, ref, after, limit))
      if (isFailure(page)) return page
      const place = encodePage(page, list, weighIoasid, (view) => [view.generation, view.ioasid])
      const infos = place.items.map((view) => encodeIoasid(view, isAdmin || 'setId' in ref))
      return { infos, next_page_token: place.nextPageToken }
    }),
  }
  return { ...handlers, Batch: unary(log, 'Batch', (batch: SizedBatch) => runBatch(changes, log, batch)) }
}
