/** HTTP/2 and gRPC as bytes, as far as a load needs them. */

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
export const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 } as const
export const END_STREAM = 0x1
export const ACK = 0x1
const END_HEADERS = 0x4
export const PADDED = 0x8
/** Of a frame: its size, type, flags and stream. */
export const HEAD_BYTES = 9
/** Where in that. */
const STREAM_AT = 5
/** Of a gRPC message: whether it is compressed, and its size. */
export const PREFIX_BYTES = 5
const LARGEST_WINDOW = 0x7fff_ffff
/** As HTTP/2 begins, for each connection and stream. */
export const FIRST_WINDOW = 65_535
/** As HTTP/2 begins: a request is one frame here. */
export const LARGEST_FRAME = 16_384

/** What a client says first: no push, and the server may send as much as it likes, so that the load never holds it back. */
export function connectionStart(): Buffer {
  const settings = Buffer.alloc(12)
  settings.writeUInt16BE(0x2, 0)
  settings.writeUInt16BE(0x4, 6)
  settings.writeUInt32BE(LARGEST_WINDOW, 8)
  return Buffer.concat([
    Buffer.from(PREFACE),
    frame(FRAME.settings, 0, 0, settings),
    windowUpdate(LARGEST_WINDOW - FIRST_WINDOW),
  ])
}

/** The HEADERS frame of a call, for any stream. Nothing in it is put into the table of the peer: it means the same each time. */
export function requestHead(address: string, path: string): Buffer {
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value)
    if (bytes.length > 126) throw new Error(`'${value}' is too long for this wire`)
    return Buffer.concat([Buffer.from([bytes.length]), bytes])
  }
  // HPACK: fields of the static table by number (method POST, scheme http), else literals (path, authority, content-type).
  const block = Buffer.concat([
    Buffer.from([0x83, 0x86, 0x04]),
    text(path),
    Buffer.from([0x01]),
    text(address),
    Buffer.from([0x0f, 0x10]),
    text('application/grpc'),
    Buffer.from([0x00]),
    text('te'),
    text('trailers'),
  ])
  return frame(FRAME.headers, END_HEADERS, 0, block)
}

/** A call with all that the client says, most often one message. */
export function requestBytes(head: Buffer, id: number, messages: readonly Buffer[]): Buffer {
  const size = messagesSize(messages)
  let at = head.length + HEAD_BYTES
  const bytes = Buffer.allocUnsafe(at + size)
  head.copy(bytes)
  bytes.writeUInt32BE(id, STREAM_AT)
  writeHead(bytes, head.length, FRAME.data, END_STREAM, id, size)
  for (const message of messages) {
    bytes.writeUInt8(0, at)
    bytes.writeUInt32BE(message.length, at + 1)
    at += PREFIX_BYTES + message.copy(bytes, at + PREFIX_BYTES)
  }
  return bytes
}

export function messagesSize(messages: readonly Buffer[]): number {
  return messages.reduce((sum, { length }) => sum + PREFIX_BYTES + length, 0)
}

export function windowUpdate(bytes: number): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(bytes)
  return frame(FRAME.windowUpdate, 0, 0, payload)
}

export function frame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  writeHead(head, 0, type, flags, id, payload.length)
  return Buffer.concat([head, payload])
}

function writeHead(bytes: Buffer, at: number, type: number, flags: number, id: number, size: number): void {
  bytes.writeUIntBE(size, at, 3)
  bytes.writeUInt8(type, at + 3)
  bytes.writeUInt8(flags, at + 4)
  bytes.writeUInt32BE(id, at + STREAM_AT)
}
