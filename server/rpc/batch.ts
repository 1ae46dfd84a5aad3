import { status as code } from '@grpc/grpc-js'
import type { BatchItem__Output } from '../../proto/gen/ioasid/v1/BatchItem.ts'
import type { BatchResponse } from '../../proto/gen/ioasid/v1/BatchResponse.ts'
import type { BatchResult } from '../../proto/gen/ioasid/v1/BatchResult.ts'
import type { Caller } from '../core/caller.ts'
import { type Failure, isFailure } from '../core/failure.ts'
import { allocateCount } from './decode.ts'
import type { SizedBatch } from './definitions.ts'
import { MAX_BATCH_ITEMS, MAX_IDS } from './fields.ts'
import type { IoasidChanges } from './ioasid-changes.ts'
import type { Log } from './log.ts'
import { refuseField } from './refused.ts'
import { INTERNAL_MESSAGE, retryAfterMsOf, statusCode } from './status.ts'
import { attempt, type Method } from './unary.ts'

/** Batch: contract section 4. The items in order, each for itself; what is too large for one is refused whole. */

const MAX_BYTES = 3 * 1024 * 1024

export async function runBatch(
  changes: IoasidChanges,
  log: Log,
  { request, bytes }: SizedBatch,
  caller: Caller,
): Promise<BatchResponse> {
  const { items } = request
  if (items.length < 1 || items.length > MAX_BATCH_ITEMS) {
    refuseField('items', `${items.length} items; 1 to ${MAX_BATCH_ITEMS} are allowed.`)
  }
  if (bytes > MAX_BYTES) refuseField('items', `${bytes} bytes; at most ${MAX_BYTES} are allowed.`)
  const unset = items.findIndex((item) => item.item === undefined)
  if (unset >= 0) refuseField(`items[${unset}]`, 'names no request.')
  const double = items.findIndex((item) => requestsOf(item) > 1)
  if (double >= 0) refuseField(`items[${double}]`, 'names more than one request.')
  const ids = items.reduce((sum, item) => sum + countIds(item), 0)
  if (ids > MAX_IDS) refuseField('items', `${ids} ids in all; at most ${MAX_IDS} are allowed.`)

  // Each is decided before the next one begins (Sequencer.submit decides at once); only their answers wait together.
  return { results: await Promise.all(items.map((item) => runItem(changes, log, item, caller))) }
}

/** A oneof holds one; but bytes may hold more, and the decoder keeps them. */
function requestsOf({ item: _name, ...requests }: BatchItem__Output): number {
  return Object.values(requests).filter((request) => request !== undefined && request !== null).length
}

function countIds({ allocate, free }: BatchItem__Output): number {
  if (allocate) return allocateCount(allocate)
  return free ? free.ioasids.length : 1
}

async function runItem(
  changes: IoasidChanges,
  log: Log,
  item: BatchItem__Output,
  caller: Caller,
): Promise<BatchResult> {
  const { allocate, free, attach_spid, detach_spid, attach_data, detach_data, acquire, release } = item
  const run = <Request, Response extends object>(request: Request, change: Method<Request, Response>) =>
    attempt(log, 'Batch', request, caller, change)
  if (allocate) return resultOf(await run(allocate, changes.allocate), (done) => ({ allocate: done }))
  if (free) return resultOf(await run(free, changes.free), (done) => ({ free: done }))
  if (attach_spid) return resultOf(await run(attach_spid, changes.attach_spid), (done) => ({ attach_spid: done }))
  if (detach_spid) return resultOf(await run(detach_spid, changes.detach_spid), (done) => ({ detach_spid: done }))
  if (attach_data) return resultOf(await run(attach_data, changes.attach_data), (done) => ({ attach_data: done }))
  if (detach_data) return resultOf(await run(detach_data, changes.detach_data), (done) => ({ detach_data: done }))
  if (acquire) return resultOf(await run(acquire, changes.acquire), (done) => ({ acquire: done }))
  if (release) return resultOf(await run(release, changes.release), (done) => ({ release: done }))
  throw new Error('an item that names no request was let through')
}

function resultOf<Response extends object>(
  result: Response | Failure | undefined,
  wrap: (response: Response) => BatchResult,
): BatchResult {
  if (result === undefined) return { failure: { code: code.INTERNAL, message: INTERNAL_MESSAGE } }
  if (!isFailure(result)) return wrap(result)
  const { reason, message } = result
  const retryAfterMs = retryAfterMsOf(result)
  // What the RPC itself would say in a RetryInfo.
  const metadata =
    retryAfterMs > 0 ? { ...result.metadata, retry_after_ms: String(retryAfterMs) } : { ...result.metadata }
  return { failure: { code: statusCode(result), reason, message, metadata } }
}
