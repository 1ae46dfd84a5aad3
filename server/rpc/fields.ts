import { fail } from '../core/failure.ts'
import { asSpid, NO_SPID, type Spid } from '../core/ids.ts'
import { refuse, refuseField } from './refused.ts'

/** The form of single fields: contract section 1. Numbers are whole and within their wire type already. */

const MAX_TEXT_BYTES = 255
export const MAX_REQUEST_ID_BYTES = 64
export const MAX_IDS = 65_536
export const MAX_BATCH_ITEMS = 1000
const MAX_DATA_BYTES = 4096

/** Bytes that are no UTF-8 decode to U+FFFD, so two different names would become one: it is refused wherever it stands. */
const REPLACEMENT = '\uFFFD'
const FORBIDDEN = /[\p{Cc}\u2028\u2029\uFFFD]/u
/** What nearly all texts are, and no rule forbids; a byte for each character. */
const PRINTABLE_ASCII = /^[ -~]*$/

/** A token, prefix or device name; it may be empty. */
export function text(field: string, value: string, maxBytes = MAX_TEXT_BYTES): string {
  const isPlain = PRINTABLE_ASCII.test(value)
  const bytes = isPlain ? value.length : Buffer.byteLength(value)
  if (bytes > maxBytes) return refuseField(field, `${bytes} bytes long; at most ${maxBytes} are allowed.`)
  if (isPlain) return value
  if (value.includes(REPLACEMENT))
    return refuseField(field, 'not UTF-8, or holds U+FFFD, which stands for what is not.')
  if (FORBIDDEN.test(value)) return refuseField(field, 'holds a control character or a line separator.')
  return value
}

/** A capability that must be there. Whether it names anything is not a question of form. */
export function handle(field: string, value: string): string {
  if (value === '') return refuseField(field, 'missing.')
  if (value.includes(REPLACEMENT)) return refuseField(field, 'not UTF-8.')
  return value
}

export function spid(field: string, value: number): Spid {
  if (value === NO_SPID) {
    return refuse(fail('INVALID_SPID', `${field}: ${NO_SPID} is no SPID; it stands for none.`, { spid: value }))
  }
  return asSpid(value)
}

/** SPIDs to attach to as many ids, in this order. */
export function spids(field: string, values: readonly number[], count: number): readonly Spid[] {
  if (values.length !== count) {
    return refuse(fail('INVALID_SPID', `${field}: ${values.length} SPIDs for ${count} ids.`))
  }
  const seen = new Set<number>()
  return values.map((value) => {
    if (seen.has(value)) return refuse(fail('INVALID_SPID', `${field}: ${value} is there twice.`, { spid: value }))
    seen.add(value)
    return spid(field, value)
  })
}

export function data(field: string, value: Uint8Array): Uint8Array {
  // A copy: the loader gives a view of the whole message as it arrived, and that must not stay for the sake of a few bytes.
  if (value.length >= 1 && value.length <= MAX_DATA_BYTES) return new Uint8Array(value)
  return refuseField(field, `${value.length} bytes long; 1 to ${MAX_DATA_BYTES} are allowed.`)
}

/** A 64-bit number as the loader gives it. What is beyond 2^53 is beyond every revision, set and generation there is. */
export function uint64(value: string): number {
  return Math.min(Number(value), Number.MAX_SAFE_INTEGER)
}
