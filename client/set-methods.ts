import type { Client } from './api.ts'
import type { Call } from './call.ts'
import { toSet } from './convert.ts'
import { encodeAdjustQuota, encodeCreateSet, encodeDeleteSet, encodeGetSet, encodeListSets } from './encode.ts'
import { setService } from './methods.ts'
import { pages } from './pages.ts'

type SetMethods = Pick<Client, 'createSet' | 'getSet' | 'listSets' | 'adjustQuota' | 'deleteSet'>

export function setMethods(call: Call): SetMethods {
  return {
    createSet: async (request = {}, options) => {
      const answer = await call(setService.CreateSet, encodeCreateSet(request), options)
      return { set: toSet(answer.set), revision: BigInt(answer.revision) }
    },

    getSet: async (ref, options) => {
      const { set } = await call(setService.GetSet, encodeGetSet(ref), options)
      return toSet(set)
    },

    listSets: (request = {}, options) => {
      const first = encodeListSets(request)
      return pages(async (page_token) => {
        const answer = await call(setService.ListSets, { ...first, page_token }, options)
        return { items: answer.sets.map(toSet), nextPageToken: answer.next_page_token }
      })
    },

    adjustQuota: async (request, options) => {
      const answer = await call(setService.AdjustQuota, encodeAdjustQuota(request), options)
      return { set: toSet(answer.set), revision: BigInt(answer.revision) }
    },

    deleteSet: async (request, options) => {
      const answer = await call(setService.DeleteSet, encodeDeleteSet(request), options)
      return { set: toSet(answer.set), revision: BigInt(answer.revision) }
    },
  }
}
