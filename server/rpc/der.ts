/** DER, as much of it as the names in a certificate take. Pure. */

export interface Element {
  /** With class and whether it is constructed, as it stands: 0x30 is a SEQUENCE, 0xa3 is [3] of several. */
  readonly tag: number
  readonly content: Uint8Array
}

/** What follows the tag of one that has a number above 30: nothing in a certificate that is looked at here does. */
const MANY_BYTES = 0x1f

/** All elements that the bytes consist of. undefined: something in them is not DER, a length that is not the shortest for example. */
export function elementsOf(bytes: Uint8Array): readonly Element[] | undefined {
  const elements: Element[] = []
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at] ?? 0
    const length = lengthAt(bytes, at + 1)
    if ((tag & MANY_BYTES) === MANY_BYTES || length === undefined) return undefined
    const start = at + 1 + length.width
    const end = start + length.value
    if (end > bytes.length) return undefined
    elements.push({ tag, content: bytes.subarray(start, end) })
    at = end
  }
  return elements
}

/** The elements within one of this tag. undefined: it has another tag, or is not there. */
export function within(element: Element | undefined, tag: number): readonly Element[] | undefined {
  return element?.tag === tag ? elementsOf(element.content) : undefined
}

function lengthAt(bytes: Uint8Array, at: number): { readonly value: number; readonly width: number } | undefined {
  const first = bytes[at]
  if (first === undefined) return undefined
  if (first < 0x80) return { value: first, width: 1 }
  const count = first & 0x7f
  // Without a count it would end wherever it says so, which DER does not know; four bytes tell more than there ever are.
  if (count === 0 || count > 4 || at + count >= bytes.length) return undefined
  let value = 0
  for (let index = 1; index <= count; index++) value = value * 256 + (bytes[at + index] ?? 0)
  const isShortest = value >= 0x80 && value >= 2 ** (8 * (count - 1))
  return isShortest ? { value, width: 1 + count } : undefined
}
