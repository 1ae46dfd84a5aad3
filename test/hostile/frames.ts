/** HTTP/2 by hand (RFC 9113): frames that no library would send. */

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export const TYPE = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const

export const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8 } as const

export const SETTING = { HEADER_TABLE_SIZE: 1, MAX_CONCURRENT: 3, INITIAL_WINDOW_SIZE: 4, MAX_FRAME_SIZE: 5 } as const

export const FRAME_HEAD_BYTES = 9

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(streamId, 5)
  return Buffer.concat([head, payload])
}

export function settings(values: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(6 * values.length)
  values.forEach(([id, value], index) => {
    payload.writeUInt16BE(id, 6 * index)
    payload.writeUInt32BE(value, 6 * index + 2)
  })
  return frame(TYPE.SETTINGS, 0, 0, payload)
}

export function windowUpdate(streamId: number, increment: number): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(increment)
  return frame(TYPE.WINDOW_UPDATE, 0, streamId, payload)
}

export function reset(streamId: number): Buffer {
  // CANCEL.
  return frame(TYPE.RST_STREAM, 0, streamId, Buffer.from([0, 0, 0, 8]))
}

export type Headers = readonly (readonly [name: string, value: string])[]

export function grpcHeaders(path: string): Headers {
  return [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'localhost'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
  ]
}

/** HPACK without its tables: every field a literal that nobody remembers. */
export function headerBlock(headers: Headers): Buffer {
  return Buffer.concat(headers.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]))
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes])
  const length = [127]
  let rest = bytes.length - 127
  while (rest > 127) {
    length.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  return Buffer.concat([Buffer.from([...length, rest]), bytes])
}

export function request(streamId: number, path: string, isEnd = false): Buffer {
  const flags = FLAG.END_HEADERS + (isEnd ? FLAG.END_STREAM : 0)
  return frame(TYPE.HEADERS, flags, streamId, headerBlock(grpcHeaders(path)))
}

/** A gRPC message with its head; the head may lie. */
export function grpcMessage(bytes: Uint8Array, flag = 0, length = bytes.length): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt8(flag)
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, bytes])
}

const MAX_FRAME_BYTES = 16_384

/** DATA frames of the size that every peer takes. */
export function data(streamId: number, bytes: Uint8Array, isEnd = false): Buffer {
  const frames: Buffer[] = []
  let at = 0
  do {
    const part = bytes.subarray(at, at + MAX_FRAME_BYTES)
    at += part.length
    frames.push(frame(TYPE.DATA, isEnd && at >= bytes.length ? FLAG.END_STREAM : 0, streamId, part))
  } while (at < bytes.length)
  return Buffer.concat(frames)
}
