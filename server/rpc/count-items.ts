import { MAX_BATCH_ITEMS } from './fields.ts'

/** `items` of a BatchRequest: field 1, length-delimited. */
const ITEM_TAG = 10

/** What a BatchRequest that has arrived counts. One without an item is a request too; one with too many is refused in its turn. */
export function requestsOfBatch(message: unknown): number {
  return message instanceof Uint8Array ? Math.min(Math.max(countItems(message), 1), MAX_BATCH_ITEMS) : 1
}

/**
 * How many items the bytes of a BatchRequest hold, without looking into them: it is asked before anything is decoded. Of
 * bytes that are no such message, which are refused in their turn, those up to where they cease to be one.
 */
export function countItems(bytes: Uint8Array): number {
  let at = 0
  let items = 0
  /** NaN: there is none. */
  const varint = () => {
    let value = 0
    for (let scale = 1; at < bytes.length; scale *= 128) {
      const byte = bytes[at++] ?? 0
      value += (byte % 128) * scale
      if (byte < 128) return value
    }
    return Number.NaN
  }
  // As wire-form.ts goes through them: fields that nobody knows may stand before an item.
  while (at < bytes.length) {
    const tag = varint()
    const wire = tag % 8
    if (wire === 0) varint()
    else if (wire === 1) at += 8
    else if (wire === 5) at += 4
    else if (wire === 2) {
      const length = varint()
      at += length
      if (!(at <= bytes.length)) break
      if (tag === ITEM_TAG) items += 1
    } else break
  }
  return items
}
