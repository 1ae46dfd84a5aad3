/** Protobuf by hand, for what no encoder would write. */

export const WIRE = { VARINT: 0, FIXED64: 1, BYTES: 2, GROUP: 3, END_GROUP: 4, FIXED32: 5 } as const

export function varint(value: number | bigint): Buffer {
  const bytes: number[] = []
  let rest = BigInt(value)
  while (rest > 127n) {
    bytes.push(Number(rest % 128n) + 128)
    rest /= 128n
  }
  return Buffer.from([...bytes, Number(rest)])
}

export function tag(number: number, wire: number): Buffer {
  return varint(BigInt(number) * 8n + BigInt(wire))
}

export function bytesField(number: number, content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content)
  return Buffer.concat([tag(number, WIRE.BYTES), varint(bytes.length), bytes])
}

export function varintField(number: number, value: number | bigint): Buffer {
  return Buffer.concat([tag(number, WIRE.VARINT), varint(value)])
}

/** The fields of a valid message, each with its tag. */
export function splitFields(message: Buffer): readonly Buffer[] {
  const fields: Buffer[] = []
  let at = 0
  const read = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++] ?? 0
      value += BigInt(byte % 128) << shift
      if (byte < 128) return Number(value)
    }
  }
  while (at < message.length) {
    const start = at
    const wire = read() % 8
    if (wire === WIRE.VARINT) read()
    else if (wire === WIRE.BYTES) at += read()
    else at += wire === WIRE.FIXED64 ? 8 : 4
    fields.push(message.subarray(start, at))
  }
  return fields
}
