import type { BatchItem as WireItem } from '../proto/gen/ioasid/v1/BatchItem.ts'
import type { BatchResult__Output } from '../proto/gen/ioasid/v1/BatchResult.ts'
import { fromFailure, fromGrpc, type IoasidError, malformed } from './errors.ts'
import { MAX_IDS } from './limits.ts'
import { ioasidService } from './methods.ts'
import type { Transport, UnaryLimits } from './transport.ts'

/** Calls as items of a Batch, and its results as their outcomes. */

type ItemName = Exclude<NonNullable<BatchResult__Output['result']>, 'failure'>

const ITEM_NAMES = new Map<object, ItemName>([
  [ioasidService.Allocate, 'allocate'],
  [ioasidService.Free, 'free'],
  [ioasidService.AttachSpid, 'attach_spid'],
  [ioasidService.DetachSpid, 'detach_spid'],
  [ioasidService.AttachData, 'attach_data'],
  [ioasidService.DetachData, 'detach_data'],
  [ioasidService.Acquire, 'acquire'],
  [ioasidService.Release, 'release'],
])

/** The daemon takes 1,000 items; of more than this nothing gets faster, and the first would wait for the last. */
const MAX_ITEMS = 512
const MAX_BYTES = 3 << 20

/** Whether one Batch takes so many items, with so much in all. */
export const fits = (items: number, ids: number, bytes: number): boolean =>
  items <= MAX_ITEMS && ids <= MAX_IDS && bytes <= MAX_BYTES

/** A call that can be an item of a Batch, and what counts of it against the limits of one. */
export interface Item {
  readonly name: ItemName
  readonly wire: WireItem
  readonly ids: number
  readonly bytes: number
}

/** undefined: no Batch takes it. */
export function toItem(method: object, request: unknown): Item | undefined {
  const name = ITEM_NAMES.get(method)
  if (name === undefined || typeof request !== 'object' || request === null) return undefined
  // The request of a method is the item of its name: the same message in both.
  const wire = { [name]: request } as WireItem
  return { name, wire, ids: countIds(wire), bytes: mostBytes(request as Record<string, unknown>) }
}

function countIds({ allocate, free }: WireItem): number {
  if (allocate) return allocate.count ?? (allocate.spids?.length || 1)
  return free?.ioasids?.length ?? 1
}

/** At least what it takes on the wire, without a second encoding: three bytes a character, five a number in a list. */
function mostBytes(request: Readonly<Record<string, unknown>>): number {
  let bytes = 8
  // Not by Object.values: its list is a twentieth of what a call in a Batch costs.
  for (const name in request) {
    const value = request[name]
    bytes += 16
    if (typeof value === 'string') bytes += 3 * value.length
    if (value instanceof Uint8Array) bytes += value.length
    else if (Array.isArray(value)) bytes += 5 * value.length
  }
  return bytes
}

/** What one attempt of a call came to. */
export type Outcome =
  | { readonly kind: 'answer'; readonly answer: unknown }
  | { readonly kind: 'failure'; readonly error: IoasidError }

type Limits = Pick<UnaryLimits<never>, 'timeoutMs' | 'signal'>

/** One attempt of a Batch: an outcome for each item, whatever happens. */
export async function sendBatch(transport: Transport, items: readonly Item[], limits: Limits): Promise<Outcome[]> {
  try {
    const request = { items: items.map(({ wire }) => wire) }
    const isUnavailable = (response: { results: BatchResult__Output[] }): boolean =>
      response.results.some((result) => result.failure && fromFailure(result.failure).code === 'UNAVAILABLE')
    const { results } = await transport.unary(ioasidService.Batch, request, { ...limits, isUnavailable })
    if (results.length !== items.length) throw malformed(`${results.length} results of ${items.length} items`)
    return items.map(({ name }, index) => toOutcome(name, results[index]))
  } catch (thrown) {
    const error = fromGrpc(thrown)
    return items.map(() => ({ kind: 'failure', error }))
  }
}

/** One attempt of a call by itself. */
export async function sendAlone(attempt: Promise<unknown>): Promise<Outcome[]> {
  try {
    return [{ kind: 'answer', answer: await attempt }]
  } catch (thrown) {
    return [{ kind: 'failure', error: fromGrpc(thrown) }]
  }
}

function toOutcome(name: ItemName, result: BatchResult__Output | undefined): Outcome {
  if (result?.failure) return { kind: 'failure', error: fromFailure(result.failure) }
  const answer = result?.[name]
  return answer
    ? { kind: 'answer', answer }
    : { kind: 'failure', error: malformed(`a result that is not that of ${name}`) }
}
