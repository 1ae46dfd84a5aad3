import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import type { IoasidServiceHandlers } from '../../proto/gen/ioasid/v1/IoasidService.ts'
import { isFailure } from '../core/failure.ts'
import { BEFORE_ALL, findBySpid, getIoasid, listIoasids } from '../core/query.ts'
import type { Engine } from '../engine/engine.ts'
import { runBatch, type SizedBatch } from './batch.ts'
import { change } from './change.ts'
import { decodeFreeAll, decodePresented, decodeRequestId, decodeSetRef, isGiven } from './decode.ts'
import { encodeIoasid, weighIoasid } from './encode.ts'
import { spid } from './fields.ts'
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

/** IoasidService without references (Acquire, Release): contract section 4. */
export function createIoasidService(engine: Engine, log: Log): UntypedServiceImplementation {
  const changes = createIoasidChanges(engine)
  const handlers: Pick<IoasidServiceHandlers, Served> = {
    Allocate: unary(log, 'Allocate', changes.allocate),
    Free: unary(log, 'Free', changes.free),
    AttachSpid: unary(log, 'AttachSpid', changes.attach_spid),
    DetachSpid: unary(log, 'DetachSpid', changes.detach_spid),
    AttachData: unary(log, 'AttachData', changes.attach_data),
    DetachData: unary(log, 'DetachData', changes.detach_data),

    FreeAll: unary(log, 'FreeAll', async (request) => {
      const changed = await change(engine, decodeFreeAll(engine, request), request, 'freed_all')
      if (isFailure(changed)) return changed
      return { reclaimed: changed.answer.reclaimed, pending: 0, revision: changed.revision }
    }),

    GetIoasid: unary(log, 'GetIoasid', async ({ ioasid, set_handle }) => {
      const presented = decodePresented(engine, set_handle)
      const view = await engine.read((state) => getIoasid(state, ioasid, presented))
      return isFailure(view) ? view : { info: encodeIoasid(view, presented !== undefined) }
    }),

    FindBySpid: unary(log, 'FindBySpid', async (request) => {
      const ref = decodeSetRef(engine, request)
      const wanted = spid('spid', request.spid)
      const leased = isGiven('acquire_for_lease', request.acquire_for_lease)
      // Of form only: where nothing changes there is nothing to repeat.
      decodeRequestId(request)
      const found = await engine.read((state) => ({
        view: findBySpid(state, ref, wanted, leased),
        revision: state.revision,
      }))
      if (isFailure(found)) return found
      if (isFailure(found.view)) return found.view
      return { info: encodeIoasid(found.view, 'setId' in ref), revision: String(found.revision) }
    }),

    ListIoasids: unary(log, 'ListIoasids', async (request) => {
      const ref = decodeSetRef(engine, request)
      const list = 'setId' in ref ? `ioasids of set ${ref.setId}` : `ioasids of token ${ref.token}`
      const { limit, cursor } = decodePage(request, list, 2)
      const after = cursor === undefined ? BEFORE_ALL : { generation: cursor[0] ?? 0, ioasid: cursor[1] ?? 0 }
      const page = await engine.read((state) => listIoasids(state, ref, after, limit))
      if (isFailure(page)) return page
      const place = encodePage(page, list, weighIoasid, (view) => [view.generation, view.ioasid])
      const infos = place.items.map((view) => encodeIoasid(view, 'setId' in ref))
      return { infos, next_page_token: place.nextPageToken }
    }),
  }
  return { ...handlers, Batch: unary(log, 'Batch', (batch: SizedBatch) => runBatch(changes, log, batch)) }
}
