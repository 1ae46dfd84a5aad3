const [VARINT, LENGTH_DELIMITED] = [0, 2]

/** How often a message has a field, of bytes or another message, at its top level; it is not decoded. Other messages than those of ioasidd and etcd may have other fields. */
export function countField(bytes: Uint8Array, field: number): number {
  const tag = (field << 3) | LENGTH_DELIMITED
  let count = 0
  let at = 0
  while (at < bytes.length) {
    const key = bytes[at] ?? 0
    at += 1
    if (key === tag) count += 1
    let value = 0
    let shift = 0
    let byte = 128
    while (byte >= 128) {
      byte = bytes[at] ?? 0
      at += 1
      // Of a length; a larger number is skipped only.
      if (shift < 28) value |= (byte & 127) << shift
      shift += 7
    }
    const type = key & 7
    if (type === LENGTH_DELIMITED) at += value
    else if (type !== VARINT) throw new Error(`a field of wire type ${type} is unknown`)
  }
  return count
}
