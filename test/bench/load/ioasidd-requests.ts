import { messageCodec } from '../../../proto/load.ts'
import { concurrently } from '../rows/filling.ts'
import type { Calls } from './calls.ts'
import type { StreamRequest } from './watchers.ts'

/** Requests to ioasidd as bytes, and the number of the field that tells a subscriber of events. */
export const NOTIFICATIONS_FIELD = 7

/** What comes to the set of this token from now on. */
export function subscribeTo(token: string): StreamRequest {
  const message = messageCodec('ioasid.v1.SubscribeRequest').serialize({ tokens: [token], now: true })
  return { path: '/ioasid.v1.NotificationService/Subscribe', messages: [message] }
}

/** Allocates so many ids of a set whenever it is called. */
export function allocation(calls: Calls, setHandle: string, count: number): () => Promise<Buffer> {
  const request = messageCodec('ioasid.v1.AllocateRequest').serialize({ set_handle: setHandle, count })
  return () => calls.call('/ioasid.v1.IoasidService/Allocate', request)
}

const batchAnswer = messageCodec('ioasid.v1.BatchResponse')

/** Allocates one id of each set, in one Batch. Rejects where any is refused. */
export function allocations(calls: Calls, setHandles: readonly string[]): () => Promise<void> {
  const items = setHandles.map((set_handle) => ({ allocate: { set_handle, count: 1 } }))
  const request = messageCodec('ioasid.v1.BatchRequest').serialize({ items })
  return async () => {
    const { results } = batchAnswer.deserialize(await calls.call('/ioasid.v1.IoasidService/Batch', request))
    const refused = results.find(({ failure }) => failure)
    if (refused !== undefined) throw new Error(`an item of a Batch was refused: ${refused.failure?.message}`)
  }
}

const createSet = messageCodec('ioasid.v1.CreateSetRequest')
const setAnswer = messageCodec('ioasid.v1.CreateSetResponse')

/** Makes sets; their handles in the same order. As bytes, since it may be a hundred thousand. */
export async function createSets(
  calls: Calls,
  sets: readonly Parameters<typeof createSet.serialize>[0][],
): Promise<readonly string[]> {
  const handles: string[] = []
  await concurrently(sets.length, async (index) => {
    const answer = await calls.call('/ioasid.v1.SetService/CreateSet', createSet.serialize(sets[index] ?? {}))
    handles[index] = setAnswer.deserialize(answer).set?.set_handle ?? ''
  })
  return handles
}
