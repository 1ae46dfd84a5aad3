import type { SetServiceHandlers } from '../../proto/gen/ioasid/v1/SetService.ts'
import { isCreator, known, mayLook, type Owned, sees } from '../core/access.ts'
import type { Caller } from '../core/caller.ts'
import { isFailure } from '../core/failure.ts'
import { asSetId } from '../core/ids.ts'
import { getSet, listSets } from '../core/query.ts'
import type { SetView } from '../core/view.ts'
import type { Engine } from '../engine/engine.ts'
import { change } from './change.ts'
import { decodeAdjustQuota, decodeCreateSet, decodeDeleteSet, decodeSetRef } from './decode.ts'
import { encodeSet, weighSet } from './encode.ts'
import { text } from './fields.ts'
import { decodePage, encodePage } from './paging.ts'
import { type Calls, unary } from './unary.ts'

/** SetService: contract section 4. */
export function createSetService(engine: Engine, calls: Calls): SetServiceHandlers {
  const show = (set: SetView, caller: Caller, presented = '') => {
    const isOwn = isCreator(caller, set)
    const handle = presented === '' && isOwn ? engine.handles.ofSet(set.setId) : presented
    return encodeSet(set, handle, isOwn || caller.isAdmin)
  }
  return {
    CreateSet: unary(calls, 'CreateSet', async (request, caller) => {
      const changed = await change(engine, decodeCreateSet(engine, request), request, 'set', caller)
      if (isFailure(changed)) return changed
      const { set } = changed.answer
      return { set: show(set, caller, engine.handles.ofSet(set.setId)), revision: changed.revision }
    }),

    GetSet: unary(calls, 'GetSet', async (request, caller) => {
      const ref = decodeSetRef(engine, request)
      const set = await engine.read((state) => mayLook(state, ref, caller) ?? getSet(state, ref))
      return isFailure(set) ? set : { set: show(set, caller, request.set_handle) }
    }),

    ListSets: unary(calls, 'ListSets', async (request, caller) => {
      const prefix = text('token_prefix', request.token_prefix)
      const list = `sets ${prefix}`
      const { limit, cursor } = decodePage(request, list, 1)
      const after = asSetId(cursor?.[0] ?? 0)
      const isSeen = (set: Owned) => sees(caller, set)
      const page = await engine.read((state) => known(caller) ?? listSets(state, prefix, after, limit, isSeen))
      if (isFailure(page)) return page
      const { items, nextPageToken } = encodePage(page, list, weighSet, ({ setId }) => [setId])
      return { sets: items.map((set) => show(set, caller)), next_page_token: nextPageToken }
    }),

    AdjustQuota: unary(calls, 'AdjustQuota', async (request, caller) => {
      const changed = await change(engine, decodeAdjustQuota(engine, request), request, 'set', caller)
      if (isFailure(changed)) return changed
      return { set: show(changed.answer.set, caller, request.set_handle), revision: changed.revision }
    }),

    DeleteSet: unary(calls, 'DeleteSet', async (request, caller) => {
      const changed = await change(engine, decodeDeleteSet(engine, request), request, 'set', caller)
      if (isFailure(changed)) return changed
      return { set: show(changed.answer.set, caller, request.set_handle), revision: changed.revision }
    }),
  }
}
