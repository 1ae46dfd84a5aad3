import type { SetServiceHandlers } from '../../proto/gen/ioasid/v1/SetService.ts'
import { isFailure } from '../core/failure.ts'
import { asSetId } from '../core/ids.ts'
import { getSet, listSets } from '../core/query.ts'
import type { Engine } from '../engine/engine.ts'
import { change } from './change.ts'
import { decodeAdjustQuota, decodeCreateSet, decodeDeleteSet, decodeSetRef } from './decode.ts'
import { encodeSet, weighSet } from './encode.ts'
import { text } from './fields.ts'
import type { Log } from './log.ts'
import { decodePage, encodePage } from './paging.ts'
import { unary } from './unary.ts'

/** SetService: contract section 4. */
export function createSetService(engine: Engine, log: Log): SetServiceHandlers {
  return {
    CreateSet: unary(log, 'CreateSet', async (request) => {
      const changed = await change(engine, decodeCreateSet(engine, request), request, 'set')
      if (isFailure(changed)) return changed
      const { set } = changed.answer
      return { set: encodeSet(set, engine.handles.ofSet(set.setId)), revision: changed.revision }
    }),

    GetSet: unary(log, 'GetSet', async (request) => {
      const ref = decodeSetRef(engine, request)
      const set = await engine.read((state) => getSet(state, ref))
      return isFailure(set) ? set : { set: encodeSet(set, request.set_handle) }
    }),

    ListSets: unary(log, 'ListSets', async (request) => {
      const prefix = text('token_prefix', request.token_prefix)
      const list = `sets ${prefix}`
      const { limit, cursor } = decodePage(request, list, 1)
      const page = await engine.read((state) => listSets(state, prefix, asSetId(cursor?.[0] ?? 0), limit))
      if (isFailure(page)) return page
      const { items, nextPageToken } = encodePage(page, list, weighSet, ({ setId }) => [setId])
      return { sets: items.map((set) => encodeSet(set)), next_page_token: nextPageToken }
    }),

    AdjustQuota: unary(log, 'AdjustQuota', async (request) => {
      const changed = await change(engine, decodeAdjustQuota(engine, request), request, 'set')
      if (isFailure(changed)) return changed
      return { set: encodeSet(changed.answer.set, request.set_handle), revision: changed.revision }
    }),

    DeleteSet: unary(log, 'DeleteSet', async (request) => {
      const changed = await change(engine, decodeDeleteSet(engine, request), request, 'set')
      if (isFailure(changed)) return changed
      return { set: encodeSet(changed.answer.set, request.set_handle), revision: changed.revision }
    }),
  }
}
