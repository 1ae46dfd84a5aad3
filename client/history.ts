import type { Binding__Output } from '../proto/gen/ioasid/v1/Binding.ts'
import type { GetHistoryResponse__Output } from '../proto/gen/ioasid/v1/GetHistoryResponse.ts'
import type { Life__Output } from '../proto/gen/ioasid/v1/Life.ts'
import { present, toDate, within } from './convert.ts'
import type { Binding, Life, Moment } from './history-types.ts'
import { pages } from './pages.ts'

/** Lives, one by one: one with very many bindings comes in pieces on several pages, and is put together here. */
export async function* eachLife(
  read: (pageToken: string) => Promise<GetHistoryResponse__Output>,
): AsyncGenerator<Life, void> {
  let last: Life | undefined
  const parts = pages(async (pageToken) => {
    const { lives, next_page_token: nextPageToken } = await read(pageToken)
    return { items: lives.map(toLife), nextPageToken }
  })
  for await (const part of parts) {
    if (last?.generation === part.generation) {
      // It may have ended in between.
      last = { ...part, bindings: [...last.bindings, ...part.bindings] }
      continue
    }
    if (last !== undefined) yield last
    last = part
  }
  if (last !== undefined) yield last
}

function toLife(wire: Life__Output): Life {
  const endedBy = within(wire.ended_by, ['OWNER', 'LEASE', 'OPERATOR', 'ENDED_BY_UNSPECIFIED'], 'a life ended by')
  return {
    token: wire.token,
    setId: BigInt(wire.set_id),
    generation: BigInt(wire.generation),
    ...toSpan(wire),
    endedBy: endedBy === 'ENDED_BY_UNSPECIFIED' ? undefined : endedBy,
    allocatedBy: wire.allocated_by,
    freedBy: wire.freed_by,
    bindings: wire.bindings.map(toBinding),
  }
}

function toBinding(wire: Binding__Output): Binding {
  return { spid: wire.spid, ...toSpan(wire), boundBy: wire.bound_by, unboundBy: wire.unbound_by }
}

function toSpan(wire: Life__Output | Binding__Output): { readonly from: Moment; readonly to: Moment | undefined } {
  const from = { revision: BigInt(wire.from_revision), time: toDate(present(wire.from_time, 'from_time')) }
  if (wire.to_revision === undefined) return { from, to: undefined }
  return { from, to: { revision: BigInt(wire.to_revision), time: toDate(present(wire.to_time, 'to_time')) } }
}
