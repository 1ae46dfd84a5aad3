import { status as code } from '@grpc/grpc-js'
import type { BatchItem__Output } from '../../proto/gen/ioasid/v1/BatchItem.ts'
import type { BatchResponse } from '../../proto/gen/ioasid/v1/BatchResponse.ts'
import type { BatchResult } from '../../proto/gen/ioasid/v1/BatchResult.ts'
import type { Caller } from '../core/caller.ts'
import { type Failure, isFailure } from '../core/failure.ts'
import type { Engine } from '../engine/engine.ts'
import { allocateCount } from './decode.ts'
import type { SizedBatch } from './definitions.ts'
import { MAX_BATCH_ITEMS, MAX_IDS } from './fields.ts'
import { type Change, IOASID_CHANGES } from './ioasid-changes.ts'
import type { Log } from './log.ts'
import { refuseField } from './refused.ts'
import { INTERNAL_MESSAGE, retryAfterMsOf, statusCode } from './status.ts'
import { failureOf } from './unary.ts'

/** Batch: contract section 4. The items in order, each for itself; what is too large for one is refused whole. */

const MAX_BYTES = 3 * 1024 * 1024

type ItemName = NonNullable<BatchItem__Output['item']>

export async function runBatch(
  engine: Engine,
  log: Log,
  { request: { items }, bytes }: SizedBatch,
  caller: Caller,
): Promise<BatchResponse> {
  if (items.length < 1 || items.length > MAX_BATCH_ITEMS) {
    refuseField('items', `${items.length} items; 1 to ${MAX_BATCH_ITEMS} are allowed.`)
  }
  if (bytes > MAX_BYTES) refuseField('items', `${bytes} bytes; at most ${MAX_BYTES} are allowed.`)
  const names = items.map(nameOf)
  const ids = items.reduce((sum, item) => sum + countIds(item), 0)
  if (ids > MAX_IDS) refuseField('items', `${ids} ids in all; at most ${MAX_IDS} are allowed.`)

  // Each is decided before the next one begins (Sequencer.submit decides at once); only their answers wait together.
  return { results: await Promise.all(names.map((name, index) => runItem(engine, log, name, items[index], caller))) }
}

function nameOf(item: BatchItem__Output, index: number): ItemName {
  let requests = 0
  for (const name in item) if (name !== 'item') requests += 1
  // A oneof holds one; but bytes may hold more, and the decoder keeps them.
  if (requests > 1) refuseField(`items[${index}]`, 'names more than one request.')
  return item.item ?? refuseField(`items[${index}]`, 'names no request.')
}

function countIds({ allocate, free }: BatchItem__Output): number {
  if (allocate) return allocateCount(allocate)
  return free ? free.ioasids.length : 1
}

async function runItem(
  engine: Engine,
  log: Log,
  name: ItemName,
  item: BatchItem__Output | undefined,
  caller: Caller,
): Promise<BatchResult> {
  // The item of a name is the request of its change, and the result of that name its response.
  const change = IOASID_CHANGES[name] as Change<unknown, object>
  const request = item?.[name]
  try {
    const response = change.toResponse(request, await change.submit(engine, request, caller))
    return isFailure(response) ? failed(response) : ({ [name]: response } as BatchResult)
  } catch (cause) {
    return failed(failureOf(log, 'Batch', cause))
  }
}

function failed(failure: Failure | undefined): BatchResult {
  if (failure === undefined) return { failure: { code: code.INTERNAL, message: INTERNAL_MESSAGE } }
  const { reason, message } = failure
  const retryAfterMs = retryAfterMsOf(failure)
  // What the RPC itself would say in a RetryInfo.
  const metadata =
    retryAfterMs > 0 ? { ...failure.metadata, retry_after_ms: String(retryAfterMs) } : { ...failure.metadata }
  return { failure: { code: statusCode(failure), reason, message, metadata } }
}
